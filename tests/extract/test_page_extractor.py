"""The extractor: which pages are read, how links are checked, and that nothing it meets makes it raise."""

from __future__ import annotations

import gzip
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.errors import ExtractionRuleError
from scraper.extract.interface import Extractor
from scraper.extract.page_extractor import ExtractSettings, FileSettings, PageExtractor
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.rule import ExtractionRule, RuleSettings
from scraper.model import Body, Extraction, Headers, Link, OutOfScope, Request, RequestKind, Response, Url
from scraper.urls.canonicalize import KeyRules, canonicalize
from scraper.urls.scope import Scope, ScopeSettings

HTML = "text/html; charset=utf-8"


def url_of(text: str) -> Url:
    url = canonicalize(text)
    assert isinstance(url, Url)
    return url


SEED = url_of("http://shop.example/")


def page_of(
    body: bytes | str,
    content_type: str | None = HTML,
    *,
    at: str = "http://shop.example/a/index.html",
    status: int = 200,
    kind: RequestKind = "page",
    depth: int = 0,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Response:
    raw = body.encode() if isinstance(body, str) else body
    typed = ((b"Content-Type", content_type.encode()),) if content_type is not None else ()
    request = Request(url_of(at), depth=depth, kind=kind)
    return Response(request, status, Headers([*typed, *headers]), Body(len(raw), len(raw), "xxh3:0", data=raw))


def extractor(*rules: RuleSettings, scope: ScopeSettings | None = None, **settings: Any) -> PageExtractor:
    return PageExtractor(ExtractSettings(Scope(scope or ScopeSettings(), [SEED]), rules, **settings))


def denials(extraction: Extraction) -> dict[str, str | None]:
    """Why each link is denied, by its URL without the shop's origin."""
    return {
        link.url.href.removeprefix("http://shop.example"): link.denied.rule if link.denied else None
        for link in extraction.links
    }


def test_one_page_gives_links_items_and_what_it_says_of_itself() -> None:
    """Links are canonical, distinct, in document order and checked; fields come from the same tree."""
    rule = RuleSettings(match="/a/", fields=(FieldSettings("title", "h1"), FieldSettings("links", links="in_scope")))
    extraction: Extraction = extractor(rule, RuleSettings(match="/b/", fields=(FieldSettings("x", "h1"),))).extract(
        page_of(
            '<link rel="canonical" href="/a"><h1>Hi</h1><a href="b#x">1</a><a href="/c">2</a><a href="b">3</a>'
            '<a href="http://other.example/">4</a><a href="mailto:x@y.example">5</a>'
        )
    )
    assert denials(extraction) == {"/a/b": None, "/c": None, "http://other.example/": "scope.mode: host (shop.example)"}
    assert [(dict(item.fields), item.rule) for item in extraction.items] == [
        ({"title": "Hi", "links": ["http://shop.example/a/b", "http://shop.example/c"]}, 0)
    ]
    assert extraction.canonical == "http://shop.example/a"
    assert (extraction.noindex, extraction.nofollow, extraction.charset, extraction.problem) == (
        False,
        False,
        "utf-8",
        None,
    )


def test_rejected_fields_are_in_the_extraction() -> None:
    """An item that could not be made is reported, and costs no links."""
    rule = RuleSettings(fields=(FieldSettings("price", ".price", type="decimal", required=True),))
    extraction = extractor(rule).extract(page_of('<a href="/b">x</a>'))
    assert extraction.items == ()
    assert [(entry.field, entry.rule) for entry in extraction.field_errors] == [("price", 0)]
    assert len(extraction.links) == 1


LINKED = '<a href="/b">x</a>'


@pytest.mark.parametrize(
    ("body", "content_type", "links"),
    [
        (LINKED, "text/html", 1),
        (LINKED, "TEXT/HTML ;charset=utf-8", 1),
        (LINKED, "application/xhtml+xml", 1),
        (LINKED, "text/plain", 0),
        (LINKED, "application/json", 0),
        (LINKED, "text/htmlx", 0),
        (b"\x89PNG" + LINKED.encode(), "image/png", 0),
        (f"\n <!DOCTYPE html>{LINKED}", None, 1),
        (f"\ufeff<html>{LINKED}", None, 1),
        (f"<!-- hi -->{LINKED}", "", 1),
        (LINKED, "*/*", 1),
        (f"<ahref>{LINKED}", None, 0),
        (f"{{}}{LINKED}", None, 0),
        ("", None, 0),
        ("", "text/html", 0),
    ],
)
def test_only_html_is_read(body: bytes | str, content_type: str | None, links: int) -> None:
    """The type decides; without one the first bytes do. Pages of other types say that they are not read."""
    extraction = extractor().extract(page_of(body, content_type))
    assert len(extraction.links) == links
    assert (extraction.problem is None) is (links == 1 or not body)


@pytest.mark.parametrize(
    ("body", "content_type", "problem"),
    [
        (LINKED, "text/plain", "not read: text/plain, and no rule reads text; it begins like HTML, which read_as: "),
        ("body {}", "text/css", "not read: text/css, and no rule reads text"),
        ("{}", "application/json", "not read: application/json, and no rule reads JSON"),
        (b"\x89PNG\0", "image/png", "not read: image/png, neither HTML nor JSON nor text"),
        (b"\x89PNG\0", "png", "not read: without a usable Content-Type, neither HTML nor JSON nor text"),
    ],
)
def test_a_page_that_is_taken_for_nothing_says_so(body: bytes | str, content_type: str, problem: str) -> None:
    """Its record has a problem that names the type."""
    assert (extractor().extract(page_of(body, content_type)).problem or "").startswith(problem)


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "application/json", None])
def test_a_rule_may_say_what_its_pages_are(content_type: str | None) -> None:
    """`read_as` beats the Content-Type, on the pages that the rule is for."""
    rule = RuleSettings(match="/a/", fields=(FieldSettings("t", "h9"),), read_as="html")
    extraction = extractor(rule).extract(page_of("<h9>x</h9><a href=/b>", content_type))
    assert [item.fields for item in extraction.items] == [{"t": "x"}]
    assert len(extraction.links) == 1
    assert extraction.problem is None
    assert not extractor(rule).extract(page_of(LINKED, "text/plain", at="http://shop.example/b")).items


