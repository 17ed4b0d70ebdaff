"""Events reach every listener in order, and no listener can harm a run or another listener."""

from __future__ import annotations

import threading

import pytest

from scraper import events
from scraper.events import Event, EventBus, EventsLost, Warned


def warning(number: int) -> Warned:
    return Warned(float(number), str(number))


async def test_each_listener_gets_every_event_in_order() -> None:
    """On a thread of its own, not on the event loop's."""
    received: list[Event] = []
    threads: set[str] = set()

    def listener(event: Event) -> None:
        received.append(event)
        threads.add(threading.current_thread().name)

    other: list[Event] = []
    async with EventBus([listener, other.append]) as bus:
        for number in range(100):
            bus.emit(warning(number))
    assert received == other == [warning(number) for number in range(100)]
    assert all(name.startswith("listener-") for name in threads)


async def test_without_listeners_nothing_is_kept() -> None:
    """Callers may ask `listening` before they make an event."""
    async with EventBus() as bus:
        assert not bus.listening
        bus.emit(warning(1))
        assert bus._pending == []


@pytest.mark.parametrize(
    "error", [ValueError("odd"), SystemExit(3), KeyboardInterrupt()], ids=lambda e: type(e).__name__
)
async def test_a_listener_that_raises_gets_no_more_events(error: BaseException) -> None:
    """The others are not disturbed, and closing does not wait for it."""
    calls: list[Event] = []

    def failing(event: Event) -> None:
        calls.append(event)
        raise error

    received: list[Event] = []
    async with EventBus([failing, received.append]) as bus:
        for number in range(3):
            bus.emit(warning(number))
            bus.flush()
            bus.wait_delivered()
    assert len(calls) == 1
    assert len(received) == 3


async def test_a_slow_listener_loses_the_oldest_events_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded; the latest events are the ones that matter."""
    monkeypatch.setattr(events, "MAX_BACKLOG_EVENTS", 10)
    release, started = threading.Event(), threading.Event()
    received: list[Event] = []

    def slow(event: Event) -> None:
        started.set()
        release.wait(10)
        received.append(event)

    async with EventBus([slow]) as bus:
        bus.emit(warning(0))
        bus.flush()
        assert started.wait(10)  # batches from here on wait
        for batch in range(1, 6):
            for number in range(4):
                bus.emit(warning(10 * batch + number))
            bus.flush()
        release.set()
    (lost,) = [event for event in received if isinstance(event, EventsLost)]
    assert lost.count == 12
    assert received[0] == warning(0)
    assert received[-1] == warning(53)
    assert len(received) == 1 + 1 + 8
