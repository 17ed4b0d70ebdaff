"""What is kept of a frontier whose queue is thrown away: what is remembered of its hosts, and its marks.

A download makes its queue anew in every session. How its hosts stood must outlive that: a breaker that is open, a
Retry-After that is not over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from scraper.frontier.sqlite.schema import BUSY_SECONDS

MAX_HOSTS = 20_000
"""Hosts whose notes are kept."""


class CarryOver(NamedTuple):
    """Notes by host and name, and marks by name, as `Frontier.settle` takes them."""

    host_state: dict[str, dict[str, str]]
    checkpoints: dict[str, str]


def read_carry_over(path: Path, state_name: str, is_wanted: Callable[[str, str], bool]) -> CarryOver:
    """Read the notes called `name` for which `wanted(host, note)`, and all marks, from the file at `path`.

    A file that is missing or damaged has left nothing. Blocks.
    """
    remains = CarryOver({}, {})
    if not path.exists():
        return remains
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as db:
        remains.checkpoints.update(db.execute("SELECT name, value FROM mark"))
        rows = db.execute("SELECT host.name, value FROM note JOIN host ON id = host WHERE note.name = ?", (state_name,))
        for host, note in rows:
            if is_wanted(host, note):
                remains.host_state[host] = {state_name: note}
                if len(remains.host_state) == MAX_HOSTS:
                    break
    return remains
