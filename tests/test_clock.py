"""The clock: epoch seconds that follow the event loop's time."""

from __future__ import annotations

import asyncio
import time

import pytest

from scraper.clock import Clock
from scraper.testing.virtual_loop import virtual_run


@virtual_run
async def test_now_is_the_epoch_plus_the_time_of_the_loop() -> None:
    """An instant keeps its meaning, and time passes as the loop's does."""
    clock = Clock(1_000_000.0)
    assert clock.now() == pytest.approx(1_000_000.0)
    await asyncio.sleep(90.5)
    assert clock.now() == pytest.approx(1_000_090.5)


@virtual_run
async def test_sleeping_until_an_instant_that_has_passed_returns_at_once() -> None:
    """No caller has to check that first."""
    clock = Clock(1_000_000.0)
    await clock.sleep_until(1_000_010.0)
    await clock.sleep_until(5.0)
    assert clock.now() == pytest.approx(1_000_010.0)


async def test_without_an_epoch_it_is_the_time_of_the_system() -> None:
    """Read once, when the clock is made."""
    assert abs(Clock().now() - time.time()) < 60
