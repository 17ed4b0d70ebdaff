"""The part of a host's queue that is held in RAM, so that a lease costs no I/O.

A window holds the best waiting requests of its host, in order. `edge` is the promise it keeps: every waiting request
at or before the edge is in the window, every one behind it is on disk alone. A full window pushes its last request
out by moving the edge before it; a window that runs low is filled from behind the edge. While a fill is under way
the edge may move, and then `filling` no longer has the fill's token and what it brings is discarded.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Mapping, Sequence

from scraper.model import Request

Row = tuple[int, int, Request]
"""A waiting request: priority, entry id, request. Order of rows is order of asking; ids are unique."""

Place = tuple[float, int]
"""A priority and an entry id: a place in the order of rows."""

EVERYTHING: Place = (math.inf, 0)
"""The edge of a window that holds all that waits."""


class HostWindow:
    """One host's line in the schedule, with its window. `notes` is None until they are read from disk."""

    __slots__ = (
        "closed",
        "edge",
        "filling",
        "introduced",
        "leased",
        "name",
        "notes",
        "ready_at",
        "rows",
        "ticket",
        "waiting",
    )

    def __init__(self, name: str, ready_at: float) -> None:
        self.name = name
        self.ready_at = ready_at
        self.ticket = 0
        self.closed = False
        self.introduced = False
        self.waiting = 0
        self.leased = 0
        self.notes: Mapping[str, str] | None = None
        self.rows: list[Row] = []
        self.edge = EVERYTHING
        self.filling = 0

    @property
    def bound(self) -> float:
        """The best priority that may be waiting: exact while the window holds something."""
        return self.rows[0][0] if self.rows else self.edge[0]

    @property
    def complete(self) -> bool:
        """Whether the window holds all that waits."""
        return self.edge is EVERYTHING

    def insert(self, row: Row, limit: int) -> Row | None:
        """Take in `row`, keeping at most `limit` rows; return the row that is left to the disk, None when none is."""
        rows = self.rows
        if self.edge is not EVERYTHING and row[:2] > self.edge:
            return row
        if not rows or row[:2] > rows[-1][:2]:
            rows.append(row)
        else:
            insort(rows, row)
        if len(rows) <= limit:
            return None
        last = rows.pop()
        self.edge = rows[-1][:2] if rows else (last[0], last[1] - 1)
        self.filling = 0
        return last

    def extend(self, rows: Sequence[Row], limit: int) -> int:
        """Take in what a fill found behind the edge, in order, at most `limit` rows; return how many."""
        self.filling = 0
        taken = rows[:limit]
        self.rows.extend(taken)
        self.edge = self.rows[-1][:2] if len(rows) > limit else EVERYTHING
        return len(taken)

    def empty(self) -> list[Row]:
        """Let all rows go to the disk; return them."""
        rows = self.rows
        if rows:
            priority, entry, _ = rows[0]
            self.rows = []
            self.edge = (priority, entry - 1)
            self.filling = 0
        return rows
