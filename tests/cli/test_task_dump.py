"""The list of asyncio tasks that SIGUSR1 prints."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from scraper.cli import task_dump


async def wait_for(event: asyncio.Event) -> None:
    await event.wait()


async def test_every_task_is_listed_with_what_it_waits_for() -> None:
    """A line has the task's name, its innermost coroutine, and the line of code it is suspended at."""
    event = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(wait_for(event), name="waiter")
        await asyncio.sleep(0)
        (line,) = [line for line in task_dump.render_tasks().splitlines() if line.startswith("waiter")]
        event.set()
    assert "Event.wait" in line
    assert f"{__file__}:" in line


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs SIGUSR1")
async def test_the_signal_prints_the_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGUSR1 lists the tasks while inside, and has its old handler afterwards."""
    before = signal.getsignal(signal.SIGUSR1)
    printed: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(task_dump, "echo_err", printed.put_nowait)
    with task_dump.task_dump_on_signal(debug=False):
        os.kill(os.getpid(), signal.SIGUSR1)
        async with asyncio.timeout(5):
            assert " tasks\n" in await printed.get()
    assert signal.getsignal(signal.SIGUSR1) == before
