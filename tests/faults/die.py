"""The command line, in a process that kills itself in the middle of a step: what a kill at random seldom hits.

    python -m tests.faults.die POINT TURN crawl CONFIG ...

dies the first time it comes to POINT after having passed there TURN times.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
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

# Where to die, and the function that is about it.
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
    "before a file is in place": (files, "_move"),
    "after a file is in place": (files, "_move"),
    "half a file copied": (files, "_copy_body"),
    "after a redirect": (Recorder, "_follow"),
    "before the summary": (crawler, "write_summary"),
}


def kill_self() -> None:
    """kill -9, from within."""
    os.kill(os.getpid(), signal.SIGKILL)


class Countdown:
    """Counts down to the death."""

    def __init__(self, turns: int) -> None:
        self._left = turns

    def reached(self) -> bool:
        self._left -= 1
        return self._left < 0


def install_crash(point: str, turns: Countdown) -> None:
    """Put the death at `point`."""
    owner, name = CRASH_POINTS[point]
    step: Callable[..., Any] = getattr(owner, name)
    after = point.startswith("after")

    def plain(*arguments: Any, **named: Any) -> Any:
        if (come := turns.reached()) and not after:
            _do_half(point, arguments)
            kill_self()
        result = step(*arguments, **named)
        if come:
            kill_self()
        return result

    async def awaited(*arguments: Any, **named: Any) -> Any:
        if (come := turns.reached()) and not after:
            _do_half(point, arguments)
            kill_self()
        result = await step(*arguments, **named)
        if come:
            kill_self()
        return result

    is_async = step.__code__.co_flags & 0x80
    setattr(owner, name, awaited if is_async else plain)


def _do_half(point: str, arguments: tuple[Any, ...]) -> None:
    """Do half of what the step would do."""
    if point == "half a line written":
        file, lines = arguments
        whole = b"".join(lines)
        os.write(file._opened().fileno(), whole[: len(whole) // 2 + 1])
    elif point == "half a file copied":
        _, name, folder, _ = arguments
        os.write(os.open(name + ".part", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=folder), b"half")


if __name__ == "__main__":
    install_crash(sys.argv[1], Countdown(int(sys.argv[2])))
    main(sys.argv[3:])
