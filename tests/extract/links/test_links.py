"""links: what a page links to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.errors import ExtractionRuleError
from scraper.extract.links.document import Document, parse_document
from scraper.extract.links.links import collect_link_texts, collect_links, parse_file_selector, select_file_urls
from scraper.model import Headers, Url
from scraper.urls.canonicalize import KeyRules, canonicalize


def url(text: str) -> Url:
    found = canonicalize(text)
    assert isinstance(found, Url)
    return found


PAGE = url("http://e.example/dir/page.html")


def page(markup: str | bytes, content_type: str = "text/html; charset=utf-8") -> Document:
    return parse_document(markup.encode() if isinstance(markup, str) else markup, content_type, PAGE)


def found(markup: str, header: str | None = None) -> list[tuple[str, bool]]:
    sent = Headers([(b"link", header.encode())] if header else [])
    return [
        (link.href.removeprefix("http://e.example"), nofollow) for link, nofollow in collect_links(page(markup), sent)
    ]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        pytest.param("<a href=x>", ["/dir/x"], id="a"),
        pytest.param("<A HREF='x'>", ["/dir/x"], id="upper case"),
        pytest.param("<a name=x>", [], id="a without href"),
        pytest.param("<map><area href=/x></map>", ["/x"], id="area"),
        pytest.param("<link rel=next href=/x>", ["/x"], id="link next"),
        pytest.param("<link rel='PREV foo' href=/x>", ["/x"], id="link prev"),
        pytest.param("<link rel=alternate href=/x type=application/rss+xml>", ["/x"], id="link alternate"),
        pytest.param("<link rel='alternate stylesheet' href=/x>", [], id="alternate stylesheet"),
        pytest.param("<link rel=stylesheet href=/x><link href=/y>", [], id="other links"),
        pytest.param("<iframe src=/x></iframe>", ["/x"], id="iframe"),
        pytest.param("<frameset><frame src=/x><frame></frameset>", ["/x"], id="frame"),
        pytest.param("<meta http-equiv=Refresh content='0; url=/x#f'>", ["/x"], id="meta refresh"),
        pytest.param("<meta http-equiv=refresh content=5><meta http-equiv>", [], id="meta refresh to itself"),
        pytest.param("<svg><a href=/x>x</a></svg>", ["/x"], id="svg"),
        pytest.param("<img src=/x><script src=/y></script><form action=/z>", [], id="no links"),
        pytest.param("<a href=' x\n'><a href='\tx'>", ["/dir/x"], id="white space around"),
        pytest.param("<a href='/a\n\tb'>", ["/ab"], id="newline inside"),
        pytest.param("<a href='#top'><a href='  #x'>", [], id="within the page"),
        pytest.param("<a href=''><a href>", ["/dir/page.html"], id="empty"),
        pytest.param("<a href=x#a><a href=x#b><a href=x>", ["/dir/x"], id="fragments"),
        pytest.param("<a href=mailto:x><a href=javascript:x><a href=http://[>", [], id="not fetched"),
        pytest.param("<a href=http://u:p@e.example/>", [], id="credentials"),
        pytest.param("<a href=b><a href=a><a href=./b><a href=c>", ["/dir/b", "/dir/a", "/dir/c"], id="order, once"),
        pytest.param("<base href=/other/><a href=x>", ["/other/x"], id="base"),
        pytest.param("<a href='?a=1&amp;b=2'>", ["/dir/page.html?a=1&b=2"], id="entities"),
        pytest.param("<!-- <a href=x> --><template><a href=y></template>", [], id="comments and templates"),
        pytest.param("<noscript><a href=x></noscript>", ["/dir/x"], id="noscript"),
    ],
)
def test_the_sources_of_links(markup: str, expected: list[str]) -> None:
    """Each source gives its link, canonical, once, in document order; nothing else does."""
    assert [link for link, _ in found(markup)] == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<a href=/x rel=nofollow>", True),
        ("<a href=/x rel='external NoFollow'>", True),
        ("<a href=/x rel=ugc>", True),
        ("<a href=/x rel=sponsored>", True),
        ("<area href=/x rel=nofollow>", True),
        ("<link rel='next nofollow' href=/x>", True),
        ("<a href=/x rel=noopener>", False),
        ("<a href=/x rel=nofollower>", False),
        ("<a href=/x rel>", False),
        ("<a href=/x rel=nofollow><a href=/x>", False),
        ("<a href=/x><a href=/x rel=nofollow>", False),
        ("<a href=/x rel=nofollow><a href=/./x>", False),
        ("<a href=/x rel=nofollow><a href=/./x rel=ugc>", True),
        ("<a href=/x rel=nofollow><iframe src=/x>", False),
    ],
)
def test_nofollow(markup: str, expected: bool) -> None:
    """A URL is nofollow when every link to it is: ugc and sponsored count, tokens are whole words without case."""
    assert found(markup) == [("/x", expected)]


def test_links_in_headers_do_not_know_the_declared_base() -> None:
    """Targets of the Link header are relative to the page's address; only relations that lead to pages count."""
    header = "<n>; rel=next, <s>; rel=stylesheet, <p#f>; rel=prev, <mailto:x>; rel=next"
    assert found("<base href=/other/><a href=x>", header) == [
        ("/other/x", False),
        ("/dir/n", False),
        ("/dir/p", False),
    ]


