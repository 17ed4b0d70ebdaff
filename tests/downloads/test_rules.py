"""The rules without I/O: how a part goes on, how fast bytes may come, what an order looks like in a label."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from scraper.downloads.list_counts import ListCounts
from scraper.events import (
    BytesReceived,
    CrawlEnded,
    CrawlStarted,
    Event,
    FetchFinished,
    FetchStarted,
    HostParked,
    PageSettled,
)
from scraper.model import Headers, Request, Url
from scraper.report.terminal.download_display import DownloadDisplay
from scraper.report.terminal.download_progress import DownloadLines, DownloadTracker, snapshot_text
from scraper.transfer.entry_state import EntryState, entry_of
from scraper.transfer.resume_rules import (
    MIN_PROBE_BYTES,
    WHOLE_FILE,
    Continue,
    Decision,
    PartComplete,
    PartState,
    RangeRequest,
    Restart,
    RetryWith,
    Validators,
    evaluate_response,
    plan_request,
    validators_of,
)

NOW = 1_700_000_000.0
TEXT = st.text(st.characters(codec="utf-8"))
TOTAL = 4 * MIN_PROBE_BYTES
STRONG = PartState("https://h", Validators('"a"', None, False, TOTAL), 2 * MIN_PROBE_BYTES)
CONDITIONAL = RangeRequest(2 * MIN_PROBE_BYTES, if_range='"a"')


def headers(**fields: str) -> Headers:
    return Headers([(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()])


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ({"etag": '"a"'}, Validators('"a"', None, False, 9)),
        ({"etag": 'W/"a"'}, Validators(None, None, False, 9)),
        ({"etag": "bare"}, Validators(None, None, False, 9)),
        (
            {"last_modified": "Sun, 06 Nov 1994 08:49:37 GMT", "date": "Sun, 06 Nov 1994 08:50:37 GMT"},
            Validators(None, "Sun, 06 Nov 1994 08:49:37 GMT", True, 9),
        ),
        (
            {"last_modified": "Sun, 06 Nov 1994 08:49:37 GMT", "date": "Sun, 06 Nov 1994 08:50:36 GMT"},
            Validators(None, "Sun, 06 Nov 1994 08:49:37 GMT", False, 9),
        ),
        ({"last_modified": "yesterday"}, Validators(None, None, False, 9)),
    ],
    ids=["strong", "weak", "unquoted", "a minute old", "too young", "no date"],
)
def test_only_a_strong_validator_vouches(fields: dict[str, str], version: Validators) -> None:
    """A weak ETag and a Last-Modified of the last minute do not tell versions apart."""
    assert validators_of(headers(**fields), 9, NOW) == version


@pytest.mark.parametrize(
    ("partial", "origin", "ask"),
    [
        (None, "https://h", WHOLE_FILE),
        (PartState("https://h", Validators('"a"'), 0), "https://h", WHOLE_FILE),
        (PartState("https://h", Validators('"a"', total=5), 6), "https://h", WHOLE_FILE),
        (PartState("https://h", Validators('"a"'), 10), "https://h", RangeRequest(10, if_range='"a"')),
        (PartState("https://h", Validators('"a"'), 10), "https://mirror", RangeRequest(0, 10)),
        (PartState("https://h", Validators(None, "d", True), 10), "https://h", RangeRequest(10, if_range="d")),
        (PartState("https://h", Validators(None, "d", False), 100_000), "https://h", RangeRequest(34_464, 65_536)),
    ],
    ids=["nothing", "empty", "too long", "etag", "other origin", "date", "young date"],
)
def test_how_a_part_is_gone_on_with(partial: PartState | None, origin: str, ask: RangeRequest) -> None:
    """With a validator of this origin from its end, else from before its end, to compare."""
    assert plan_request(partial, origin) == ask


def ranged(start: int, total: int | str = TOTAL) -> str:
    return f"bytes {start}-{TOTAL - 1}/{total}"


@pytest.mark.parametrize(
    ("ask", "status", "fields", "length", "expected"),
    [
        (CONDITIONAL, 206, {"content_range": ranged(2 * MIN_PROBE_BYTES), "etag": '"a"'}, None, Continue),
        (CONDITIONAL, 206, {"content_range": ranged(2 * MIN_PROBE_BYTES)}, None, Continue),
        (CONDITIONAL, 206, {"content_range": ranged(2 * MIN_PROBE_BYTES), "etag": '"b"'}, None, RetryWith),
        (CONDITIONAL, 206, {"content_range": ranged(0)}, None, RetryWith),
        (CONDITIONAL, 206, {"content_range": ranged(2 * MIN_PROBE_BYTES, TOTAL + 1)}, None, RetryWith),
        (CONDITIONAL, 206, {"content_range": ranged(2 * MIN_PROBE_BYTES, "*")}, None, RetryWith),
        (CONDITIONAL, 206, {}, None, RetryWith),
        (CONDITIONAL, 200, {"etag": '"b"'}, 7, Restart),
        (CONDITIONAL, 416, {"content_range": f"bytes */{2 * MIN_PROBE_BYTES}"}, None, PartComplete),
        (CONDITIONAL, 416, {"content_range": f"bytes */{2 * MIN_PROBE_BYTES}", "etag": '"b"'}, None, RetryWith),
        (CONDITIONAL, 416, {"content_range": f"bytes */{MIN_PROBE_BYTES}"}, None, RetryWith),
        (CONDITIONAL, 416, {}, None, RetryWith),
        (WHOLE_FILE, 200, {}, None, Restart),
    ],
)
def test_what_an_answer_means(
    ask: RangeRequest, status: int, fields: dict[str, str], length: int | None, expected: type[Decision]
) -> None:
    """Only what proves to be the rest is appended; everything else begins anew."""
    found = evaluate_response(ask, STRONG, status, headers(**fields), length)
    assert isinstance(found, expected)
    if isinstance(found, RetryWith):
        assert (found.request, found.delete_part) == (WHOLE_FILE, True)


@given(
    st.sampled_from([200, 206, 416]),
    st.dictionaries(
        st.sampled_from(["etag", "content-range", "last-modified"]),
        st.sampled_from(['"a"', '"b"', ranged(2 * MIN_PROBE_BYTES), ranged(0), "bytes */5", "junk"]),
    ),
    st.sampled_from([None, 0, TOTAL]),
)
def test_asking_again_ends(status: int, fields: dict[str, str], length: int | None) -> None:
    """Whatever a server answers to every request, the third one is settled or asks for the whole."""
    ask, partial = CONDITIONAL, STRONG
    for _ in range(3):
        found = evaluate_response(
            ask, partial, status, Headers([(k.encode(), v.encode()) for k, v in fields.items()]), length
        )
        if not isinstance(found, RetryWith) or found.request == WHOLE_FILE:
            break
        ask = found.request
    else:
        pytest.fail("it goes on for ever")


@given(
    st.builds(
        EntryState,
        st.integers(0, 2**40),
        st.integers(1, 2**40),
        TEXT,
        TEXT,
        name=st.none() | TEXT,
        mirrors=st.lists(TEXT).map(tuple),
        headers=st.lists(st.tuples(TEXT, TEXT)).map(tuple),
        replace=st.booleans(),
        tries=st.integers(0, 99),
        used=st.integers(0, 32),
        notes=st.lists(TEXT).map(tuple),
        out=st.lists(st.integers(0, 32)).map(tuple),
    )
)
def test_an_order_survives_its_label(order: EntryState) -> None:
    """What is written into a label is read from it."""
    assert entry_of(Request(Url("", "", "", ""), label=order.label())) == order
    assert entry_of(Request(Url("", "", "", ""), label=str(order.label()))) == order, "read from the text alone"


def test_the_display_has_a_line_for_the_bar_and_one_for_the_words() -> None:
    """How many of how many stands below the bar, on any width."""
    goal = SimpleNamespace(
        lines=10, complete=2, complete_bytes=500, bad=0, repeated=0, skipped=0, refused=0, ended=True, expected=0
    )
    for width in (40, 110):
        console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
        console.print(DownloadDisplay(console, goal).render())
        assert isinstance(console.file, io.StringIO)
        bar, words = console.file.getvalue().splitlines()[:2]
        assert "of 10" not in bar
        assert words.startswith("2 of 10")


@pytest.mark.parametrize(
    ("lines", "expected", "ended", "of"),
    [(10, 0, False, "10+"), (10, 500, False, "500"), (600, 500, False, "600+"), (498, 500, True, "498")],
    ids=["of unknown length", "counted", "longer than it was counted", "read to its end"],
)
def test_of_how_many(lines: int, expected: int, ended: bool, of: str) -> None:
    """The list's length is what was counted, until reading it knows better."""
    goal = ListCounts(lines=lines, expected_lines=expected, fully_read=ended)
    assert DownloadTracker(goal).snapshot().lines_text == of


