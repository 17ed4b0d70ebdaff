"""The limit on the pages of one host."""

from __future__ import annotations

import math

import pytest

from scraper.model import ErrorKind, Outcome, RequestKind
from scraper.politeness.host_budget import PageBudget
from tests.politeness.outcomes import NOW, denied, failure, not_modified, page, request

PAGES: list[tuple[str, Outcome, bool]] = [
    ("200", page(200), True),
    ("304", not_modified(), True),
    ("404", page(404), True),
    ("redirect", page(301), False),
    ("429", page(429), False),
    ("503", page(503), False),
    ("time-out", failure(ErrorKind.TIMEOUT), False),
    ("denied", denied(), False),
]


@pytest.mark.parametrize(("outcome", "counts"), [row[1:] for row in PAGES], ids=[row[0] for row in PAGES])
def test_what_counts_as_a_page_of_the_host(outcome: Outcome, counts: bool) -> None:
    """Complete answers to requests for pages count; redirects, what is retried and robots.txt do not."""
    rule = PageBudget("h", None)
    rule.on_start(NOW)
    rule.on_finish(outcome, NOW)
    assert rule.pages == counts


@pytest.mark.parametrize("kind", ["file", "sitemap", "robots"])
def test_files_sitemaps_and_robots_txt_are_no_pages(kind: RequestKind) -> None:
    """The budget is for pages alone."""
    rule = PageBudget("h", 1)
    rule.on_finish(page(of=request(kind=kind)), NOW)
    assert not rule.used_up


def test_the_budget_is_never_overshot_and_failures_give_their_place_back() -> None:
    """Each request in flight reserves a page; when all became pages the budget is used up, with one event."""
    rule = PageBudget("h", 2)
    rule.on_start(NOW)
    assert rule.ready_at() <= NOW
    rule.on_start(NOW)
    assert (rule.ready_at(), rule.used_up) == (math.inf, False)
    assert rule.on_finish(failure(), NOW) == ()
    assert rule.ready_at() <= NOW
    assert rule.on_finish(page(), NOW) == ()
    rule.on_start(NOW)
    (event,) = rule.on_finish(page(), NOW)
    assert (event.until, event.why) == (math.inf, "max_pages_per_host: 2 of 2 pages fetched")
    assert (rule.ready_at(), rule.used_up) == (math.inf, True)
