"""Progress of bodies, and bodies that nobody needs."""

from __future__ import annotations

import httpx
import pytest

from scraper.events import BytesReceived, Event
from scraper.fetch.response_body import (
    MAX_DISCARD_BYTES,
    PROGRESS_STEP_BYTES,
    ProgressReporter,
    close_quietly,
    discard_body,
)
from scraper.testing.fakes import make_request
from scraper.transport.adapter import HttpxAdapter
from tests.fetch.test_page_fetcher import Stream

STEP = PROGRESS_STEP_BYTES


@pytest.mark.parametrize(
    ("received", "sizes"),
    [
        ([100, STEP - 1], []),
        ([STEP, STEP + 5], [STEP, 5]),
        ([3 * STEP], [3 * STEP]),
        ([STEP, STEP], [STEP]),
        ([], []),
    ],
    ids=["small", "a rest", "a large step", "no rest", "nothing"],
)
def test_progress_is_reported_in_steps(received: list[int], sizes: list[int]) -> None:
    """Every further MiB, and the rest at the end; nothing for a body below one MiB. The sizes add up."""
    events: list[Event] = []
    reporter = ProgressReporter(make_request("http://a.example/f").url, 9, events.append, lambda: 1.5)
    for count in received:
        reporter.report(count)
    reporter.report(received[-1] if received else 0, last=True)
    assert events == [BytesReceived(1.5, "http://a.example/f", "a.example", size, 9) for size in sizes]


@pytest.mark.parametrize(
    ("stream", "size"),
    [
        (Stream(b"moved"), 5),
        (Stream(*[bytes(MAX_DISCARD_BYTES)] * 5), 2 * MAX_DISCARD_BYTES),
        (Stream(b"x", error=httpx.ReadError("reset")), 1),
    ],
    ids=["short", "long", "broken"],
)
async def test_a_body_is_discarded_as_far_as_that_is_cheap(stream: Stream, size: int) -> None:
    """A short one is read to its end, a long one is not, and errors do not matter."""
    adapter = HttpxAdapter(httpx.MockTransport(lambda _: httpx.Response(301, stream=stream)))
    assert await discard_body(await adapter.request("GET", "http://a.example", "/", [])) == size


async def test_errors_while_closing_are_ignored() -> None:
    """The outcome is known by then; a bug is still raised."""

    async def failing(error: Exception) -> None:
        raise error

    await close_quietly(failing(httpx.CloseError("reset")))
    await close_quietly(failing(OSError()))
    with pytest.raises(ZeroDivisionError):
        await close_quietly(failing(ZeroDivisionError()))
