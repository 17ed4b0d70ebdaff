"""`--debug`, and the list of asyncio tasks that SIGUSR1 prints.

With `--debug` the event loop logs callbacks that block it for longer than `SLOW_CALLBACK_SECONDS`. SIGUSR1 works with
and without `--debug`: it prints every task with the line of code it is suspended at.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from scraper.cli.exit_codes import echo_err

SLOW_CALLBACK_SECONDS = 0.1


@contextmanager
def task_dump_on_signal(debug: bool) -> Iterator[None]:
    """Print all tasks on SIGUSR1 while inside; with `debug` also switch on asyncio's debug mode."""
    loop = asyncio.get_running_loop()
    if debug:
        loop.set_debug(True)
        loop.slow_callback_duration = SLOW_CALLBACK_SECONDS
        logging.getLogger("asyncio").setLevel(logging.INFO)
        echo_err("debug: asyncio's debug mode is on; send SIGUSR1 to see every task")
    number = getattr(signal, "SIGUSR1", None)  # Windows has no SIGUSR1
    try:
        if number is not None:
            loop.add_signal_handler(number, lambda: echo_err(render_tasks()))
    except (NotImplementedError, RuntimeError, ValueError):
        number = None
    try:
        yield
    finally:
        if number is not None:
            loop.remove_signal_handler(number)


def render_tasks() -> str:
    """All tasks of the running loop, sorted by name: name, innermost coroutine, file and line."""
    lines = []
    for task in sorted(asyncio.all_tasks(), key=lambda task: task.get_name()):
        frames = task.get_stack(limit=1)
        location = f"{frames[-1].f_code.co_filename}:{frames[-1].f_lineno}" if frames else "not started"
        lines.append(f"{task.get_name():<14} {_innermost_coroutine(task)}  {location}")
    return f"{len(lines)} tasks\n" + "\n".join(lines)


def _innermost_coroutine(task: asyncio.Task[object]) -> str:
    """The qualified name of the coroutine at the end of the task's chain of awaits."""
    coroutine: object = task.get_coro()
    while True:
        inner = getattr(coroutine, "cr_await", None)
        if inner is None or not hasattr(inner, "cr_code"):
            return getattr(coroutine, "__qualname__", repr(coroutine))
        coroutine = inner
