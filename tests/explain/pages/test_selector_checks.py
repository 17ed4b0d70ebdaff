"""`scrape try` with a config: how each expression of its rules fares on a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.config.reading.load import parse_config
from scraper.explain.pages.page_analysis import analyze_page
from scraper.explain.pages.page_request import UrlRules, read_stored_page
from scraper.explain.pages.selector_checks import SelectorCheck
from scraper.model import Response
from tests.explain.conftest import RunCommand
from tests.explain.sample_pages import ANY_JSON, API, PAGE, page


def checks(rules: str, surface: Response | None = None) -> dict[str, SelectorCheck]:
    """How the expressions of a config's rules fare, by their places."""
    config = parse_config(f"seeds: [http://h.example/]\nextract:\n{rules}")
    reading = analyze_page(config, UrlRules.from_config(config), surface or page())
    return {check.config_path: check for check in reading.selector_checks}


RULES: dict[str, tuple[str, str, str]] = {
    "each": ("{each: article.produkt, fields: {a: h3}}", "each", "the page has .product"),
    "each by xpath": ("{each: {xpath: //article/h2}, fields: {a: b}}", "each", "no 'h2' directly in it"),
    "inside each": ("{each: article, fields: {a: table}}", "fields.a", "1x on the page, but not inside"),
    "xpath inside each": ("{each: article, fields: {a: {xpath: ./h4}}}",
        "fields.a", "no 'h4' directly in it; there is: h3"),
    "an attribute": ("{fields: {a: {css: img, attr: srcset}}}", "fields.a", "they have: src"),
    "JSON in an element": ("{fields: {a: {css: 'script#s', json: page.stok}}}", "fields.a.json", "similar: stock"),
    "a regex behind a source": ("{fields: {a: {css: .price_color, regex: 'USD (.+)'}}}",
        "fields.a.regex", "begins: 'EUR 1.00'"),
    "a regex alone": ("{fields: {a: {regex: 'sku = (\\d+)'}}}", "fields.a", "'sku = ' finds"),
    "structured": ("{fields: {a: {structured: product}}}", "fields.a", "the page has book"),
    "a part of structured": ("{fields: {a: {structured: book, json: nmae}}}", "fields.a.json", "similar: name"),
    "a table that is none": ("{fields: {a: {css: h3, table: rows}}}", "fields.a", "it matches a <h3>, not a table"),
    "an object's field": ("{fields: {o: {css: article, fields: {p: .prize}}}}",
        "fields.o.p", "no '.prize' on this page"),
    "when": ("{when: .prize_color, fields: {a: h3}}", "when[0]", "the page has .price_color"),
    "follow": ("{each: article, fields: {a: h3}, follow: h4 a}", "follow[0]", "no 'h4' on this page"),
    "what follow matches": ("{follow: {css: a, match: /y}}",
        "follow[0].match", "none of the addresses, which begin: http"),
    "next": ("{fields: {a: h3}, next: li.next a}", "next", "normal on the last page"),
    "next by xpath": ('{fields: {a: h3}, next: {xpath: "//a[@class=\'nxt\']"}}', "next", "similar: 'next'"),
    "next by rel": ("{fields: {a: h3}, next: {rel: true}}", "next", "normal on the last page"),
}  # fmt: skip


@pytest.mark.parametrize("case", RULES)
def test_every_expression_of_a_rule_is_checked(case: str) -> None:
    """What finds nothing is named by its key, with near misses."""
    rule, where, says = RULES[case]
    check = checks(f"  - {rule}")[f"extract[0].{where}"]
    assert check.count == 0
    assert any(says in hint for hint in check.hints), check.hints


def test_what_is_found_is_counted_by_places() -> None:
    """With each: in how many places; a value behind steps: in how many of those that had the step before."""
    found = checks(
        "  - each: article\n    fields:\n      title: h3\n      price: {css: .price_color, regex: '[0-9]+'}\n"
        "    follow: a\n    next: a.next\n"
    )
    counts = {where.removeprefix("extract[0]."): (check.count, check.searched) for where, check in found.items()}
    assert counts == {
        "each": (2, None), "fields.title": (2, 2), "fields.price": (1, 2), "fields.price.regex": (1, 1),
        "follow[0]": (1, 2), "next": (1, None),
    }  # fmt: skip


