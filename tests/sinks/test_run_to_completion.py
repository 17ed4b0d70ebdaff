"""Work in threads under cancellation."""

from __future__ import annotations

import asyncio

import pytest

from scraper.sinks.run_to_completion import run_to_completion


@pytest.mark.parametrize("fails", [False, True], ids=["work that succeeds", "work that fails"])
async def test_work_that_was_begun_is_finished_before_a_cancellation_goes_on(fails: bool) -> None:
    """However often the caller is cancelled, the work runs to its end first; then the cancellation comes."""
    go, done = asyncio.Event(), []

    async def work() -> None:
        await go.wait()
        done.append("work")
        if fails:
            raise OSError("no room")

    async def call() -> None:
        try:
            await run_to_completion(work())
        except asyncio.CancelledError:
            done.append("cancelled")
            raise

    caller = asyncio.ensure_future(call())
    for _ in range(3):
        await asyncio.sleep(0)
        caller.cancel()
    await asyncio.sleep(0)
    assert done == []
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert done == ["work", "cancelled"]


async def test_without_a_cancellation_result_and_error_come_through() -> None:
    """It is an ordinary await."""

    async def give(value: int) -> int:
        if value < 0:
            raise OSError("negative")
        return value

    assert await run_to_completion(give(3)) == 3
    with pytest.raises(OSError, match="negative"):
        await run_to_completion(give(-1))
