"""docs/politeness.md says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from scraper.politeness import circuit_breaker as breaker
from scraper.politeness import host_gate as gate
from scraper.politeness import retry, retry_after, throttle
from scraper.politeness import robots_cache as robots
from scraper.politeness import robots_parser as robots_rules
from scraper.politeness.rule import span
from tests.politeness.outcomes import NOW, page

TEXT = " ".join((Path(__file__).parents[2] / "docs" / "politeness.md").read_text("utf-8").split())
GATE, BREAKER, RETRY = gate.GateSettings(), breaker.BreakerSettings(), retry.RetrySettings()

SAID = [
    f"| starts per second and host | {GATE.rate:g} |",
    f"| requests at once per host | {GATE.concurrency} |",
    f"Up to **{throttle.TOLERANCE:g} times** the usual, and always below **{span(throttle.CALM)}**",
    f"at most **{span(throttle.MAX_DELAY)}**",
    f"plus up to {retry_after.JITTER:.0%}".replace("%", " %"),
    f"`politeness.max_retry_after` (**{span(GATE.max_retry_after)}**)",
    f"cost **{span(retry_after.FIRST_WAIT)}**",
    f"up to **{span(retry_after.LONGEST_WAIT)}** and forgiven after **{span(retry_after.QUIET)}**",
    f"| {RETRY.retries} (`limits.retries`) |",
    f"says when | {RETRY.slowdowns}, counted separately |",
    f"zero and {span(RETRY.base)}, 2 s, 4 s, ... (at most {span(RETRY.cap)})",
    f"| {BREAKER.failures} | `failures` |",
    f"| {BREAKER.ratio} | `ratio` |",
    f"| {BREAKER.window} | `window` |",
    f"| {span(BREAKER.open)} | `open` |",
    f"| {span(BREAKER.max_open)} | `max_open` |",
    f"it opens again | {BREAKER.successes} |",
    f"so many openings | {BREAKER.give_up} |",
    f"without one success | {BREAKER.refusals} |",
    f"(the first {robots_rules.MAX_BYTES // 1024} KiB)",
    f"within {span(robots.SHORTEST_LIFE)} and {span(robots.LONGEST_LIFE)}; else {span(robots.LONGEST_LIFE)}",
    f"401 and 403) | {span(robots.ERROR_LIFE)} |",
    "{}, {}, {}, then {} |".format(*map(span, robots.AGAIN_AFTER)),
    f"at most {robots.OLDEST_COPY / 86400:g} days",
    f"`robots.max_crawl_delay` (**{span(GATE.max_crawl_delay)}**)",
]


@pytest.mark.parametrize("sentence", SAID)
def test_every_number_in_the_page_is_the_code_s(sentence: str) -> None:
    """A default that changes must change in the page too."""
    assert sentence in TEXT


def test_the_example_that_surprises_is_true() -> None:
    """The robots.txt shown there closes the site to everybody."""
    start = TEXT.index("``` User-agent") + 4
    words = TEXT[start : TEXT.index("```", start)].replace(" User-", "\nUser-").replace(" Crawl", "\nCrawl")
    text = words.replace(" Disallow", "\nDisallow").encode()
    entry = robots.RobotsEntry.from_outcome(page(content=text), NOW, robots.RobotsSettings("AnyBot"))
    assert entry.judge("/x").decision == "deny"