def test_a_rule_may_read_html_as_text() -> None:
    """`read_as: text` searches no links."""
    rule = RuleSettings(fields=(FieldSettings("t", regex="b(.)"),), read_as="text")
    extraction = extractor(rule).extract(page_of("<a href=/b1>", "text/html"))
    assert [item.fields for item in extraction.items] == [{"t": "1"}]
    assert not extraction.links


@pytest.mark.parametrize(
    ("coding", "told"), [(b"snappy", True), (b"gzip, x-snappy", True), (b"UTF-8", False), (b"gzip", False)]
)
def test_a_page_of_an_unknown_coding_that_gave_nothing_says_so(coding: bytes, told: bool) -> None:
    """A charset's name in its place is no coding, and what could be read is no problem."""
    headers = ((b"Content-Encoding", coding),)
    problem = extractor().extract(page_of(b"\x01\x02", headers=headers)).problem
    assert problem == ("read as it came: there is no content-coding 'snappy'" if told else None)
    assert extractor().extract(page_of(LINKED, headers=headers)).problem is None


@pytest.mark.parametrize("content_type", ["application/xhtml+xml", "application/xml", None])
def test_xhtml_is_read_by_the_rules_of_xml(content_type: str | None) -> None:
    """An empty script element ends where it begins."""
    page = f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><script src="/x"/>{LINKED}</html>'
    assert len(extractor().extract(page_of(page, content_type)).links) == 1


def test_an_answer_that_only_sends_on_is_read() -> None:
    """A `Refresh` header is a link, with or without a type and content."""
    page = page_of("", None, headers=((b"Refresh", b"0;url=/x"),))
    assert [link.url.target for link in extractor().extract(page).links] == ["/x"]


def test_a_content_type_that_was_sent_twice_is_one_list() -> None:
    """The last one that is a MIME type counts."""
    page = page_of(LINKED, "text/plain", headers=((b"Content-Type", b"text/html"), (b"content-type", b"html")))
    assert len(extractor().extract(page).links) == 1


