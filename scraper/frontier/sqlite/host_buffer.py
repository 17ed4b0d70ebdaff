"""The part of a host's queue that is in memory, so that a lease needs no I/O.

A buffer holds the best waiting requests of its host, in order. Its invariant: every waiting request up to
`buffered_until` is in the buffer, every later one is only in the database. From that follows:

- A row that comes after `buffered_until` is left to the database.
- A full buffer evicts its last row by moving `buffered_until` before it.
- A buffer that runs low is refilled with the rows after `buffered_until`. If `buffered_until` moves while the refill is
  being read, what was read is no longer the continuation and is discarded: `refill_token` has changed by then.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Mapping, Sequence

from scraper.model import Request

# Priority, entry id, request. Rows are requested in this order; ids are unique, so requests are never compared.
QueueRow = tuple[int, int, Request]

# Priority and entry id of a row, for comparing positions.
QueueKey = tuple[float, int]

# `buffered_until` of a buffer that holds all waiting requests. Compared by identity.
ALL_BUFFERED: QueueKey = (math.inf, 0)


class HostBuffer:
    """The queue of one host, as `HostSchedule` holds it (see `HostQueue`), with its buffered rows.

    `waiting` counts all waiting requests, buffered or not. `host_state` is None until it was read from the database.
    """

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
        """The best priority that may be waiting; exact while the buffer is not empty."""
        return self.rows[0][0] if self.rows else self.buffered_until[0]

    @property
    def holds_all(self) -> bool:
        """Whether all waiting requests are in the buffer."""
        return self.buffered_until is ALL_BUFFERED

    def insert(self, row: QueueRow, max_rows: int) -> QueueRow | None:
        """Add `row`, keeping at most `max_rows`. Return the row that is now only in the database, None when all fit."""
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
        # With no rows left: just before `last`. Ids are integers, so no row is in between.
        self.buffered_until = rows[-1][:2] if rows else (last[0], last[1] - 1)
        self.refill_token = 0
        return last

    def extend(self, rows: Sequence[QueueRow], max_rows: int) -> int:
        """Append what a refill read after `buffered_until`, at most `max_rows`; return how many were appended.

        More than `max_rows` says that others follow in the database.
        """
        self.refill_token = 0
        taken = rows[:max_rows]
        self.rows.extend(taken)
        self.buffered_until = self.rows[-1][:2] if len(rows) > max_rows else ALL_BUFFERED
        return len(taken)

    def evict_all(self) -> list[QueueRow]:
        """Remove all rows from memory; return them."""
        rows = self.rows
        if rows:
            priority, entry, _ = rows[0]
            self.rows = []
            self.buffered_until = (priority, entry - 1)
            self.refill_token = 0
        return rows

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"ready at {self.ready_at}"
        until = "all" if self.holds_all else f"until {self.buffered_until}"
        return (
            f"<HostBuffer {self.name} {state}: {self.waiting} waiting, {len(self.rows)} buffered ({until}), "
            f"{self.leased} leased, ticket {self.ticket}, refill {self.refill_token}>"
        )
