"""Crawl-delay: the pause that a robots.txt asks for."""

from __future__ import annotations

import math

import pytest

from scraper.politeness.crawl_delay import CrawlDelay
from tests.politeness.outcomes import NOW, page


def test_crawl_delay_counts_from_the_start_that_learned_of_it() -> None:
    """The request for robots.txt itself is the first start; the next is a delay later, and alone."""
    rule = CrawlDelay("h", 30, "slow")
    rule.on_start(NOW)
    rule.set_delay(7, NOW + 1)
    assert rule.ready_at() == math.inf
    rule.on_finish(page(), NOW + 2)
    assert rule.ready_at() == NOW + 7


@pytest.mark.parametrize("asked", [None, 0, -1, math.nan, math.inf], ids=str)
def test_a_crawl_delay_that_is_none_objects_to_nothing(asked: float | None) -> None:
    """Nothing, zero and what is no sane number take the rule away."""
    rule = CrawlDelay("h", 30, "slow")
    rule.set_delay(5, NOW)
    rule.on_start(NOW)
    assert rule.set_delay(asked, NOW) == ()
    assert rule.ready_at() == 0


def test_a_long_crawl_delay_is_obeyed_in_full_by_default() -> None:
    """`slow` never goes faster than the site asked for."""
    rule = CrawlDelay("h", 30, "slow")
    rule.set_delay(600, NOW)
    rule.on_start(NOW)
    rule.on_finish(page(), NOW + 1)
    assert (rule.ready_at(), rule.skips_host) == (NOW + 600, False)


def test_a_long_crawl_delay_ends_the_host_when_asked_to_skip() -> None:
    """`skip` closes the host for good and says so once."""
    rule = CrawlDelay("h", 30, "skip")
    assert rule.set_delay(30, NOW) == ()
    (event,) = rule.set_delay(31, NOW)
    assert (event.until, rule.skips_host, rule.ready_at()) == (math.inf, True, math.inf)
    assert "more than max_crawl_delay" in event.why
    assert rule.set_delay(31, NOW) == ()