def test_tracking_parameters_do_not_make_two_links() -> None:
    """URLs with one key are one link: the first, which keeps its parameters."""
    rules = KeyRules(strip_params=("utm_*",))
    urls = collect_links(page("<a href=/x?utm_a=1><a href=/x><a href=/x?utm_b=2>"), rules=rules)
    assert [link.href for link, _ in urls] == ["http://e.example/x?utm_a=1"]


def test_a_legacy_page_links_in_its_own_encoding() -> None:
    """The query of a link is encoded as the page is."""
    document = page("<a href='/ж?q=ж'>".encode("cp1251"), "text/html; charset=windows-1251")
    assert [link.href for link, _ in collect_links(document)] == ["http://e.example/%D0%B6?q=%E6"]


def test_links_are_bounded() -> None:
    """No more than the limit are taken from a page, and the first ones are."""
    document = page("".join(f"<a href={n}>" for n in range(100)) + "<meta http-equiv=refresh content='0;/x'>")
    assert list(collect_link_texts(document, limit=10)) == [str(n) for n in range(10)]
    assert len(collect_links(document, limit=10)) == 10


def test_files_named_by_selectors() -> None:
    """`selector@attribute` names an attribute; without one it is src, else href. Each address once."""
    document = page("<img class=cover src=a><img src=b data-big=c><a href=d></a><img class=cover src=a>")
    sources = [parse_file_selector(text) for text in ("img.cover@src", "img@data-big", "a")]
    assert sources == [("img.cover", "src"), ("img", "data-big"), ("a", "")]
    assert select_file_urls(document, sources) == ["a", "c", "d"]
    assert select_file_urls(document, sources, limit=1) == ["a"]


@pytest.mark.parametrize("text", ["img[@src", "", "@src", "a >@href", "p)", ":::@x"])
def test_a_wrong_selector_is_an_error(text: str) -> None:
    """It is found before the crawl begins."""
    with pytest.raises(ExtractionRuleError, match="not a CSS selector"):
        parse_file_selector(text)


@given(st.lists(st.text(max_size=20), max_size=8), st.text(max_size=40))
def test_any_links_are_collected(hrefs: list[str], header: str) -> None:
    """Nothing raises; keys are distinct, fragments gone, and every link is http."""
    markup = "".join('<a href="{}">'.format(href.replace('"', "")) for href in hrefs)
    sent = Headers([(b"link", header.encode("utf-8", "replace"))])
    urls = [link for link, _ in collect_links(page(markup.encode("utf-8", "replace")), sent)]
    assert len({link.key for link in urls}) == len(urls)
    assert all(link.href.startswith("http") and "#" not in link.href for link in urls)


def test_links_of_svg_and_refresh_headers_lead_on() -> None:
    """`xlink:href` is a link inside `svg` alone; the target of a header does not know the declared base."""
    markup = "<base href=/x/><svg><a xlink:href=two><text>x</text></a><a href=3></a></svg><a xlink:href=no>x</a>"
    headers = Headers([(b"Refresh", b"0; url=4")])
    assert [link.target for link, _ in collect_links(page(markup), headers)] == ["/x/two", "/x/3", "/dir/4"]


def test_a_srcset_is_a_list_of_files() -> None:
    """Each candidate is a file; without an attribute the placeholder of an image is none."""
    document = page("<img srcset='/a 1x, /b 2x'><img src='data:x' data-src=/c><a href=/d>")
    assert select_file_urls(document, [parse_file_selector("img@SRCSET")]) == ["/a", "/b"]
    assert select_file_urls(document, [parse_file_selector("img"), parse_file_selector("a")]) == ["/a", "/c", "/d"]


@pytest.mark.parametrize("where", ["<head>{}</head>", "<body><p>{}</p>"])
def test_noscript_declares_nothing(where: str) -> None:
    """Neither a base nor a refresh in it is the page's; its links are links."""
    inside = "<base href=/x/><META http-equiv='Refresh' content='0;url=/nojs'>"
    assert found(where.format(f"<noscript>{inside}</noscript>") + "<noscript><a href=a></noscript><a href=b>") == [
        ("/dir/a", False),
        ("/dir/b", False),
    ]
