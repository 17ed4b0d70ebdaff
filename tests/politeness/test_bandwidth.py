"""Bandwidth limits, in total and per host."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.clock import Clock
from scraper.errors import ConfigError
from scraper.politeness import bandwidth
from scraper.politeness.bandwidth import BURST_SECONDS, BandwidthLimiter

RATE = 100_000.0
# `charge` gets the time as an argument.
NO_CLOCK = cast("Clock", None)
CHARGES = st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 5)), min_size=1, max_size=50)


@pytest.mark.parametrize("limits", [(RATE, None), (None, RATE)], ids=["overall", "per host"])
@given(charges=CHARGES)
@settings(deadline=None)
def test_a_rate_is_never_exceeded(limits: tuple[float | None, float | None], charges: list[tuple[int, float]]) -> None:
    """Over any period no more bytes come than the rate allows, plus one burst."""
    limiter = BandwidthLimiter(NO_CLOCK, *limits)
    start = now = 1000.0
    total = 0
    for size, pause in charges:
        now = max(now + pause, limiter.charge("a.example", size, now + pause))
        total += size
        assert total <= RATE * (now - start + BURST_SECONDS) + 1


def test_hosts_share_the_overall_limit_and_nothing_else() -> None:
    """One host at its limit does not delay another, unless the overall limit is reached."""
    limiter = BandwidthLimiter(NO_CLOCK, overall=10 * RATE, per_host=RATE)
    assert limiter.charge("a.example", int(RATE), 0.0) == pytest.approx(1 - BURST_SECONDS, abs=0.11)
    assert limiter.charge("b.example", 1, 0.0) < 0.2
    assert limiter.charge("c.example", int(100 * RATE), 0.0) > 99


def test_a_host_that_was_forgotten_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state of hosts is bounded; the least recently used are dropped first."""
    monkeypatch.setattr(bandwidth, "MAX_HOSTS", 2)
    limiter = BandwidthLimiter(NO_CLOCK, per_host=RATE)
    for host in ("a.example", "b.example", "c.example"):
        limiter.charge(host, int(RATE), 1000.0)
    assert limiter.charge("a.example", 0, 1000.0) <= 1000.0
    assert limiter.charge("c.example", 0, 1000.0) > 1000.5


async def test_without_a_limit_nothing_waits() -> None:
    """`unlimited` lets callers skip the limiter."""
    limiter = BandwidthLimiter(Clock())
    assert limiter.unlimited
    assert await limiter.throttle("a.example", 10**12) == 0.0


@pytest.mark.parametrize("limits", [(0, None), (None, 0), (-1, None)])
def test_a_limit_of_nothing_is_refused(limits: tuple[float | None, float | None]) -> None:
    """A transfer without bandwidth would never end."""
    with pytest.raises(ConfigError):
        BandwidthLimiter(NO_CLOCK, *limits)
