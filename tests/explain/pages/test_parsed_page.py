"""One response in the forms that expressions need."""

from __future__ import annotations

import pytest

from scraper.explain.pages.parsed_page import NO_JSON, ParsedPage
from tests.explain.sample_pages import api, html, page

KINDS = {
    "html": ("<p>x</p>", "text/html", "HTML"),
    "json": ("[1]", "application/json", "JSON"),
    "text": ("x", "text/plain", "text"),
    "binary": ("x", "image/png", "of another kind"),
}


@pytest.mark.parametrize("case", KINDS)
def test_the_content_type_decides_the_kind(case: str) -> None:
    """HTML has a document, JSON a value, and everything has a text."""
    text, content_type, kind = KINDS[case]
    parsed = ParsedPage(page(text, content_type))
    assert parsed.kind == kind
    assert (parsed.document is not None) == (kind == "HTML")
    assert (parsed.json_value is not NO_JSON) == (kind == "JSON")
    assert parsed.problem is None


def test_null_is_a_json_value() -> None:
    """A page whose JSON is null is not taken for one without JSON."""
    assert ParsedPage(page("null", "application/json")).json_value is None


def test_invalid_json_is_a_problem_and_no_error() -> None:
    """The page has no value, and the problem says why."""
    parsed = ParsedPage(page("{", "application/json"))
    assert parsed.json_value is NO_JSON
    assert parsed.problem is not None
    assert parsed.problem.startswith("declared as JSON, but cannot be parsed")


def test_the_root_is_what_expressions_are_evaluated_on() -> None:
    """The root element of HTML, the value of JSON, the text of anything else."""
    assert html().root.tag == "html"
    assert api().root["meta"] == {"next": None}
    assert ParsedPage(page("plain", "text/plain")).root == "plain"
