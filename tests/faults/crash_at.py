"""Runs the command line in a process that kills itself at a chosen point, which random kills seldom hit.

    python -m tests.faults.crash_at POINT TURN crawl CONFIG ...

The process kills itself when it reaches POINT after having passed it TURN times.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from scraper import crawler
from scraper.cli.app import main
from scraper.engine.recorder import Recorder
from scraper.frontier.sqlite.frontier import SqliteFrontier
from scraper.frontier.sqlite.statements import FrontierDatabase
from scraper.sinks import append_file as append
from scraper.sinks import files
from scraper.sinks.fanout import Fanout
from scraper.sinks.sqlite import SqliteSink

# Crash point -> (owner, name) of the function that is replaced. Points that begin with "after" crash when the function
# has returned, all others before it is called.
CRASH_POINTS: dict[str, tuple[Any, str]] = {
    "before the sinks": (Fanout, "flush"),
    "before settling": (SqliteFrontier, "settle"),
    "before a commit": (FrontierDatabase, "commit"),
    "after a commit": (FrontierDatabase, "commit"),
    "after the sinks": (Fanout, "flush"),
    "half a line written": (append.AppendFile, "_write"),
    "after one file of several": (append.AppendFile, "_write"),
    "before items.sqlite": (SqliteSink, "_commit"),
    "after items.sqlite": (SqliteSink, "_commit"),
    "before a file is in place": (files, "_move_spooled"),
    "after a file is in place": (files, "_move_spooled"),
    "half a file copied": (files, "_copy_body"),
    "after a redirect": (Recorder, "_follow"),
    "before the summary": (crawler, "write_summary"),
}


def kill_self() -> None:
    """Kill this process like `kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)


class Countdown:
    """Counts how often a crash point is still to be passed."""

    def __init__(self, turns: int) -> None:
        self._left = turns

    def reached(self) -> bool:
        """Count one pass; True once the count is used up."""
        self._left -= 1
        return self._left < 0


def install_crash(point: str, countdown: Countdown) -> None:
    """Make this process crash at `point` when `countdown` is used up."""
    owner, name = CRASH_POINTS[point]
    step: Callable[..., Any] = getattr(owner, name)
    after = point.startswith("after")

    def run_step(*arguments: Any, **named: Any) -> Any:
        if (crash := countdown.reached()) and not after:
            _do_half(point, arguments)
            kill_self()
        result = step(*arguments, **named)
        if crash:
            kill_self()
        return result

    async def run_async_step(*arguments: Any, **named: Any) -> Any:
        if (crash := countdown.reached()) and not after:
            _do_half(point, arguments)
            kill_self()
        result = await step(*arguments, **named)
        if crash:
            kill_self()
        return result

    setattr(owner, name, run_async_step if iscoroutinefunction(step) else run_step)


def _do_half(point: str, arguments: tuple[Any, ...]) -> None:
    """Do half of the work of the step, so that the crash leaves a torn line or file."""
    if point == "half a line written":
        file, lines = arguments
        whole = b"".join(lines)
        os.write(file._require_open().fileno(), whole[: len(whole) // 2 + 1])
    elif point == "half a file copied":
        _, name, folder, _ = arguments
        os.write(os.open(name + ".part", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=folder), b"half")


if __name__ == "__main__":
    install_crash(sys.argv[1], Countdown(int(sys.argv[2])))
    main(sys.argv[3:])
