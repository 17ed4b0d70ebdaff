"""Expressions in `scrape try`: CSS, XPath, JMESPath, regexes: what they find, near misses, what is wrong with them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.config.reading.load import parse_config
from scraper.errors import ConfigError
from scraper.explain.pages.expressions import ExpressionKind, check_expression, probe_expression, syntax_problem
from scraper.explain.pages.jmespath_misses import jmespath_misses
from scraper.explain.pages.parsed_page import ParsedPage
from scraper.explain.pages.regex_misses import regex_misses
from tests.explain.conftest import RunCommand
from tests.explain.sample_pages import ANY_JSON, API, api, html

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


MISSES: dict[str, tuple[ExpressionKind, str, str]] = {
    "a typo in a name": ("xpath", "//artcle/h3", "no 'artcle' on this page; there is: article 2x"),
    "names that look alike": ("xpath", "//artcle/h3", "similar: article"),
    "how far it gets": ("xpath", "//article/h2", "'//article' is there 2x"),
    "its children": ("xpath", "//article/h2", "no 'h2' directly in it; there is: h3 2x, span 1x, img 1x, a 1x"),
    "a level too few": ("xpath", "//table/tr", "no 'tr' directly in it; there is: tbody 1x"),
    "no such attribute": ("xpath", "//img/@scr", "none has the attribute 'scr'; there is: src 1x; similar: src"),
    "an attribute's value": ("xpath", "//article[@class='prodct']", "their 'class' is: 'product big' 1x, 'product' 1x"),
    "a value that looks alike": ("xpath", "//article[@class='prodct']", "similar: 'product'"),
    "a condition on no attribute": ("xpath", "//article[@id='x']",
        "none of them has the attribute 'id'; there is: class 2x"),
    "the second condition": ("xpath", "//article[h3][h4]/h3", "'//article[h3]' is there 2x, but none meets [h4]"),
    "a text": ("xpath", "//th[text()='Weight']/following-sibling::td", "their text is: 'Size' 1x"),
    "text further down": ("xpath", "//td/text()", "there is no text directly in it; it is in: b 1x"),
    "a sibling": ("xpath", "//th/following-sibling::dd", "no 'dd' on its following-sibling::; there is: td 1x"),
    "capital letters": ("xpath", "//ARTICLE", "similar: article"),
    "from the top": ("xpath", "/body/div", "no 'body' at the top; there is: html 1x"),
    "inside a function": ("xpath", "string(//h9)", "no 'h9' on this page"),
    "a union": ("xpath", "//h8 | //h9", "no 'h9' on this page"),
    "too high a number": ("xpath", "//article[7]", "'//article' is there 2x, but none meets [7]"),
    "a key": ("json", "itmes[].name", "the page has no 'itmes'; it has: items, meta, none; similar: items"),
    "a key of the members": ("json", "items[].nmae", "items[] has no 'nmae'; it has: id, name, price; similar: name"),
    "a key further down": ("json", "items[].price.amuont",
        "items[].price has no 'amuont'; it has: amount; similar: amount"),
    "a list as an object": ("json", "items.name", "items is a list of 2: items[].name looks in its members"),
    "an object as a list": ("json", "meta[0]", "meta is an object, not a list"),
    "an index": ("json", "items[9].id", "items has 2 members, there is no [9]"),
    "null": ("json", "meta.next", "meta has 'next', but it is null"),
    "an empty list": ("json", "none[].x", "none is an empty list"),
    "a filter": ("json", "items[?id==`7`].name",
        "the filter holds for none of the 2 members of items; there it is: 1, 2"),
    "a filter on no key": ("json", "items[?idd==`1`]", "a member has no 'idd'; it has: id, name, price; similar: id"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISSES)
def test_what_is_not_found_gets_near_misses(case: str) -> None:
    """The step or key that fails first, what there is in its place, and what looks like it."""
    kind, text, says = MISSES[case]
    found = probe_expression(html() if kind == "xpath" else api(), kind, text)
    assert (found.count, found.problem) == (0, None)
    assert any(says in hint for hint in found.hints), found.hints


REGEXES = {
    "how far it gets": (r"price: (\d+) EUR", "finds 'price: 12 ', but then 'EUR' does not fit what follows: 'USD"),
    "its first letters": (r"prize\((\d+)\)", "'pri' finds 'pri', but then 'ze\\((\\d+)\\)' does not fit"),
    "other letters": (r"PRICE", "it matches when case is ignored: 'price'"),
    "nothing": (r"\d{9}", "no prefix of it matches; the text begins: 'var price"),
}  # fmt: skip


@pytest.mark.parametrize("case", REGEXES)
def test_a_regex_that_is_not_found(case: str) -> None:
    """Its longest beginning that is there, and what stands behind it."""
    pattern, says = REGEXES[case]
    hints = regex_misses(["var price: 12 USD;"], pattern)
    assert any(says in hint for hint in hints), hints


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
def test_a_wrong_expression_is_told_with_its_column(tell: RunCommand, case: str) -> None:
    """Exit 2 before anything is asked for: what is wrong, and where."""
    kind, text, says = WRONG[case]
    said = tell("try", "http://nobody.invalid/", f"--{kind}", text)
    assert said.exit_code == 2
    assert says in said.output, said.output


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["css", "xpath", "json"]), st.text(alphabet="ab/@[]()'\"|:.*?=` 1>\\é\x00", max_size=25))
def test_whatever_is_typed_is_answered(kind: ExpressionKind, text: str) -> None:
    """Matches, hints, or what is wrong with it; never an exception."""
    for surface in (html(), api()):
        found = probe_expression(surface, kind, text)
        assert found.count or found.hints or found.problem is not None


@pytest.mark.filterwarnings("ignore::FutureWarning")
@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab(.*+?)[]{}1,^$|\\", max_size=12), st.text(alphabet="abc1,", max_size=30))
def test_any_regex_gets_an_answer(pattern: str, text: str) -> None:
    """Near misses of whatever compiles: at most a sentence or two."""
    config = f"seeds: ['http://h.example/']\nextract: [{{fields: {{a: {{regex: {json.dumps(pattern)}}}}}}}]"
    try:
        parse_config(config)
    except ConfigError:
        return
    assert len(regex_misses([text], pattern)) <= 2


@given(ANY_JSON)
def test_near_misses_in_any_json(value: object) -> None:
    """Whatever the page holds, an expression that finds nothing has an answer."""
    for text in ("a.b[0]", "a[].b", "*.a", "[?a=='x'].b", "a[?b].c | [0]", "length(a)", "{x: a}", "[a, b]", "@.a"):
        assert jmespath_misses(value, text)


def test_other_kinds_of_page_are_told(tell: RunCommand, tmp_path: Path) -> None:
    """CSS on JSON and JMESPath on HTML: which option reads what."""
    (tmp_path / "p.json").write_text(json.dumps(API))
    said = tell("try", "--file", str(tmp_path / "p.json"), "--css", "h1", "--json", "items[].id", "--xpath", "//a")
    assert said.exit_code == 0
    assert "h1: this page is JSON; --css and --xpath read HTML" in said.output
    assert "items[].id: 2 matches" in said.output
    assert probe_expression(html(), "json", "a").problem == "a: this page is HTML; --json reads JSON"


@pytest.mark.parametrize(("kind", "module"), [("xpath", "lxml"), ("json", "jmespath")])
def test_a_library_that_is_not_there(
    tell: RunCommand, monkeypatch: pytest.MonkeyPatch, kind: ExpressionKind, module: str
) -> None:
    """Exit 2 and the command that installs it; in the session a line."""
    monkeypatch.setitem(sys.modules, module, None)
    said = tell("try", "http://nobody.invalid/", f"--{kind}", "a")
    assert (said.exit_code, f"--{kind} needs an optional part: pip install 'scraper[{kind}]'" in said.output) == (
        2,
        True,
    )
    assert f"scraper[{kind}]" in (probe_expression(html(), kind, "a").problem or "")


def test_right_expressions_pass() -> None:
    """Nothing is said about what is right."""
    assert syntax_problem("css", "a > b@href") is None
    check_expression("xpath", "//a[@b='c']/text()")
    check_expression("json", "a[?b=='c'] | [0]")
