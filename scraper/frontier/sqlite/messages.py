"""The values that cross between the event loop and the writer thread. None of them changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from scraper.frontier.sqlite.host_window import Place, Row
from scraper.model import Request, Skip


class Totals(NamedTuple):
    """Sums over the whole run. `queued` includes what is leased."""

    known: int = 0
    queued: int = 0
    delayed: int = 0
    items: int = 0
    wire_size: int = 0
    last_id: int = 0


class Again(NamedTuple):
    """An entry that goes back as `request`: delayed until `due`, or into the queue at once when that is None."""

    due: float | None
    entry: int
    request: Request


class SkipChange(NamedTuple):
    """What becomes of the skip under `key`: found by a rule, dropped (which replaces it), or forgotten (None)."""

    key: int
    skip: Skip | None
    dropped: bool


@dataclass(frozen=True, slots=True)
class Group:
    """What one transaction writes. Numbers before URLs are their keys.

    `discovered` are requests to queue if their keys are new; a key without one only becomes known. `certain` says
    that all of them are new, `forgetful` that keys have left the caches since the last group. `finished` are the
    places (host, priority, id) that leave the queue, `vanished` those of requests that were never written.
    """

    discovered: Sequence[tuple[int, Request | None]] = ()
    certain: bool = False
    forgetful: bool = False
    finished: Sequence[tuple[str, int, int]] = ()
    vanished: Sequence[tuple[str, int, int]] = ()
    again: Sequence[Again] = ()
    skips: Sequence[SkipChange] = ()
    tally: Mapping[tuple[str, str], int] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    items: int = 0
    wire_size: int = 0

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        rows = self.discovered or self.finished or self.vanished or self.again or self.skips or self.tally
        return bool(rows or self.marks or self.notes or self.items or self.wire_size or self.forgetful)


class Written(NamedTuple):
    """What a transaction found: new requests with their ids, all keys that were new, hosts never met before, and the
    sums after it.
    """

    new: list[tuple[int, Request]]
    keys: Collection[int]
    fresh: set[str]
    totals: Totals


class Ask(NamedTuple):
    """A wish for at most `limit` rows of `host` behind a place. Of an `early` one notes may be too large to bring."""

    host: str
    after: Place
    limit: int
    notes: bool
    early: bool


class Supply(NamedTuple):
    """Rows for an `Ask`, and the host's notes if they were asked for."""

    rows: list[Row]
    notes: Mapping[str, str] | None


class Promoted(NamedTuple):
    """Requests whose date has come, now in the queue, and the earliest date left for each priority."""

    rows: list[tuple[int, Request]]
    due: dict[int, float]
    totals: Totals


class Waiting(NamedTuple):
    """One host that has requests in the queue: how many, and the place of the first."""

    host: str
    total: int
    first: Place


class Opened(NamedTuple):
    """How the file stands when it is opened; `keys` are all that are known, None when that is too many."""

    totals: Totals
    hosts: list[Waiting]
    due: dict[int, float]
    keys: set[int] | None
