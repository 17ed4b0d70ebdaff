"""The interactive session of `scrape try`, and what of a page reaches the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.config.reading.load import parse_config
from scraper.explain.pages.page_analysis import PageAnalysis, analyze_page
from scraper.explain.pages.page_request import UrlRules
from scraper.explain.pages.parsed_page import ParsedPage
from scraper.explain.pages.repl_session import ReplSession, StyledLine
from scraper.model import Body, Headers, Request, Response
from tests.explain.conftest import FinishedRun, RunCommand
from tests.explain.sample_pages import PRODUCT_CLASSES, PRODUCT_PAGE, api, html


def test_nothing_of_a_page_moves_the_cursor(run_command: RunCommand, tmp_path: Path) -> None:
    """Escape sequences in titles, texts, attributes and keys are not printed."""
    (tmp_path / "p.html").write_text(
        "<title>a\x1b]0;evil\x07b\x1b[2J</title><p class='x\x1b[31m'>t\x1b[5mt</p><a href='/\x1b[1m\u202e'>l</a>"
    )
    result = run_command(
        "try", "--file", str(tmp_path / "p.html"), "--css", "p", "--css", ".y", "--xpath", "//p[@class='x']"
    )
    assert "title         ab" in result.output
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output
    (tmp_path / "p.json").write_text(json.dumps({"a\x1b[2J": {"b": "\x1b[5m"}}))
    shown = run_command(
        "try", "--file", str(tmp_path / "p.json"), "--json", "*.b", "--json", "x", "--repl", stdin=":names\n"
    )
    assert "\x1b" not in shown.output
    assert "'a'" in shown.output or "a:" in shown.output or "it has: a" in shown.output


def session(surface: ParsedPage) -> ReplSession:
    return ReplSession(surface, lambda: [StyledLine("l")], lambda: [StyledLine("i")])


COMPLETED = {
    "tags": (html, "artic", ["article"]),
    "a class behind a tag": (html, "span.pri", ["span.price_color"]),
    "behind a combinator": (html, "article > h", ["article > h3", "article > html", "article > head"]),
    "an attribute": (html, "img@sr", ["img@src"]),
    "the kind": (html, "xp", ["xpath: "]),
    "xpath tags": (html, "xpath: //arti", ["xpath: //article"]),
    "xpath attributes": (html, "xpath: //article[@data", ["xpath: //article[@data-id"]),
    "xpath values": (html, "xpath: //h3[@class='product-t", ["xpath: //h3[@class='product-title"]),
    "keys": (api, "it", ["items"]),
    "keys of members": (api, "items[].na", ["items[].name"]),
    "keys further down": (api, "items[1].price.", ["items[1].price.amount"]),
    "keys with the kind": (api, "json: me", ["json: meta"]),
    "commands": (api, ":na", [":names"]),
}


@pytest.mark.parametrize("case", COMPLETED)
def test_names_are_completed(case: str) -> None:
    """Tab: what the page has that continues the line, by kind and place."""
    surface, line, expected = COMPLETED[case]
    assert session(surface()).complete(line) == expected


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab/@[]()'\"|:.*?=` 1>\\é\x00xpathjson", max_size=20))
def test_any_line_can_be_completed_and_answered(line: str) -> None:
    """Whatever stands on the line; what is proposed begins with it."""
    for surface in (html(), api()):
        talk = session(surface)
        assert all(isinstance(one, str) for one in talk.complete(line))
        talk.evaluate(line)


def test_the_session_takes_all_kinds() -> None:
    """`xpath:` and `json:` before an expression, JMESPath without on JSON pages, commands with a proposal."""
    talk, other = session(html()), session(api())
    assert talk.evaluate("xpath: //article/h3") == [
        StyledLine("//article/h3: 2 matches"),
        StyledLine("  'One'"),
        StyledLine("  'Two'"),
    ]
    assert other.evaluate("items[0].name") == [StyledLine("items[0].name: 1 match"), StyledLine("  'a'")]
    answer = talk.evaluate("xpath: //article[")
    assert answer is not None
    assert answer[0].style == "bad"
    nothing = talk.evaluate("h9")
    assert nothing is not None
    assert [line.style for line in nothing] == ["miss", "hint"]
    lost = talk.evaluate(":lnks")
    assert lost is not None
    assert lost[0] == StyledLine("no command :lnks; did you mean :links?", "bad")
    assert talk.evaluate(":is(h3, h4)") == [
        StyledLine(":is(h3, h4): 2 matches"),
        StyledLine("  'One'"),
        StyledLine("  'Two'"),
    ]


def reading() -> PageAnalysis:
    """The page above, read by a config without rules."""
    config = parse_config("seeds: [http://h.example/]")
    rules = UrlRules.from_config(config)
    body = Body(len(PRODUCT_PAGE), len(PRODUCT_PAGE), "", PRODUCT_PAGE.encode())
    return analyze_page(
        config, rules, Response(Request(rules.seeds[0]), 200, Headers([(b"content-type", b"text/html")]), body)
    )


def test_the_session_answers_and_completes(finished: FinishedRun, run_command: RunCommand) -> None:
    """Selectors are tried line by line; Tab completes tags, classes, also behind a tag, and commands."""
    result = run_command("try", finished.shop + "/catalogue/page-1.html", "--repl", stdin="h1\n:names\n:nope\n:quit\n")
    for part in ("h1: 1 match", "'Catalogue'", ".price_color 20", "no command :nope"):
        assert part in result.output
    session = ReplSession(reading().parsed, lambda: [StyledLine("l")], lambda: [StyledLine("i")])
    assert session.complete("art") == ["article"]
    assert set(session.complete("span.pr")) == {f"span.{name}" for name in ("product", *PRODUCT_CLASSES)}
    assert session.complete(":l") == [":links"]
    assert session.evaluate(":links") == [StyledLine("l")]
    assert session.evaluate("  ") == []
    assert session.evaluate(":q") is None
