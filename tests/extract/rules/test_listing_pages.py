"""Lists that are counted by number end where nothing new comes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scraper.extract.page_extractor import ExtractSettings, PageExtractor
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.json_pointer import JsonPointer
from scraper.extract.rules.listing_pages import FIRST_DIGESTS, LATEST_DIGESTS, add_digest
from scraper.extract.rules.next_page import NextSettings
from scraper.extract.rules.rule import RuleSettings
from scraper.model import Content, Extraction, Request
from scraper.urls.scope import Scope, ScopeSettings
from tests.extract.rules.shop_page import page_of, url_of

LIST = "http://shop.example/list?p=1"
MAX_FETCHED = 12


def rows(first: int, extra: str = "") -> str:
    return (
        "<ul>" + "".join(f"<li data-r={extra}><b>Item {n}</b></li>" for n in range(first, first + 3)) + f"</ul>{extra}"
    )


def crawl(site: Any, rule: RuleSettings, start: Request | None = None) -> list[Extraction]:
    """What is found on each page of a list, as far as `next` leads; `site` gives the page of a number."""
    extractor = PageExtractor(ExtractSettings(Scope(ScopeSettings(), [url_of(LIST)]), (rule,)))
    request, found = start or Request(url_of(LIST)), list[Extraction]()
    while len(found) < MAX_FETCHED:
        page = replace(page_of(site(len(found) + 1)), request=request)
        found.append(extractor.extract(page))
        if not found[-1].requests:
            break
        request = found[-1].requests[0]
    return found


NAME = FieldSettings("n", css="b")
COUNTED = RuleSettings(each="li", fields=(NAME,), next=NextSettings(page="p"))


@pytest.mark.parametrize(
    "site",
    [
        lambda n: rows(min(n, 3) * 10),
        lambda n: rows(min(n, 3) * 10, f"page {n}"),
        lambda n: rows((n if n <= 3 else 1) * 10),
        lambda n: rows((n if n <= 3 else 2 + n % 2) * 10),
    ],
    ids=["last_again", "last_again_other_bytes", "first_again", "two_in_turn"],
)
def test_a_list_ends_where_a_page_repeats_an_earlier_one(site: Any) -> None:
    """The same items as on a page before end the list, and the page's record says so."""
    found = crawl(site, COUNTED)
    assert len(found) == 4
    assert [bool(one.problem) for one in found] == [False, False, False, True]
    assert "repeats" in (found[-1].problem or "")


@pytest.mark.parametrize(
    "rule",
    [
        COUNTED,
        replace(COUNTED, fields=()),
        replace(COUNTED, fields=(FieldSettings("kind", css="i"),)),
        replace(COUNTED, next=NextSettings(offset="p", step=3)),
        RuleSettings(fields=(FieldSettings("t", css="h1"),), next=NextSettings(page="p")),
    ],
    ids=["items", "no_fields", "fields_without_values", "offset", "one_item_a_page"],
)
def test_a_list_goes_on_while_something_is_new(rule: RuleSettings) -> None:
    """Equal fields alone end nothing: the items' own text has to be the same, too."""
    assert len(crawl(lambda n: f"<h1>List</h1>{rows(n * 10)}", rule)) == MAX_FETCHED


def test_it_goes_on_if_the_config_says_so() -> None:
    """`stop_on_repeat: false` counts on while pages have items."""
    rule = replace(COUNTED, next=NextSettings(page="p", stop_on_repeat=False))
    assert len(crawl(lambda _: rows(1), rule)) == MAX_FETCHED


def test_lists_that_are_asked_for_by_post_end_too() -> None:
    """The number is in the posted JSON, and the pages are compared in the same way."""
    rule = replace(COUNTED, next=NextSettings(page=JsonPointer("/page")))
    start = Request(url_of(LIST), content=Content(b'{"page":1}', "application/json"))
    assert len(crawl(lambda n: rows(min(n, 2)), rule, start)) == 3


def test_what_a_request_carries_is_bounded() -> None:
    """The first pages and the latest are kept, each once."""
    earlier: tuple[str, ...] = ()
    for number in range(100):
        earlier = add_digest(add_digest(earlier, str(number)), str(number))
    assert earlier == (*map(str, range(FIRST_DIGESTS)), *map(str, range(100 - LATEST_DIGESTS, 100)))
