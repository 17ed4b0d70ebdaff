"""Rules for the JSON of an API."""

from __future__ import annotations

import pytest

from scraper.explain.scaffold.json_rules import cursor_without_parameter, draft_json_rules
from scraper.model import Headers
from tests.explain.scaffold.proposals import address

ITEMS = [{"id": n, "name": f"n{n}"} for n in range(5)]
NEXT: dict[str, tuple[str, dict[str, object], object, str]] = {
    "a URL": ("/l", {"next": "/l?after=5"}, {"json": "next"}, "/l?after=5"),
    "a URL in links": ("/l", {"links": {"next": {"href": "/m"}}}, {"json": "links.next.href"}, "/m"),
    "a cursor": (
        "/l?pageToken=a",
        {"nextPageToken": "b"},
        {"cursor": "nextPageToken", "param": "pageToken"},
        "/l?pageToken=b",
    ),
    "a page number": ("/l?page=3", {}, {"page": "page"}, "/l?page=4"),
    "an offset": ("/l?limit=10&offset=20", {}, {"offset": "offset", "step": 10}, "/l?limit=10&offset=30"),
}


@pytest.mark.parametrize("case", NEXT)
def test_the_next_page_is_found(case: str) -> None:
    """By a URL or cursor in the response, else by a number in the request's URL."""
    target, extra, value, following = NEXT[case]
    _, guesses = draft_json_rules({"items": ITEMS, **extra}, address(f"https://api.example{target}"), Headers())
    assert [(guess.value, guess.target) for guess in guesses] == [(value, f"https://api.example{following}")]


def test_the_list_with_most_values_is_the_best() -> None:
    """Each draft names a list by its path."""
    value = {"tags": [{"t": "a"}] * 3, "data": {"items": ITEMS}}
    drafts, _ = draft_json_rules(value, address("https://api.example/l"), Headers())
    assert drafts[0].title == "each: data.items"


def test_one_object_is_one_item() -> None:
    """A page without lists gives its own fields."""
    drafts, _ = draft_json_rules({"id": 1, "name": "a"}, address("https://api.example/1"), Headers())
    assert [draft.title for draft in drafts] == ["the object"]


def test_a_cursor_without_a_parameter_is_reported() -> None:
    """With the likely name of the parameter."""
    url = address("https://api.example/l")
    assert cursor_without_parameter({"next_cursor": "abc"}, url) == ("next_cursor", "cursor")
    assert cursor_without_parameter({"id": 1}, url) is None
