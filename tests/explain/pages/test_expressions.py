"""Expressions in `scrape try`: CSS, XPath, JMESPath, regexes: what they find, near misses, what is wrong with them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.explain.pages.expressions import ExpressionKind, check_expression, probe_expression, syntax_problem
from scraper.explain.pages.parsed_page import ParsedPage
from tests.explain.conftest import RunCommand
from tests.explain.sample_pages import API, api, html

FOUND: dict[str, tuple[Callable[[], ParsedPage], ExpressionKind, str, int, str]] = {
    "css": (html, "css", "h3", 2, "One"),
    "css with an attribute": (html, "css", "img@src", 1, "a.png"),
    "xpath elements": (html, "xpath", "//article/h3", 2, "One"),
    "xpath attributes": (html, "xpath", "//img/@src", 1, "a.png"),
    "xpath text": (html, "xpath", "//td//text()", 1, "3"),
    "xpath number": (html, "xpath", "count(//article)", 1, "2.0"),
    "xpath with regex": (html, "xpath", "//article[re:test(@class, 'b.g')]/h3", 1, "One"),
    "json value": (api, "json", "items[0].name", 1, "a"),
    "json list": (api, "json", "items[].id", 2, "1"),
    "json object": (api, "json", "items[1].price", 1, '{"amount":3}'),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_is_found_is_counted_and_shown(case: str) -> None:
    """Each kind of expression: how many matches, the first values."""
    surface, kind, text, count, first = FOUND[case]
    found = probe_expression(surface(), kind, text)
    assert (found.count, found.values[0], found.hints, found.problem) == (count, first, (), None)


WRONG: dict[str, tuple[ExpressionKind, str, str]] = {
    "css": ("css", "div > > p", "not a CSS selector: invalid from column 4, ' > > p'"),
    "css with an attribute": ("css", "a..b@src", "from column 2, '..b@src'"),
    "css at once": ("css", "[", "from column 1, '['"),
    "xpath": ("xpath", "//a b", "not an XPath expression: invalid expression at column 5, 'b'"),
    "xpath that ends": ("xpath", "//div[@class=", "invalid expression at its end"),
    "xpath with a control character": ("xpath", "//a\x01", "not an XPath expression"),
    "json": ("json", "a..b", "not JMESPath: column 3, '.b', cannot stand there"),
    "json that ends": ("json", "items[", "it ends too early"),
    "json as in other tools": ("json", "$.items", "JMESPath has no $ and no leading dot: items[].name"),
    "nothing": ("css", " ", "is empty; expected a CSS selector"),
    "too long": ("json", "a" * 1_001, "has 1,001 characters, at most 1,000 are tried"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_expression_is_reported_with_its_column(run_command: RunCommand, case: str) -> None:
    """Exit 2 before anything is requested: what is wrong, and where."""
    kind, text, says = WRONG[case]
    result = run_command("try", "http://nobody.invalid/", f"--{kind}", text)
    assert result.exit_code == 2
    assert says in result.output, result.output


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["css", "xpath", "json"]), st.text(alphabet="ab/@[]()'\"|:.*?=` 1>\\é\x00", max_size=25))
def test_whatever_is_typed_is_answered(kind: ExpressionKind, text: str) -> None:
    """Matches, hints, or what is wrong with it; never an exception."""
    for surface in (html(), api()):
        found = probe_expression(surface, kind, text)
        assert found.count or found.hints or found.problem is not None


def test_other_kinds_of_page_are_reported(run_command: RunCommand, tmp_path: Path) -> None:
    """CSS on JSON and JMESPath on HTML: which option reads what."""
    (tmp_path / "p.json").write_text(json.dumps(API))
    result = run_command(
        "try", "--file", str(tmp_path / "p.json"), "--css", "h1", "--json", "items[].id", "--xpath", "//a"
    )
    assert result.exit_code == 0
    assert "h1: this page is JSON; --css and --xpath read HTML" in result.output
    assert "items[].id: 2 matches" in result.output
    assert probe_expression(html(), "json", "a").problem == "a: this page is HTML; --json reads JSON"


@pytest.mark.parametrize(("kind", "module"), [("xpath", "lxml"), ("json", "jmespath")])
def test_a_library_that_is_not_there(
    run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, kind: ExpressionKind, module: str
) -> None:
    """Exit 2 and the command that installs it; in the session a line."""
    monkeypatch.setitem(sys.modules, module, None)
    result = run_command("try", "http://nobody.invalid/", f"--{kind}", "a")
    assert (result.exit_code, f"--{kind} needs an optional part: pip install 'scraper[{kind}]'" in result.output) == (
        2,
        True,
    )
    assert f"scraper[{kind}]" in (probe_expression(html(), kind, "a").problem or "")


def test_right_expressions_pass() -> None:
    """Nothing is said about what is right."""
    assert syntax_problem("css", "a > b@href") is None
    check_expression("xpath", "//a[@b='c']/text()")
    check_expression("json", "a[?b=='c'] | [0]")
