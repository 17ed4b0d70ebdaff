"""When a attempt is slow, and when another stream has helped: instants and byte counts in, a verdict out."""

from __future__ import annotations

import pytest

from scraper.model import EntryState
from scraper.testing.fakes import make_request
from scraper.transfer.attempt import DownloadAttempt
from scraper.transfer.throughput import ThroughputMonitor
from scraper.transport.settings import SegmentSettings

MB = 1_000_000
SETTINGS = SegmentSettings(slow_after=5.0, check_interval=2.0, max_remaining_seconds=10.0, min_speedup=1.15)


def started() -> tuple[DownloadAttempt, ThroughputMonitor]:
    attempt = DownloadAttempt(make_request("http://h/f"), EntryState(1, 1, "http://h/f", "f"), 100.0)
    return attempt, ThroughputMonitor(SETTINGS, attempt, 100.0)


@pytest.mark.parametrize(
    ("at", "received", "left", "held", "slow"),
    [
        (104.9, 1 * MB, 900 * MB, 0.0, False),
        (105.0, 10 * MB, 21 * MB, 0.0, True),
        (105.0, 10 * MB, 19 * MB, 0.0, False),
        (105.0, 0, 20 * MB, 0.0, True),
        (105.0, 10 * MB, 900 * MB, 0.4, True),
        (105.0, 10 * MB, 900 * MB, 0.6, False),
    ],
    ids=["too early", "slow", "nearly done", "nothing came", "held a little", "held by our own limit"],
)
def test_what_is_slow(at: float, received: int, left: int, held: float, slow: bool) -> None:
    """After 5 s, when the rest takes more than 10 s at this rate, and not for our own limits."""
    attempt, pulse = started()
    attempt.received, attempt.throttled_for = received, held
    assert pulse.is_slow(left, 1, at) is slow


@pytest.mark.parametrize(("more", "gained"), [(4 * MB, False), (9 * MB, True)], ids=["same", "twice"])
def test_whether_a_stream_has_helped(more: int, gained: bool) -> None:
    """The rate since it began is compared with the rate before, not counting how long it took to begin."""
    attempt, pulse = started()
    attempt.received = 10 * MB
    pulse.segment_requested(105.0)
    pulse.segment_started(106.0)
    attempt.received += more
    assert pulse.is_slow(900 * MB, 2, 107.9) is False
    assert pulse.is_slow(900 * MB, 2, 108.0) is True
    assert pulse.last_segment_helped(108.0) is gained


def test_what_went_before_the_end_of_a_stream_is_no_measure() -> None:
    """When one stream less is at work, a lower rate proves nothing about the last one that was added."""
    attempt, pulse = started()
    attempt.received = 10 * MB
    pulse.segment_requested(105.0)
    pulse.segment_ended(106.0)
    assert pulse.last_segment_helped(110.0)
