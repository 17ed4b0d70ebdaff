from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from scraper.events import CrawlEnded, Event, Warned
from scraper.report.terminal.crawl_display import CrawlDisplay
from scraper.report.terminal.crawl_view import hosts_to_show
from scraper.report.text.event_text import next_request_text
from tests.report.sample_crawl import EVIL, GOOD, SLOW, T0, crawl, host, page, sampled, started


def shown(events: list[Event], width: int = 80, height: int = 24, color: bool = False) -> str:
    """What the display of these events looks like."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=color, no_color=not color)
    progress = CrawlDisplay(console)
    for event in events:
        progress(event)
    console.print(progress.render())
    return out.getvalue()


def running() -> list[Event]:
    return [event for event in crawl() if not isinstance(event, CrawlEnded)]


def test_the_screen_shows_how_far_how_fast_and_how_long() -> None:
    """Done of known, pages a second, bytes, items, failures, queues and the time left are there in 80 columns."""
    text = shown([event for event in running() if event.at <= T0 + 20])
    for part in ("books  00:00:", "20 of 70 known", "28%", "0.9 pages/s", "27.0 kB/s", "20 items", "0 failed", "ETA "):
        assert part in text
    for part in ("40 waiting", "2 delayed", "6/64 in flight", "3 to record"):
        assert part in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_hosts_are_listed_with_their_state() -> None:
    """A host's row has what waits, what is under way, its delay, its next instant and its breaker."""
    lines = shown(running()).splitlines()
    good = next(line for line in lines if line.startswith(GOOD)).split()
    assert good == [GOOD, "20", "2", "0.9/s", "500ms", "now", "closed"]
    slow = next(line for line in lines if line.startswith(SLOW)).split()
    assert slow[:6] == [SLOW, "9", "2", "1.0/s", "500ms", "in"]
    assert slow[-3] == "open,"
    assert slow[-1] == "left"


def test_the_last_three_problems_are_shown() -> None:
    """Newest last, and no more than three."""
    events: list[Event] = [started(), *(Warned(T0 + n, f"problem {n}") for n in range(9))]
    problems = [line.rstrip() for line in shown(events).splitlines() if line.startswith("!")]
    assert problems == ["! problem 6", "! problem 7", "! problem 8"]


def test_a_limit_on_pages_is_the_goal() -> None:
    """With max_pages the bar runs to the limit, not to all that is known."""
    text = shown([started(max_pages=2), *page(T0, f"https://{GOOD}/"), sampled(T0 + 1)])
    assert "50%" in text
    assert "1 of 51 known, limit 2" in text


def test_a_resumed_run_counts_what_was_done_before() -> None:
    """Earlier sessions' pages are in the bar."""
    text = shown([started(resumed=True, known=100, waiting=50)])
    assert "100 of 150 known" in text
    assert "resumed" in text
    assert "50 waiting" in text


def test_before_the_first_event_there_is_a_screen() -> None:
    """The display may be drawn at once."""
    assert "0 of 0 known" in shown([])


@pytest.mark.parametrize("height", [1, 5, 7, 10, 24])
@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_it_fits_the_terminal(width: int, height: int) -> None:
    """On any size no line is wider than the terminal, and the lines do not outnumber its rows (four are needed)."""
    states = [host(T0 + 30, f"h{n}.a-rather-long-name.example", waiting=n) for n in range(40)]
    lines = shown([*running(), sampled(T0 + 30, *states)], width, height).splitlines()
    assert all(len(line) <= width for line in lines)
    assert len(lines) <= max(4, height)


def test_what_servers_send_is_neither_markup_nor_control() -> None:
    """An address with escape sequences, bidi overrides, line breaks and rich markup is shown as plain text."""
    evil = replace(host(T0, GOOD), host="[blink]evil[/blink]\x1b[2J.example")
    text = shown([started(name="[red]n[/red]\x1b[2J"), sampled(T0 + 1, evil), Warned(T0 + 2, EVIL)], color=True)
    assert "\x1b[2J" not in text
    assert "\x1b]0" not in text
    assert "\u202e" not in text
    assert "[blink]evil[/blink].example" in text
    assert "[red]n[/red]" in text
    assert "[red]x[/red]txt.exe forged line" in text


def test_colour_only_repeats_what_words_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR there is no colour, and the breaker's state can be read all the same."""
    monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    console = Console(file=out, width=80, height=24, force_terminal=True)
    progress = CrawlDisplay(console)
    for event in running():
        progress(event)
    console.print(progress.render())
    assert "\x1b[3" not in out.getvalue()
    assert "open" in out.getvalue()


def test_hosts_in_trouble_come_first_then_the_busiest() -> None:
    """Hosts whose breaker is not closed are never pushed off the table by busy ones, nor these by them."""
    well = [host(T0, f"h{n}", waiting=n) for n in range(20)]
    ill = [host(T0, f"ill{n}", "blocked", waiting=n) for n in range(9)]
    assert [state.host for state in hosts_to_show([*well, ill[0]], 3, T0)] == ["ill0", "h19", "h18"]
    assert [state.host for state in hosts_to_show([*well, *ill], 4, T0)] == ["ill8", "ill7", "h19", "h18"]
    assert [state.host for state in hosts_to_show(ill[:3], 8, T0)] == ["ill2", "ill1", "ill0"]


def test_the_slowest_hosts_have_rows_of_their_own() -> None:
    """A host that will take longest is reported of although many are busier."""
    busy = [host(T0, f"busy{n}", waiting=100) for n in range(20)]
    slow = replace(host(T0, "slow", waiting=5), in_flight=0, delay=60.0)
    parked = replace(host(T0, "parked", wait=9_000.0, waiting=1), in_flight=0)
    assert [state.host for state in hosts_to_show([*busy, slow, parked], 8, T0)][-2:] == ["parked", "slow"]


def test_a_parked_host_holds_the_end_back() -> None:
    """The time left is at least what the slowest host needs."""
    parked = host(T0 + 21, SLOW, wait=5_400.0, waiting=2)
    assert "ETA 1h 30m" in shown([*running(), sampled(T0 + 21, parked)])


def test_an_open_breaker_that_nothing_waits_for_takes_nobodys_row() -> None:
    """It is over with that host; and it is not said to be asked `now`."""
    done = [replace(host(T0, f"done{n}", "open", waiting=0), in_flight=0) for n in range(9)]
    well = [host(T0, f"h{n}", waiting=n + 1) for n in range(9)]
    assert {state.host for state in hosts_to_show([*done, *well], 4, T0)} <= {state.host for state in well}
    assert next_request_text(done[0], T0) == "-"
    assert next_request_text(well[0], T0) != "-"