@pytest.mark.parametrize("status", [199, 301, 304, 404, 429, 500])
def test_only_answers_of_success_are_read(status: int) -> None:
    """Links on an error page or a redirect are none."""
    rule = RuleSettings(fields=(FieldSettings("a", "a"),))
    assert extractor(rule).extract(page_of(LINKED, status=status)) == Extraction()


def test_a_file_is_not_read() -> None:
    """What was requested as a file is not read, HTML or not."""
    assert extractor().extract(page_of(LINKED, kind="file")) == Extraction()


def test_robots_directives_of_other_types_are_kept() -> None:
    """X-Robots-Tag applies to a PDF as well."""
    page = page_of(b"%PDF", "application/pdf", headers=((b"X-Robots-Tag", b"noindex"),))
    assert extractor().extract(page).noindex


@pytest.mark.parametrize(
    ("markup", "header", "policy", "expected"),
    [
        ('<a href="/b" rel="nofollow">', None, "respect", ("nofollow: the link's rel", True)),
        ('<a href="/b" rel="ugc">', None, "respect", ("nofollow: the link's rel", True)),
        ('<a href="/b" rel="nofollow">', None, "ignore", (None, True)),
        ('<a href="/b" rel="nofollow"><a href="/b">', None, "respect", (None, False)),
        (
            '<meta name="robots" content="nofollow"><a href="/b">',
            None,
            "respect",
            ("nofollow: the page's robots", True),
        ),
        ('<a href="/b">', b"nofollow", "respect", ("nofollow: the page's robots", True)),
        ('<a href="/b">', b"none", "ignore", (None, True)),
        ('<a href="/b">', b"noindex", "respect", (None, False)),
    ],
)
def test_nofollow_denies_links_when_it_is_respected(
    markup: str, header: bytes | None, policy: Any, expected: tuple[str | None, bool]
) -> None:
    """A link's rel and a page's directive deny with reason nofollow; under `ignore` they are only marked."""
    page = page_of(markup, headers=((b"X-Robots-Tag", header),) if header else ())
    (link,) = extractor(nofollow=policy).extract(page).links
    rule, marked = expected
    assert link.nofollow is marked
    if rule is None:
        assert link.denied is None
    else:
        assert link.denied is not None
        assert link.denied.reason == "nofollow"
        assert link.denied.rule.startswith(rule)


def test_scope_is_named_before_nofollow() -> None:
    """A link that is out of scope anyhow says so."""
    (link,) = extractor().extract(page_of('<a href="http://x.example/" rel="nofollow">')).links
    assert link.denied == OutOfScope("scope", "scope.mode: host (shop.example)")


def test_links_are_checked_one_step_further() -> None:
    """A page at the depth limit follows nothing; one before it does."""
    scope = ScopeSettings(max_depth=2)
    assert denials(extractor(scope=scope).extract(page_of(LINKED, depth=1))) == {"/b": None}
    assert denials(extractor(scope=scope).extract(page_of(LINKED, depth=2))) == {"/b": "scope.max_depth: 2"}


def test_urls_with_one_key_are_one_link() -> None:
    """Tracking parameters make no second link; what is fetched is the first form found."""
    page = page_of('<a href="/b?utm_source=x"><a href="/b">')
    extraction = extractor(keys=KeyRules(("utm_*",))).extract(page)
    assert [link.url.href for link in extraction.links] == ["http://shop.example/b?utm_source=x"]


FILES = FileSettings(match=(r"\.pdf$",), css=("img.cover@src", "video"))