SOUP = [
    "<article>",
    "</article>",
    "<h3>",
    "<a href='/x'>",
    "<table><tr><td>",
    "<script id=s>",
    "{",
    "</script>",
    "<b",
    ">",
    "\0",
]
EVERYTHING = (
    "".join(f"  - {rule}\n" for rule, _, _ in RULES.values())
    + "  - {fields: {a: {regex: b}}}\n  - {each: {json: items}, fields: {a: {json: b}}, next: {json: c}}\n"
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(SOUP) | st.text(max_size=4), max_size=20), st.sampled_from(["text/html", "text/plain"]))
def test_rules_are_checked_on_whatever_comes(pieces: list[str], kind: str) -> None:
    """Broken markup, empty pages, texts: every rule is checked or idle, nothing is raised."""
    found = checks(EVERYTHING, page("".join(pieces), kind))
    assert all(check.count or check.hints for check in found.values())


@settings(max_examples=60, deadline=None)
@given(ANY_JSON)
def test_rules_are_checked_on_any_json(value: object) -> None:
    """JSON of any shape."""
    rules = (
        "  - {each: {json: a}, fields: {x: {json: b}, y: {json: 'c[]', many: true}}, next: {cursor: a.b, param: c}}\n"
        "  - {fields: {o: {json: a, fields: {x: {json: b}}}, l: {each: {json: b}, fields: {z: {json: a}}}}}\n"
        "  - {fields: {r: {regex: a}}}\n"
    )
    found = checks(rules, page(json.dumps(value), "application/json"))
    assert all(check.count or check.hints for check in found.values())


API_RULES: dict[str, tuple[str, str, str]] = {
    "each": ("{each: {json: itmes}, fields: {a: {json: id}}}", "each", "similar: items"),
    "a field": ("{each: {json: items}, fields: {a: {json: nmae}}}", "fields.a", "similar: name"),
    "next": ("{each: {json: items}, fields: {a: {json: id}}, next: {json: meta.nxt}}", "next", "similar: next"),
    "a cursor": ("{fields: {a: {json: items}}, next: {cursor: meta.next, param: c}}", "next", "but it is null"),
}


@pytest.mark.parametrize("case", API_RULES)
def test_rules_for_json_are_checked(case: str) -> None:
    """Keys that are missing, with those that look like them."""
    rule, where, says = API_RULES[case]
    check = checks(f"  - {rule}", page(json.dumps(API), "application/json"))[f"extract[0].{where}"]
    assert check.count == 0
    assert any(says in hint for hint in check.hints), check.hints


def test_rules_for_other_pages_are_idle(run_command: RunCommand, tmp_path: Path) -> None:
    """By URL, by label, by the kind of page; --label reads the page as one that a follow led to."""
    (tmp_path / "p.html").write_text(PAGE)
    (tmp_path / "c.yaml").write_text(
        "seeds: [http://h.example/]\nextract:\n"
        "  - {match: /nowhere, fields: {a: h3}}\n  - {label: book, fields: {t: h3}}\n"
        "  - {each: {json: items}, fields: {a: {json: b}}}\n  - {follow: {css: a, label: book}}\n"
    )
    call = ["try", "http://h.example/", "--file", str(tmp_path / "p.html"), "-c", str(tmp_path / "c.yaml")]
    result = run_command(*call)
    assert "extract[0]: match '/nowhere' is not in the URL" in result.output
    assert "extract[1]: only for pages that a follow with the label 'book' leads to" in result.output
    assert "extract[2]: it reads JSON, this page is HTML" in result.output
    assert "fetch by follow and next with the label book" in result.output
    labelled = run_command(*call, "--label", "book")
    assert "extract[1].fields.t: 'h3' finds 2" in labelled.output
    assert "    t: One" in labelled.output


def test_a_huge_list_is_checked_in_bounds(tmp_path: Path) -> None:
    """A hundred thousand blocks: as many as are read are looked into."""
    path = tmp_path / "p.html"
    path.write_text("<body>" + "<li><b>x</b></li>" * 100_000)
    found = checks("  - {each: li, fields: {a: i, x: {xpath: ./u}}}", read_stored_page(path, page().request.url))
    assert found["extract[0].each"].count == 100_000
    assert (found["extract[0].fields.x"].count, found["extract[0].fields.x"].searched) == (0, 1_000)
