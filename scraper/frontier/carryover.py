"""What a new frontier takes over from an earlier file: the state of hosts, and checkpoints.

A download builds its queue again in every session. The state of its hosts must survive that: an open circuit breaker,
or a Retry-After that is still running.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from scraper.frontier.sqlite.schema import BUSY_SECONDS

# More hosts than this are not in trouble at once; it bounds memory.
MAX_HOSTS = 20_000


class CarryOver(NamedTuple):
    """`host_state` by host and name, and `checkpoints` by name, as `Frontier.settle` takes them."""

    host_state: dict[str, dict[str, str]]
    checkpoints: dict[str, str]


def read_carry_over(path: Path, state_name: str, is_wanted: Callable[[str, str], bool]) -> CarryOver:
    """Read from the frontier's file at `path` all checkpoints, and the state called `state_name` of wanted hosts.

    `is_wanted` gets a host and its text. A file that is missing or damaged gives nothing. Blocks.
    """
    carried = CarryOver({}, {})
    if not path.exists():
        return carried
    # A damaged file costs the state of hosts and nothing else: the queue is built again anyway.
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as db:
        carried.checkpoints.update(db.execute("SELECT name, value FROM mark"))
        rows = db.execute("SELECT host.name, value FROM note JOIN host ON id = host WHERE note.name = ?", (state_name,))
        for host, text in rows:
            if is_wanted(host, text):
                carried.host_state[host] = {state_name: text}
                if len(carried.host_state) == MAX_HOSTS:
                    break
    return carried
