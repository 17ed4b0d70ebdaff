"""The limit on bytes per second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.errors import ConfigError
from scraper.politeness.bandwidth import BURST_SECONDS, ByteRateLimit


@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 5)), min_size=1, max_size=50))
def test_a_rate_is_never_exceeded(charges: list[tuple[int, float]]) -> None:
    """Over any time, no more than the rate and what was saved up comes through."""
    budget, now, total = ByteRateLimit(100_000), 1000.0, 0
    begin = now
    for size, pause in charges:
        now = max(now + pause, budget.charge(size, now + pause))
        total += size
        assert total <= 100_000 * (now - begin + BURST_SECONDS) + 1


def test_a_rate_of_nothing_is_refused() -> None:
    """A limit of zero would never end."""
    with pytest.raises(ConfigError):
        ByteRateLimit(0)
