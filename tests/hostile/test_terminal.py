"""Nothing that a server sends reaches the screen, the plain lines or the log as it came."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from scraper.events import (
    BreakerOpened,
    CrawlEnded,
    CrawlStarted,
    Event,
    FetcherReplaced,
    FetchFinished,
    HostParked,
    HostSample,
    ItemRejected,
    PageSettled,
    QueuesSampled,
    RetryPlanned,
    RobotsFetched,
    Skipped,
    Warned,
)
from scraper.report.log_file import LogFile
from scraper.report.stats import Stats
from scraper.report.summary import build_summary
from scraper.report.terminal.crawl_display import CrawlDisplay
from scraper.report.terminal.plain_lines import PlainLines
from scraper.report.terminal.summary_screen import render_summary
from scraper.report.text.sanitize import clean
from scraper.testing.local_server import LocalServer, Reply, Route, send_raw
from tests.hostile.crawl_process import crawl

NOW = 1_700_000_000.0
HOSTILE_STRINGS = [
    "\x1b[2J", "\x1b]0;owned\x07", "\x1bP1$r\x1b\\", "\x9b31m", "\x1b[31", "\x1b", "\x90q\x9c", "\u202e", "\u2066",
    "\u200b", "\u2028", "\u2029", "\x85", "\r", "\n", "\r\n", "\b\b", "\x7f", "\0", "\x07", "\ufeff", "[red]", "[/]",
    "\U000e0041", "\ud800", "\x1b]8;;http://evil.example/\x07", "%1b[2J", "a",
]  # fmt: skip
hostile = st.lists(st.one_of(st.sampled_from(HOSTILE_STRINGS), st.text(max_size=8)), max_size=8).map("".join)
# What a terminal acts upon, line breaks aside; rich writes none of it to a console without colours.
ACTIVE_CHARACTERS = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def events_with(text: str) -> list[Event]:
    """Every event that carries text, carrying `text`."""
    return [
        CrawlStarted(NOW, text, text, True, 1, 2, 3, None),
        FetchFinished(NOW, text, text, None, "protocol", text, 0.1, 5, "page"),
        FetchFinished(NOW, text, text, 500, "http", text, 0.1, 5, "page"),
        PageSettled(NOW, text, text, text, 1, 0, 0),
        RetryPlanned(NOW, text, text, NOW + 5, 1, text),
        HostParked(NOW, text, NOW + 5, text),
        BreakerOpened(NOW, text, NOW + 5, text, 1),
        RobotsFetched(NOW, text, "unreachable", 1.0, text),
        ItemRejected(NOW, text, text, text),
        Skipped(NOW, text, text, text),
        FetcherReplaced(NOW, text, text, text),
        QueuesSampled(NOW, 1, 2, 3, 4, 0.0, (HostSample(NOW, text, 1, 2, 0.5, NOW, "open"),)),
        Warned(NOW, text),
        CrawlEnded(NOW, text, text),
    ]


@given(hostile)
def test_a_cleaned_text_is_one_line_of_visible_characters(text: str) -> None:
    """Whatever comes in, nothing that a terminal acts upon comes out."""
    assert clean(text, 100).isprintable()
    assert len(clean(text, 100)) <= 100


@given(hostile)
def test_plain_lines_hold_nothing_raw(text: str) -> None:
    """Every line is one of ours: it begins with the time and holds visible characters alone."""
    out = io.StringIO()
    plain = PlainLines(out, verbose=True)
    for event in events_with(text):
        plain(event)
    assert not ACTIVE_CHARACTERS.search(out.getvalue())
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in out.getvalue().split("\n")[:-1])


@given(hostile)
def test_the_log_holds_nothing_raw(text: str) -> None:
    """A server cannot forge a line of the log."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        with LogFile(path, level=10) as log:
            for event in events_with(text):
                log(event)
        written = path.read_text("utf-8")
    assert not ACTIVE_CHARACTERS.search(written)
    assert written.count("\n") == len(events_with(text))
    assert all(line.startswith("2023-11-14T") for line in written.split("\n")[:-1])


@given(hostile)
def test_the_display_and_the_summary_hold_nothing_raw(text: str) -> None:
    """Neither the live display nor the summary shows an escape sequence, a bidi override or a control character."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=False, no_color=True, width=100, height=40)
    progress, stats = CrawlDisplay(console), Stats()
    for event in events_with(text):
        progress(event)
        stats(event)
    console.print(progress.render())
    counts = {text: 3, "ok": 1}
    summary = build_summary(
        stats.snapshot(),
        outcomes=counts,
        hosts={text: counts, "b": counts},
        items=1,
        size=2,
        waiting=3,
        skipped=counts,
        outputs={text: text},
    )
    console.print(render_summary(summary))
    assert not ACTIVE_CHARACTERS.search(out.getvalue())


@pytest.mark.parametrize("mode", [(), ("limits.concurrency=1",)], ids=["many", "one"])
async def test_a_crawl_of_a_site_that_writes_to_the_terminal(tmp_path: Path, mode: tuple[str, ...]) -> None:
    """Status lines, headers, links, errors, robots.txt and items full of escapes leave screen and log clean."""
    evil = "\x1b]0;owned\x07\x1b[2J\u202e\u2028x"
    raw = evil.encode()
    links = (
        "".join(f"<a href='/{name}?{evil}'>x</a>" for name in ("a", "b", "c", "d", "e"))
        + f"<a href='//{evil}.x/'>y</a>"
    )
    routes: dict[str, Route] = {
        "/": Reply(200, f"<title>{evil}</title>{links}".encode()),
        "/a": send_raw(b"HTTP/1.1 404 " + b"\xc2\x9b31m" + b"\r\nContent-Length: 0\r\n\r\n"),
        "/b": send_raw(raw + b"\r\n\r\n"),
        "/c": send_raw(b"HTTP/1.1 302 F\r\nLocation: http://" + raw.replace(b"\x1b", b"\xc2\x9b") + b"/\r\n\r\n"),
        "/e": Reply(200, b"x", {"X-Evil": "\x1b[31m", "Content-Type": "text/html; \x9b"}),
        "/d": send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: " + raw + b"\r\n\r\nhello"),
        "/robots.txt": Reply(200, b"User-agent: *\nDisallow: /e" + raw + b"\nSitemap: http://" + raw + b"/\n"),
    }
    async with LocalServer({**routes, "*": Reply(404)}) as site:
        run = await crawl(
            tmp_path,
            [site.url()],
            "politeness.robots=obey",
            "sitemaps=auto",
            "extract=[{fields: {title: title, n: {css: title, type: int, required: true}}}]",
            *mode,
        )
    assert run.code == 0
    assert not ACTIVE_CHARACTERS.search(run.screen.decode())
    assert not ACTIVE_CHARACTERS.search(run.log.decode())
    assert len(run.pages) >= 5