@pytest.mark.parametrize(
    ("markup", "kind", "rule"),
    [
        ('<a href="/d/x.pdf">', "file", None),
        ('<a href="/d/x.pdfx">', "page", "scope.mode: prefix (shop.example/a/)"),
        ('<a href="/a/x.pdf">', "file", None),
        ('<a href="http://cdn.example/x">', "page", "scope.allow: '/a/'"),
        ('<a href="http://cdn.example/x.pdf">', "file", None),
        ('<a href="http://other.example/x.pdf">', "file", "scope.mode: prefix (shop.example/a/)"),
        ('<img class="cover" src="/i/1.png">', "file", None),
        ('<img class="cover" src="http://cdn.example/1.png">', "file", None),
        ('<img class="cover" src="http://other.example/1.png">', "file", "scope.mode: prefix (shop.example/a/)"),
        ('<img class="cover" src="/secret/1.png">', "file", "scope.deny: 'secret'"),
        (f'<img class="cover" src="/{"i/" * 20}1.png">', "file", "traps.max_segments: 16"),
        ('<video src="/v.mp4">', "file", None),
    ],
)
def test_files_are_fetched_along_the_way(markup: str, kind: str, rule: str | None) -> None:
    """A file may lie anywhere on the page's host or on a host in scope; deny, traps and foreign hosts reject it."""
    scope = ScopeSettings(mode="prefix", hosts=("cdn.example",), allow=("/a/",), deny=("secret",), max_depth=0)
    reads = PageExtractor(ExtractSettings(Scope(scope, [url_of("http://shop.example/a/")]), files=FILES))
    (link,) = reads.extract(page_of(markup)).links
    assert (link.kind, link.denied.rule if link.denied else None) == (kind, rule)


def test_what_is_linked_and_embedded_is_one_file() -> None:
    """A picture that is a link as well is one link, of kind file; useless sources are none."""
    page = page_of(
        '<a href="/1.png">x</a><img class="cover" src="/1.png"><img class="cover" src="data:,x"><img class="cover">'
    )
    assert [(link.url.target, link.kind) for link in extractor(files=FILES).extract(page).links] == [("/1.png", "file")]


SITEMAP = """<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<url><loc>http://shop.example/p/1?a=1&amp;b=2</loc></url><url><loc>http://shop.example/p/1?a=1&amp;b=2</loc></url>
<url><loc>http://other.example/</loc></url><url><loc>http://shop.example/x.pdf</loc></url><url><loc>no</loc></url></urlset>"""


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_sitemap_gives_pages(packed: bool) -> None:
    """Addresses are checked like links, each once; gzip is recognized by its bytes, whatever the type."""
    raw = gzip.compress(SITEMAP.encode()) if packed else SITEMAP.encode()
    page = page_of(raw, "application/octet-stream", at="http://shop.example/maps/a.xml", kind="sitemap")
    extraction = extractor(files=FILES).extract(page)
    assert denials(extraction) == {
        "/p/1?a=1&b=2": None,
        "http://other.example/": "scope.mode: host (shop.example)",
        "/x.pdf": None,
        "/maps/no": None,
    }
    assert [link.kind for link in extraction.links][:3] == ["page", "page", "file"]
    assert extraction.items == ()


def test_a_sitemap_index_gives_sitemaps() -> None:
    """Nested sitemaps are links of kind sitemap, and `allow`, depth and the mode do not bind them."""
    index = (
        "<sitemapindex><sitemap><loc>http://shop.example/s/1.xml.gz</loc></sitemap>"
        "<sitemap><loc>http://other.example/2.xml</loc></sitemap></sitemapindex>"
    )
    scope = ScopeSettings(mode="prefix", allow=("/p/",), max_depth=0)
    reads = PageExtractor(ExtractSettings(Scope(scope, [url_of("http://shop.example/p/")])))
    extraction = reads.extract(page_of(index, "text/xml", at="http://shop.example/sitemap.xml", kind="sitemap"))
    assert [(link.kind, link.denied is None) for link in extraction.links] == [("sitemap", True), ("sitemap", False)]


def test_a_sitemap_that_is_none_is_a_problem() -> None:
    """An HTML page instead of a sitemap is a problem and gives no links."""
    extraction = extractor().extract(page_of(f"<html>{LINKED}</html>", kind="sitemap"))
    assert extraction.links == ()
    assert extraction.problem is not None