def test_progress_in_words() -> None:
    """How many of how many, bytes, speed, failures, time left, hosts in back-off; a line every ten seconds."""
    goal = SimpleNamespace(
        lines=10, complete=2, complete_bytes=500, bad=1, repeated=0, skipped=0, refused=0, ended=False, expected=0
    )
    out = io.StringIO()
    lines, watch = DownloadLines(out, goal), DownloadTracker(goal)
    story: list[Event] = [
        CrawlStarted(NOW, "download", "out", False, 0, 0, 4, None),
        FetchStarted(NOW + 1, "https://h/a", "h", 0, "f"),
        FetchFinished(NOW + 2, "https://h/a", "h", 200, None, "", 1.0, 1000, "file"),
        PageSettled(NOW + 2, "https://h/a", "h", "ok", 0, 0, 0),
        FetchStarted(NOW + 3, "https://h/b", "h", 0, "f"),
        BytesReceived(NOW + 4, "https://h/b", "h", 2_000_000, 4_000_000),
        HostParked(NOW + 5, "slow", NOW + 60, "asked to wait"),
        FetchFinished(NOW + 11, "https://h/c", "h", 404, "http", "", 1.0, 0, "file"),
        CrawlEnded(NOW + 12, "finished", ""),
    ]
    for event in story:
        lines(event)
        watch(event)
    words = snapshot_text(watch.snapshot())
    for part in ("4 of 10+", "1 failed", "1 under way", "1 hosts in back-off", "ETA "):
        assert part in words
    told = out.getvalue().splitlines()
    assert sum(" of 10+" in line for line in told) == 2
    assert any("https://h/c" in line for line in told)
