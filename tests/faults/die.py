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
from scraper.frontier.sqlite.statements import Store
from scraper.sinks import append_file as append
from scraper.sinks import files
from scraper.sinks.fanout import Fanout
from scraper.sinks.sqlite import SqliteSink

POINTS: dict[str, tuple[Any, str]] = {
    "before the sinks": (Fanout, "flush"),
    "before settling": (SqliteFrontier, "settle"),
    "before a commit": (Store, "commit"),
    "after a commit": (Store, "commit"),
    "after the sinks": (Fanout, "flush"),
    "half a line written": (append.AppendFile, "_write"),
    "after one file of several": (append.AppendFile, "_write"),
    "before items.sqlite": (SqliteSink, "_commit"),
    "after items.sqlite": (SqliteSink, "_commit"),
    "before a file is in place": (files, "_move"),
    "after a file is in place": (files, "_move"),
    "half a file copied": (files, "_copy"),
    "after a redirect": (Recorder, "_follow"),
    "before the summary": (crawler, "write_summary"),
}
"""Where to die, and the function that is about it."""


def die() -> None:
    """kill -9, from within."""
    os.kill(os.getpid(), signal.SIGKILL)


class Turns:
    """Counts down to the death."""

    def __init__(self, turns: int) -> None:
        self._left = turns

    def come(self) -> bool:
        self._left -= 1
        return self._left < 0


def aim(point: str, turns: Turns) -> None:
    """Put the death at `point`."""
    owner, name = POINTS[point]
    step: Callable[..., Any] = getattr(owner, name)
    after = point.startswith("after")

    def plain(*arguments: Any, **named: Any) -> Any:
        if (come := turns.come()) and not after:
            _half(point, arguments)
            die()
        result = step(*arguments, **named)
        if come:
            die()
        return result

    async def awaited(*arguments: Any, **named: Any) -> Any:
        if (come := turns.come()) and not after:
            _half(point, arguments)
            die()
        result = await step(*arguments, **named)
        if come:
            die()
        return result

    is_async = step.__code__.co_flags & 0x80
    setattr(owner, name, awaited if is_async else plain)


def _half(point: str, arguments: tuple[Any, ...]) -> None:
    """Do half of what the step would do."""
    if point == "half a line written":
        file, lines = arguments
        whole = b"".join(lines)
        os.write(file._opened().fileno(), whole[: len(whole) // 2 + 1])
    elif point == "half a file copied":
        _, name, folder, _ = arguments
        os.write(os.open(name + ".part", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=folder), b"half")


if __name__ == "__main__":
    aim(sys.argv[1], Turns(int(sys.argv[2])))
    main(sys.argv[3:])
