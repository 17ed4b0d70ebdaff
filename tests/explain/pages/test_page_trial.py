"""`scrape try`: one page, and what would come of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.config.reading.load import parse_config
from scraper.explain.pages.css_probe import PageNames, css_misses, probe_css
from scraper.explain.pages.page_analysis import PageAnalysis, analyze_page
from scraper.explain.pages.page_request import UrlRules
from scraper.explain.pages.repl_session import ReplSession, StyledLine
from scraper.extract.links.document import Document, parse_document
from scraper.model import Body, Headers, Request, Response, Url
from scraper.urls.canonicalize import canonicalize
from tests.explain.conftest import FinishedRun, RunCommand

PAGE = """<!doctype html><title>T</title><body><div class="product-list"><article class="product">
<h3 class="product-title">One</h3><span class="price_color">1.00</span><img src="a.png"></article></div>
<p id="about">x</p></body>"""
CLASSES = ("product-list", "product-title", "price_color")


def document(text: str = PAGE) -> Document:
    url = canonicalize("http://h.example/")
    assert isinstance(url, Url)
    return parse_document(text.encode(), "text/html; charset=utf-8", url)


def reading() -> PageAnalysis:
    """The page above, read by a config without rules."""
    config = parse_config("seeds: [http://h.example/]")
    rules = UrlRules.from_config(config)
    body = Body(len(PAGE), len(PAGE), "", PAGE.encode())
    return analyze_page(
        config, rules, Response(Request(rules.seeds[0]), 200, Headers([(b"content-type", b"text/html")]), body)
    )


def test_a_page_is_told_with_its_links_and_items(finished: FinishedRun, tell: RunCommand) -> None:
    """Status, timing, charset, robots.txt with its line, links by fate, items by the config's rules."""
    item_page = finished.shop + "/catalogue/page-1.html"
    out = tell("try", item_page, "--config", str(finished.config)).output
    for part in ("robots        allow:", "200 text/html", "to the first byte", "utf-8", "fetch as page"):
        assert part in out
    assert "scope: scope.deny: '/cart'" in out
    assert "robots: robots.txt line 2: Disallow: /private/" in out
    assert "is not in the URL" in out


def test_items_and_selectors_of_the_config(finished: FinishedRun, tell: RunCommand) -> None:
    """On a page that a rule is meant for, its items are shown, and every selector with how often it is found."""
    product = next(finished.folder.glob("items.jsonl")).read_text().split('"')[3]
    said = tell("try", product, "--config", str(finished.config))
    assert said.exit_code == 0
    assert "items: 1" in said.output
    assert "extract[0].fields.price: '.price_color' finds 1 of 1" in said.output
    broken = tell("try", product, "-c", str(finished.config), "--set", "extract=[{each: article, fields: {p: .prise}}]")
    assert "extract[0].fields.p: '.prise' finds NOTHING" in broken.output


def test_redirects_are_followed_step_by_step(finished: FinishedRun, tell: RunCommand) -> None:
    """Each hop has its robots decision and its answer."""
    out = tell("try", finished.shop + "/old/one.html").output
    assert [line.split()[1] for line in out.splitlines() if line.startswith("answer")] == ["302", "307", "200"]


def test_what_robots_forbids_is_not_asked_for(finished: FinishedRun, tell: RunCommand) -> None:
    """The line that forbids it is named and the exit code is 1; the user may ask all the same."""
    said = tell("try", finished.shop + "/private/staff.html")
    assert said.exit_code == 1
    assert "robots.txt line 2: Disallow: /private/" in said.output
    assert tell("try", finished.shop + "/private/staff.html", "--set", "politeness.robots=ignore").exit_code == 0


def test_a_host_that_does_not_answer(tell: RunCommand) -> None:
    """An address nobody listens at is one line and exit 1."""
    said = tell("try", "http://127.0.0.1:9/", "--set", "politeness.robots=ignore")
    assert (said.exit_code, "connect" in said.output) == (1, True)


def test_a_stored_page_needs_no_network(tell: RunCommand, tmp_path: Path) -> None:
    """With --file nothing is asked for; links resolve against --url."""
    path = tmp_path / "page.html"
    path.write_text(PAGE + '<a href="/next">n</a>')
    said = tell("try", "--file", str(path), "--url", "http://nobody.invalid/x/", "--css", "img@src")
    assert said.exit_code == 0
    assert "http://nobody.invalid/next" in said.output
    assert "img@src: 1 match" in said.output
    assert "'a.png'" in said.output


@pytest.mark.parametrize("arguments", [(), ("--file", "gone.html"), ("mailto:x",)])
def test_a_wrong_call_is_exit_2(tell: RunCommand, arguments: tuple[str, ...]) -> None:
    """Told in a sentence, before anything is asked for."""
    assert tell("try", *arguments).exit_code == 2


MISSES = {
    "a typo in a class": (".prise_color", "the page has .price_color"),
    "a class without its dot": ("product", "the page has .product"),
    "a part of a name": (".title", ".product-title"),
    "how far it gets": ("article.product .cost", "'article.product' is there 1x, but nothing in it is '.cost'"),
    "an id": ("#abuot", "the page has #about"),
    "a wrong order": ("h3 article", "'h3' is there 1x"),
    "an attribute": ("article[data-x]", "each of its names is on the page"),
    "nothing alike": (".zzzzqqqq", "no '.zzzzqqqq' on this page"),
}


@pytest.mark.parametrize("case", MISSES)
def test_a_selector_that_finds_nothing_gets_proposals(case: str) -> None:
    """Names that look alike, and the part of the selector that does find something."""
    selector, says = MISSES[case]
    probe = probe_css(document(), selector)
    assert probe.count == 0
    assert any(says in hint for hint in probe.hints), probe.hints


@given(st.text(max_size=60))
def test_no_expression_breaks_a_probe(text: str) -> None:
    """Whatever is typed is answered: matches, hints, or that it is no selector."""
    probe = probe_css(document(), text)
    assert probe.count or probe.hints or probe.problem is not None


def test_an_attribute_that_is_not_there() -> None:
    """The attributes that the elements have are named."""
    assert probe_css(document(), "img@srcset").hints == ("none of them has the attribute 'srcset'; they have: src",)


def test_near_misses_are_bounded_on_a_huge_page() -> None:
    """Ten thousand classes: only so many are looked at."""
    page = document("".join(f'<p class="c{n}">' for n in range(10_000)))
    vocabulary = PageNames.from_document(page)
    assert len(vocabulary.classes) == 4_000
    assert css_misses(page, ".c99999", vocabulary)


def test_the_session_answers_and_completes(finished: FinishedRun, tell: RunCommand) -> None:
    """Selectors are tried line by line; Tab completes tags, classes, also behind a tag, and commands."""
    said = tell("try", finished.shop + "/catalogue/page-1.html", "--repl", stdin="h1\n:names\n:nope\n:quit\n")
    for part in ("h1: 1 match", "'Catalogue'", ".price_color 20", "no command :nope"):
        assert part in said.output
    session = ReplSession(reading().parsed, lambda: [StyledLine("l")], lambda: [StyledLine("i")])
    assert session.complete("art") == ["article"]
    assert set(session.complete("span.pr")) == {f"span.{name}" for name in ("product", *CLASSES)}
    assert session.complete(":l") == [":links"]
    assert session.evaluate(":links") == [StyledLine("l")]
    assert session.evaluate("  ") == []
    assert session.evaluate(":q") is None
