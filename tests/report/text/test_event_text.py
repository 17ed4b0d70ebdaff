from __future__ import annotations

from typing import get_args

import pytest

from scraper.events import CrawlEnded, Event, RobotsFetched
from scraper.report.text.event_text import DEBUG, INFO, WARNING, EventText, describe, is_problem, next_request_text
from tests.report.sample_crawl import EVIL, GOOD, SLOW, T0, crawl, finished, host

LINES = {type(event).__name__: describe(event) for event in crawl()}


def test_the_story_has_every_event() -> None:
    """What the listeners are tested with leaves no kind of event out."""
    assert set(LINES) == {kind.__name__ for kind in get_args(Event)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CrawlStarted", EventText(INFO, "books started: 3 waiting, 64 fetchers, into out/books")),
        ("FetchStarted", EventText(DEBUG, f"requesting https://{SLOW}/ (attempt 1, fetcher-02)")),
        ("BytesReceived", EventText(DEBUG, f"received 10.0 kB more of 30.0 kB of https://{SLOW}/")),
        ("FetchFinished", EventText(INFO, f"timeout https://{SLOW}/: no answer in 30 s (30.0 kB, 0.2s)")),
        ("PageSettled", EventText(INFO, f"settled https://{GOOD}/gone.html as http_404: 0 items, 4 new links")),
        ("RetryPlanned", EventText(INFO, f"retrying in 2.0s: https://{SLOW}/ (attempt 2): timeout")),
        ("HostParked", EventText(INFO, f"{SLOW} paused for 2m 00s: Retry-After")),
        (
            "BreakerOpened",
            EventText(WARNING, f"{SLOW} paused for 1m 00s (breaker open, no. 1): 6 failures in a row"),
        ),
        ("BreakerHalfOpen", EventText(INFO, f"{SLOW} gets one probe (breaker half-open)")),
        ("BreakerClosed", EventText(INFO, f"{SLOW} has recovered (breaker closed)")),
        ("RobotsFetched", EventText(WARNING, f"robots.txt of https://{SLOW}: unreachable (timeout)")),
        ("ItemWritten", EventText(DEBUG, f"item of rule 1 from https://{GOOD}/19.html")),
        ("ItemRejected", EventText(INFO, f"item rejected on https://{GOOD}/3.html: price: not a decimal")),
        ("Skipped", EventText(DEBUG, "skipped https://other.example/: scope (mode: host)")),
        (
            "QueuesSampled",
            EventText(DEBUG, "40 waiting, 2 delayed, 5 in flight, 3 to record, loop lag 2 ms"),
        ),
        ("EventsLost", EventText(WARNING, "12 events came too fast for this listener and were lost")),
        ("CrawlEnded", EventText(INFO, "ended: finished")),
    ],
)
def test_every_event_has_words(name: str, expected: EventText) -> None:
    """Each kind of event is one line that says what happened and to whom."""
    assert LINES[name] == expected


def test_words_are_clean() -> None:
    """What a server slipped into an address neither colours, renames nor breaks the line."""
    assert EVIL not in LINES["Warned"].text
    for line in LINES.values():
        assert line.text.isprintable()
    assert LINES["Warned"].text.endswith("https://good.example/[red]x[/red]txt.exe forged line")


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (finished(T0, "u"), False),
        (finished(T0, "u", status=304), False),
        (finished(T0, "u", status=404), True),
        (finished(T0, "u", status=None, error="dns"), True),
        (RobotsFetched(T0, "o", "none", None, ""), False),
        (RobotsFetched(T0, "o", "unreachable", None, ""), True),
        (CrawlEnded(T0, "finished", ""), False),
    ],
)
def test_what_is_a_problem(event: Event, problem: bool) -> None:
    """Failures and warnings are problems; the ordinary course is not."""
    assert is_problem(event) is problem


@pytest.mark.parametrize(("wait", "words"), [(-5.0, "now"), (0.0, "now"), (12.0, "in 12s"), (float("inf"), "busy")])
def test_when_a_host_is_next(wait: float, words: str) -> None:
    """The next instant of a host is reported from now on."""
    assert next_request_text(host(T0, GOOD, wait=wait), T0) == words
