"""The part of a host's queue that is held in RAM, so that a lease costs no I/O.

A window holds the best waiting requests of its host, in order. `edge` is the promise it keeps: every waiting request
at or before the edge is in the window, every one behind it is on disk alone. A full window pushes its last request
out by moving the edge before it; a window that runs low is filled from behind the edge. While a fill is under way
the edge may move, and then `refill_token` no longer has the fill's token and what it brings is discarded.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Mapping, Sequence

from scraper.model import Request

QueueRow = tuple[int, int, Request]
"""A waiting request: priority, entry id, request. Order of rows is order of asking; ids are unique."""

QueueKey = tuple[float, int]
"""A priority and an entry id: a place in the order of rows."""

ALL_BUFFERED: QueueKey = (math.inf, 0)
"""The edge of a window that holds all that waits."""


class HostBuffer:
    """One host's line in the schedule, with its window. `notes` is None until they are read from disk."""

    __slots__ = (
        "buffered_until",
        "closed",
        "host_state",
        "leased",
        "name",
        "ready_at",
        "refill_token",
        "rows",
        "state_delivered",
        "ticket",
        "waiting",
    )

    def __init__(self, name: str, ready_at: float) -> None:
        self.name = name
        self.ready_at = ready_at
        self.ticket = 0
        self.closed = False
        self.state_delivered = False
        self.waiting = 0
        self.leased = 0
        self.host_state: Mapping[str, str] | None = None
        self.rows: list[QueueRow] = []
        self.buffered_until = ALL_BUFFERED
        self.refill_token = 0

    @property
    def best_priority(self) -> float:
        """The best priority that may be waiting: exact while the window holds something."""
        return self.rows[0][0] if self.rows else self.buffered_until[0]

    @property
    def holds_all(self) -> bool:
        """Whether the window holds all that waits."""
        return self.buffered_until is ALL_BUFFERED

    def insert(self, row: QueueRow, max_rows: int) -> QueueRow | None:
        """Take in `row`, keeping at most `limit` rows; return the row that is left to the disk, None when none is."""
        rows = self.rows
        if self.buffered_until is not ALL_BUFFERED and row[:2] > self.buffered_until:
            return row
        if not rows or row[:2] > rows[-1][:2]:
            rows.append(row)
        else:
            insort(rows, row)
        if len(rows) <= max_rows:
            return None
        last = rows.pop()
        self.buffered_until = rows[-1][:2] if rows else (last[0], last[1] - 1)
        self.refill_token = 0
        return last

    def extend(self, rows: Sequence[QueueRow], max_rows: int) -> int:
        """Take in what a fill found behind the edge, in order, at most `limit` rows; return how many."""
        self.refill_token = 0
        taken = rows[:max_rows]
        self.rows.extend(taken)
        self.buffered_until = self.rows[-1][:2] if len(rows) > max_rows else ALL_BUFFERED
        return len(taken)

    def evict_all(self) -> list[QueueRow]:
        """Let all rows go to the disk; return them."""
        rows = self.rows
        if rows:
            priority, entry, _ = rows[0]
            self.rows = []
            self.buffered_until = (priority, entry - 1)
            self.refill_token = 0
        return rows
