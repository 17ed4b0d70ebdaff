"""docs/politeness.md says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from scraper.politeness import circuit_breaker as breaker
from scraper.politeness import host_gate as gate
from scraper.politeness import retry, retry_after, throttle
from scraper.politeness import robots_cache as robots
from scraper.politeness import robots_parser as robots_rules
from scraper.politeness.rule import format_duration as text
from tests.politeness.outcomes import NOW, page

TEXT = " ".join((Path(__file__).parents[2] / "docs" / "politeness.md").read_text("utf-8").split())
GATE, BREAKER, RETRY = gate.GateSettings(), breaker.BreakerSettings(), retry.RetrySettings()

CALM = text(throttle.CALM_LATENCY_SECONDS)
MAX_BACKOFF = text(retry_after.MAX_BACKOFF_SECONDS)
LIFETIME = (text(robots.MIN_LIFETIME_SECONDS), text(robots.MAX_LIFETIME_SECONDS))

SAID = [
    f"| starts per second and host | {GATE.rate:g} |",
    f"| requests at once per host | {GATE.concurrency} |",
    f"Up to **{throttle.LATENCY_TOLERANCE:g} times** the usual, and always below **{CALM}**",
    f"at most **{text(throttle.MAX_DELAY_SECONDS)}**",
    f"plus up to {retry_after.RETRY_AFTER_JITTER:.0%}".replace("%", " %"),
    f"`politeness.max_retry_after` (**{text(GATE.max_retry_after)}**)",
    f"a wait of **{text(retry_after.FIRST_BACKOFF_SECONDS)}**",
    f"up to **{MAX_BACKOFF}**, and reset after **{text(retry_after.INCIDENT_MEMORY_SECONDS)}**",
    f"| {RETRY.retries} (`limits.retries`) |",
    f"with Retry-After | {RETRY.slowdowns}, counted separately |",
    f"between half and all of {text(RETRY.base_delay)}, 2 s, 4 s, ... (at most {text(RETRY.max_delay)})",
    f"| {BREAKER.failures} | `failures` |",
    f"| {BREAKER.ratio} | `ratio` |",
    f"| {BREAKER.window} | `window` |",
    f"| {text(BREAKER.open)} | `open` |",
    f"| {text(BREAKER.max_open)} | `max_open` |",
    f"it opens again | {BREAKER.successes} |",
    f"so many openings | {BREAKER.give_up} | `give_up` |",
    f"without one success | {BREAKER.refusals} | `refusals`",
    f"{text(breaker.LAST_CHANCE_PAUSE)} apart | {BREAKER.last_chances} | `last_chances` |",
    f"(the first {robots_rules.MAX_ROBOTS_BYTES // 1024} KiB)",
    f"between {LIFETIME[0]} and {LIFETIME[1]}; else {LIFETIME[1]}",
    f"401 and 403) | {text(robots.ERROR_LIFETIME_SECONDS)} |",
    "{}, {}, {}, then {} |".format(*map(text, robots.UNREACHABLE_RETRY_SECONDS)),
    f"at most {robots.MAX_STALE_COPY_SECONDS / 86400:g} days",
    f"`robots.max_crawl_delay` (**{text(GATE.max_crawl_delay)}**)",
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
    assert entry.check("/x").decision == "deny"
