from __future__ import annotations

import io

from scraper.events import CrawlEnded, Event, RetryPlanned, Warned
from scraper.report.terminal.plain_lines import MAX_FIRST_ERRORS, PlainLines
from tests.report.sample_crawl import EVIL, GOOD, SLOW, T0, crawl, finished, host, page, sampled, started


def told(events: list[Event], verbose: bool = False) -> list[str]:
    out = io.StringIO()
    plain = PlainLines(out, verbose=verbose)
    for event in events:
        plain(event)
    return out.getvalue().splitlines()


def test_a_crawl_is_a_few_lines() -> None:
    """The start, a line every ten seconds, what matters at once, the last state and the end: nothing more."""
    assert told(crawl()) == [
        "00:00:00 books started: 3 waiting, 64 fetchers, into out/books",
        f"00:00:00 warning: robots.txt of https://{SLOW}: unreachable (timeout)",
        "00:00:10 10 of 60 known, 0.9 pages/s, 27.6 kB/s, 10 items, 0 failed, 6 in flight, ETA 1m 03s",
        "00:00:20 20 of 70 known, 0.9 pages/s, 27.0 kB/s, 20 items, 0 failed, 6 in flight, ETA 1m 03s",
        f"00:00:20 404 https://{GOOD}/gone.html (30.0 kB, 0.2s)",
        f"00:00:20 timeout https://{SLOW}/: no answer in 30 s (30.0 kB, 0.2s)",
        f"00:00:20 {SLOW} paused for 2m 00s: Retry-After",
        f"00:00:20 warning: {SLOW} paused for 1m 00s (breaker open, no. 1): 6 failures in a row",
        f"00:00:20 {SLOW} gets one probe (breaker half-open)",
        f"00:00:20 {SLOW} has recovered (breaker closed)",
        "00:00:20 warning: fetcher-07 failed on https://good.example/[red]x[/red]txt.exe forged line "
        "and was replaced: KeyError: 'x'",
        "00:00:21 warning: a strange page: https://good.example/[red]x[/red]txt.exe forged line",
        "00:00:21 warning: 12 events came too fast for this listener and were lost",
        "00:00:21 21 of 71 known, 0.9 pages/s, 30.0 kB/s, 20 items, 1 failed, 5 in flight",
        "00:00:21 ended: finished",
    ]


def test_of_equal_failures_only_the_first_is_reported() -> None:
    """One line for each kind of failure at each host, and never more than the limit."""
    same = [finished(T0, f"https://{GOOD}/{n}", status=404, error="http") for n in range(100)]
    assert len(told([*same])) == 1
    other = [finished(T0, f"https://{GOOD}/x", status=500, error="http"), finished(T0, "x", SLOW, 404, "http")]
    assert len(told([*same, *other])) == 3
    many = [finished(T0, f"https://h{n}/", f"h{n}", None, "dns", "no such host") for n in range(1000)]
    assert len(told([*many])) == MAX_FIRST_ERRORS


def test_verbose_shows_every_fetch() -> None:
    """With -v each request has its line."""
    events = [event for n in range(30) for event in page(T0 + n / 100, f"https://{GOOD}/{n}")]
    assert len(told(events)) == 0
    assert len(told(events, verbose=True)) == 30


def test_a_quiet_crawl_is_a_line_every_ten_seconds() -> None:
    """Time is the events' own: an hour of samples is 360 lines, whatever else comes with them."""
    events = [sampled(T0 + n, host(T0 + n, GOOD)) for n in range(3601)]
    assert len(told([*events])) == 360
    retries = [RetryPlanned(T0, "u", GOOD, T0 + 2, 1, "timeout") for _ in range(100)]
    assert told([*retries]) == []


def test_no_line_can_be_forged() -> None:
    """Whatever a server sends, one event is one line of visible characters."""
    lines = told([started(name=EVIL), Warned(T0, EVIL), CrawlEnded(T0, "finished", EVIL)])
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)
