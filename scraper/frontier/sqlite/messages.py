"""The values that cross between the event loop and the database thread. None of them is changed after it was made."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from scraper.frontier.sqlite.host_buffer import QueueKey, QueueRow
from scraper.model import Request, Skip, Url


class Totals(NamedTuple):
    """Figures over the whole run. `queued` includes what is leased; `last_id` is the largest entry id in use."""

    known: int = 0
    queued: int = 0
    delayed: int = 0
    items: int = 0
    wire_size: int = 0
    last_id: int = 0


class Requeue(NamedTuple):
    """An entry that goes back as `request`: delayed until `due` (epoch seconds), or queued at once if that is None."""

    due: float | None
    entry_id: int
    request: Request


class SkipUpdate(NamedTuple):
    """A change of the skip stored under `key`: added, replaced (`dropped`), or removed (`skip` is None)."""

    key: int
    skip: Skip | None
    dropped: bool


@dataclass(frozen=True, slots=True, repr=False)
class WriteBatch:
    """What one transaction writes.

    `discovered` are fingerprints of URLs with the requests to queue if they are new; one without a request only becomes
    known. `all_new` says that all are new, `cache_evicted` that fingerprints have left the caches since the last batch.
    `finished` are the positions (host, priority, entry id) of requests to delete from the queue, `finished_unwritten`
    those of requests that never were in it. `outcome_counts` are increments by host and outcome.
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

    def __repr__(self) -> str:
        parts = {name: getattr(self, name) for name in self.__slots__}
        sizes = [f"{name}={value if isinstance(value, int) else len(value)}" for name, value in parts.items() if value]
        return f"<WriteBatch {' '.join(sizes) or 'empty'}>"

    def __bool__(self) -> bool:
        """Whether there is anything to write. An eviction alone is: what is in `fresh` has to be merged then."""
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
    """What a commit found out.

    `added` are the new requests with their entry ids, `new_keys` all fingerprints that were new, `new_hosts` the hosts
    that were not in the database, `totals` the figures after it.
    """

    added: list[tuple[int, Request]]
    # Also of requests that `write_only_on_evict` keeps out of the database; `added` does not have those.
    new_keys: Collection[int]
    new_hosts: set[str]
    totals: Totals


class ReadRequest(NamedTuple):
    """Read at most `max_rows` rows of `host` after a position, with its stored state if `with_state`.

    A prefetch may be left out when the states of all reads together become too large.
    """

    host: str
    after: QueueKey
    max_rows: int
    with_state: bool
    is_prefetch: bool


class ReadResult(NamedTuple):
    """The rows for a `ReadRequest`, and the host's state if that was wanted."""

    rows: list[QueueRow]
    host_state: Mapping[str, str] | None


class DueRequests(NamedTuple):
    """Delayed requests that are due and were moved to the queue; `next_due` is the earliest one left, by priority."""

    rows: list[tuple[int, Request]]
    next_due: dict[int, float]
    totals: Totals


class HostBacklog(NamedTuple):
    """A host with queued requests: how many, and the position of the first."""

    host: str
    request_count: int
    first: QueueKey


class OpenState(NamedTuple):
    """The state of the file when it is opened. `known_keys` are all known fingerprints, None when they are too many."""

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
