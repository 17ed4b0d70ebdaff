"""What every fetcher does with a response: report progress, drop a body that is not needed, close."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress

import httpx

from scraper.events import BytesReceived, Event
from scraper.model import Url
from scraper.transport.adapter import RawResponse

# Bytes read of a body that is dropped. Reading a short body to its end costs less than a new connection.
MAX_DISCARD_BYTES = 64 * 1024
# A large body is reported each time so many more bytes of it have come.
PROGRESS_STEP_BYTES = 1024 * 1024


class ProgressReporter:
    """Emits `BytesReceived` for one body, every `PROGRESS_STEP_BYTES`. Smaller bodies are not reported at all.

    `total` is the announced size in bytes, None when unknown.
    """

    __slots__ = ("_emit", "_now", "_reported", "_total", "_url")

    def __init__(self, url: Url, total: int | None, emit: Callable[[Event], None], now: Callable[[], float]) -> None:
        self._url, self._total, self._emit, self._now = url, total, emit, now
        self._reported = 0

    def report(self, received: int, last: bool = False) -> None:
        """`received` bytes have come so far; with `last` the rest is reported, too, if anything was before."""
        new = received - self._reported
        if new >= PROGRESS_STEP_BYTES or (last and self._reported and new):
            self._reported = received
            self._emit(BytesReceived(self._now(), self._url.href, self._url.host, new, self._total))


async def discard_body(response: RawResponse) -> int:
    """Drop the body, and return how many bytes of it were read.

    It is read to its end if that is near, so that the connection can be used again. Errors are ignored: the status and
    the headers are all that matters.
    """
    size = 0
    with suppress(httpx.HTTPError, OSError):
        async with aclosing(response.aiter_raw()) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > MAX_DISCARD_BYTES:
                    break
    return size


async def close_quietly(closing: Awaitable[None]) -> None:
    """Await `closing`, the result of `RawResponse.close`. Errors are ignored: the outcome is known by now."""
    with suppress(httpx.HTTPError, OSError):
        await closing