def test_a_rule_that_breaks_costs_neither_links_nor_other_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception inside a rule is the extraction's problem, with the rule's number."""
    whole = ExtractionRule.read

    def read(rule: ExtractionRule, *rest: Any) -> None:
        if rule.index == 0:
            raise ZeroDivisionError("oops")
        whole(rule, *rest)

    monkeypatch.setattr(ExtractionRule, "read", read)
    rule = RuleSettings(fields=(FieldSettings("a", "a"),))
    extraction = extractor(rule, rule).extract(page_of(LINKED))
    assert [item.rule for item in extraction.items] == [1]
    assert len(extraction.links) == 1
    assert extraction.problem == "rule 0: ZeroDivisionError: oops"


def test_what_nobody_foresaw_is_a_problem_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a page whose body cannot be read ends nothing."""
    page = page_of(LINKED)
    gone = Response(page.request, 200, page.headers, Body(5, 5, "xxh3:0", path=Path("/nowhere/at/all")))
    extraction = extractor().extract(gone)
    assert extraction.links == ()
    assert extraction.problem is not None
    assert extraction.problem.startswith("not read: FileNotFoundError")


def test_a_page_nested_too_deeply_is_a_problem() -> None:
    """A page that would take seconds to parse is given up and says so."""
    extraction = extractor().extract(page_of("<div>" * 30_000))
    assert extraction.problem is not None
    assert "nested" in extraction.problem


def test_the_extractor_survives_pickling() -> None:
    """A copy in another process finds the same."""
    rule = RuleSettings(match="/a/", fields=(FieldSettings("t", "h1", regex="H(.)"),))
    original: Extractor = extractor(rule, scope=ScopeSettings(deny=("/c",)), files=FILES, keys=KeyRules(("utm_*",)))
    page = page_of('<h1>Hi</h1><a href="/b?utm_x=1"><a href="/c"><a href="/x.pdf">')
    copy = pickle.loads(pickle.dumps(original))
    assert copy.extract(pickle.loads(pickle.dumps(page))) == original.extract(page)


@pytest.mark.parametrize(
    "settings",
    [{"files": FileSettings(match=("(",))}, {"files": FileSettings(css=("img[@src",))}],
    ids=["match", "css"],
)
def test_file_settings_that_cannot_work_are_errors_at_once(settings: dict[str, Any]) -> None:
    """A bad regex or selector is an ExtractionRuleError, before any page."""
    with pytest.raises(ExtractionRuleError):
        extractor(**settings)


@given(st.binary(max_size=400), st.sampled_from([HTML, None, "text/html; charset=utf-16", "text/xml"]), st.booleans())
def test_no_bytes_make_the_extractor_raise(body: bytes, content_type: str | None, is_sitemap: bool) -> None:
    """Whatever the bytes, the links are absolute."""
    rule = RuleSettings(each="*", fields=(FieldSettings("t", many=True), FieldSettings("u", "a", type="url")))
    page = page_of(b"<a href='" + body, content_type, kind="sitemap" if is_sitemap else "page")
    extraction = extractor(rule, files=FILES).extract(page)
    assert all(isinstance(link, Link) and link.url.href.startswith("http") for link in extraction.links)
    assert not re.match(r"not read: \w+:", extraction.problem or "")


@pytest.mark.parametrize(
    "content_type",
    ["text/html; charset=utf-8", "text/plain", "application/javascript", "application/octet-stream", None],
)
def test_json_is_read_where_a_rule_expects_it(content_type: str | None) -> None:
    """JSON declared as something else is JSON to a rule that reads JSON and is for this page."""
    pytest.importorskip("jmespath")
    rule = RuleSettings(each_json="items", fields=(FieldSettings("id", json="id", type="any"),))
    found = extractor(rule).extract(page_of(' {"items": [{"id": 1}]}', content_type))
    assert [dict(item.fields) for item in found.items] == [{"id": 1}]


def test_what_is_declared_otherwise_stays_that_where_no_rule_reads_json() -> None:
    """A rule for other pages, and a page that only begins like JSON, change nothing; the latter is told."""
    pytest.importorskip("jmespath")
    text = RuleSettings(fields=(FieldSettings("t", regex="id.*"),))
    elsewhere = RuleSettings(match="/api/", fields=(FieldSettings("id", json="id"),))
    here = RuleSettings(fields=(FieldSettings("id", json="id"),))
    page = page_of('{"id": 1', "text/plain")
    assert [item.rule for item in extractor(text, elsewhere).extract(page).items] == [0]
    assert extractor(text, elsewhere).extract(page).problem is None
    found = extractor(text, here).extract(page)
    assert [item.rule for item in found.items] == [0]
    assert (found.problem or "").startswith("not read as JSON")
