"""The values that cross between the event loop and the writer thread. None of them changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from scraper.frontier.sqlite.host_buffer import QueueKey, QueueRow
from scraper.model import Request, Skip, Url


class Totals(NamedTuple):
    """Sums over the whole run. `queued` includes what is leased."""

    known: int = 0
    queued: int = 0
    delayed: int = 0
    items: int = 0
    wire_size: int = 0
    last_id: int = 0


class Requeue(NamedTuple):
    """An entry that goes back as `request`: delayed until `due`, or into the queue at once when that is None."""

    due: float | None
    entry_id: int
    request: Request


class SkipUpdate(NamedTuple):
    """What becomes of the skip under `key`: found by a rule, dropped (which replaces it), or forgotten (None)."""

    key: int
    skip: Skip | None
    dropped: bool


@dataclass(frozen=True, slots=True)
class WriteBatch:
    """What one transaction writes. Numbers before URLs are their keys.

    `discovered` are requests to queue if their keys are new; a key without one only becomes known. `all_new` says
    that all of them are new, `cache_evicted` that keys have left the caches since the last group. `finished` are the
    places (host, priority, id) that leave the queue, `finished_unwritten` those of requests that were never written.
    """

    discovered: Sequence[tuple[int, Request | None]] = ()
    all_new: bool = False
    cache_evicted: bool = False
    finished: Sequence[tuple[str, int, int]] = ()
    finished_unwritten: Sequence[tuple[str, int, int]] = ()
    requeued: Sequence[Requeue] = ()
    skips: Sequence[SkipUpdate] = ()
    outcome_counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    host_state: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    items: int = 0
    wire_size: int = 0

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        rows = (
            self.discovered
            or self.finished
            or self.finished_unwritten
            or self.requeued
            or self.skips
            or self.outcome_counts
        )
        return bool(rows or self.checkpoints or self.host_state or self.items or self.wire_size or self.cache_evicted)


class CommitResult(NamedTuple):
    """What a transaction found: new requests with their ids, all keys that were new, hosts never met before, and the
    sums after it.
    """

    added: list[tuple[int, Request]]
    new_keys: Collection[int]
    new_hosts: set[str]
    totals: Totals


class ReadRequest(NamedTuple):
    """A wish for at most `limit` rows of `host` behind a place. Of an `early` one notes may be too large to bring."""

    host: str
    after: QueueKey
    max_rows: int
    with_state: bool
    is_prefetch: bool


class ReadResult(NamedTuple):
    """Rows for an `Ask`, and the host's notes if they were asked for."""

    rows: list[QueueRow]
    host_state: Mapping[str, str] | None


class DueRequests(NamedTuple):
    """Requests whose date has come, now in the queue, and the earliest date left for each priority."""

    rows: list[tuple[int, Request]]
    next_due: dict[int, float]
    totals: Totals


class HostBacklog(NamedTuple):
    """One host that has requests in the queue: how many, and the place of the first."""

    host: str
    request_count: int
    first: QueueKey


class OpenState(NamedTuple):
    """How the file stands when it is opened; `keys` are all that are known, None when that is too many."""

    totals: Totals
    backlogs: list[HostBacklog]
    next_due: dict[int, float]
    known_keys: set[int] | None


class FailedPage(NamedTuple):
    """A settled URL that is to be asked for again.

    It was counted under `outcome_code` of `host`; `later_urls` are those its redirects led to.
    """

    request: Request
    outcome_code: str
    host: str
    later_urls: tuple[Url, ...]
