"""A timeout that moves, over one timer."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from scraper.transport.moving_timeout import MovingTimeout


class FakeLoop:
    """A clock and timers, counted and fired by the test."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[FakeTimer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> FakeTimer:
        self.timers.append(FakeTimer(when, callback))
        return self.timers[-1]

    def advance(self, to: float) -> None:
        """Let time pass, firing timers on the way, also those that are set meanwhile."""
        while due := [timer for timer in self.timers if timer.active and timer.when <= to]:
            timer = min(due, key=lambda timer: timer.when)
            timer.active = False
            self.now = timer.when
            timer.callback()
        self.now = to


class FakeTimer:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when, self.callback, self.active = when, callback, True

    def cancel(self) -> None:
        self.active = False


@pytest.fixture
def expired() -> list[float]:
    return []


@pytest.fixture
def loop() -> FakeLoop:
    return FakeLoop()


@pytest.fixture
def timeout(loop: FakeLoop, expired: list[float]) -> MovingTimeout:
    return MovingTimeout(loop, lambda: expired.append(loop.now))  # type: ignore[arg-type]  # what it uses of a loop


def test_it_expires_when_the_time_has_come(timeout: MovingTimeout, loop: FakeLoop, expired: list[float]) -> None:
    """Once, and not before."""
    timeout.set_expiry(5.0)
    loop.advance(4.9)
    assert expired == []
    loop.advance(100.0)
    assert expired == [5.0]


def test_moving_it_later_sets_no_timer(timeout: MovingTimeout, loop: FakeLoop, expired: list[float]) -> None:
    """However often `expires_at` is assigned, one timer is enough until it fires."""
    timeout.set_expiry(5.0)
    for n in range(100):
        timeout.expires_at = 6.0 + n / 100
    assert len(loop.timers) == 1
    loop.advance(6.5)
    assert expired == []
    loop.advance(7.0)
    assert (expired, len(loop.timers)) == ([6.99], 2)


def test_moving_it_earlier_is_obeyed(timeout: MovingTimeout, loop: FakeLoop, expired: list[float]) -> None:
    """`set_expiry` replaces a timer that would fire too late."""
    timeout.set_expiry(50.0)
    timeout.set_expiry(2.0)
    loop.advance(100.0)
    assert expired == [2.0]


def test_it_can_be_cancelled(timeout: MovingTimeout, loop: FakeLoop, expired: list[float]) -> None:
    """Then nothing fires, and it can be used again."""
    timeout.set_expiry(5.0)
    timeout.cancel()
    assert timeout.expires_at == math.inf
    loop.advance(10.0)
    assert expired == []
    timeout.set_expiry(12.0)
    loop.advance(20.0)
    assert expired == [12.0]
