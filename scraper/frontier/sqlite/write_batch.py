"""Builds what one transaction writes, on the event loop. URLs that the caches know are dropped here, without I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from scraper.frontier.sqlite.messages import Requeue, SkipUpdate, WriteBatch
from scraper.model import Done, Drop, Request, Retry, Skip
from scraper.structures.recent_set import RecentSet
from scraper.urls.fingerprint import fingerprint


class WriteBatchBuilder:
    """Collects a `WriteBatch` from settlements, in their order."""

    def __init__(self, known: RecentSet, skipped: RecentSet) -> None:
        """`known` has fingerprints of queued URLs, `skipped` those of stored skips; both grow with the batch."""
        self._known_keys = known
        self._skipped_keys = skipped
        self._evictions_before = known.evictions
        self._discovered: list[tuple[int, Request | None]] = []
        self._finished: list[tuple[str, int, int]] = []
        self._finished_unwritten: list[tuple[str, int, int]] = []
        self._requeued: list[Requeue] = []
        self._skips: list[SkipUpdate] = []
        self._outcome_counts: Counter[tuple[str, str]] = Counter()
        self._items = 0
        self._wire_size = 0

    def add_discovered(self, requests: Sequence[Request]) -> None:
        """Add the requests that may be new."""
        admit = self._known_keys.add_if_new
        self._discovered += [(key, request) for request in requests if admit(key := fingerprint(request.url))]

    def add_skipped(self, skips: Iterable[Skip]) -> None:
        """Add URLs that will not be requested, unless they are queued or stored already."""
        known, admit = self._known_keys, self._skipped_keys.add_if_new
        for skip in skips:
            key = fingerprint(skip.url)
            if key not in known and admit(key):
                self._skips.append(SkipUpdate(key, skip, False))

    def add_totals(self, items: int, wire_size: int) -> None:
        """Add to the totals of the run."""
        self._items += items
        self._wire_size += wire_size

    def end_lease(
        self,
        entry: int,
        request: Request,
        verdict: Done | Drop | Retry,
        outcome: str,
        now: float,
        *,
        written: bool = True,
    ) -> None:
        """End the lease of `entry` by a verdict. A retry that is due at `now` is queued at once.

        `written` is false for a request that never was in the database.
        """
        host = request.url.host
        (self._finished if written else self._finished_unwritten).append((host, request.priority, entry))
        match verdict:
            case Retry(at, again):
                # The request may have another URL than the leased one: the target of a redirect. From now on that is
                # known, and not a skip any more.
                key = fingerprint(again.url)
                if self._known_keys.add_if_new(key):
                    self._discovered.append((key, None))
                self._skips.append(SkipUpdate(key, None, False))
                self._requeued.append(Requeue(None if at <= now else at, entry, again))
                return
            case Drop(reason, rule):
                # The URL is known, which would hide an ordinary skip: a dropped one is listed all the same.
                key = fingerprint(request.url)
                skip = Skip(request.url, request.parent, reason, rule)
                self._skips.append(SkipUpdate(key, skip, True))
            case Done():
                pass
            case never:
                assert_never(never)
        if outcome:
            self._outcome_counts[host, outcome] += 1

    @property
    def cache_evicted(self) -> bool:
        """Whether fingerprints have left the cache since this builder was made."""
        return self._known_keys.evictions != self._evictions_before

    def strip_requests(self, unsaved_keys: Iterable[int]) -> dict[int, Request]:
        """Replace the discovered requests by their fingerprints, after `unsaved_keys`; return them by fingerprint."""
        # Unsaved fingerprints are known ones, which are written now: a request that has one is not new.
        earlier = dict.fromkeys(unsaved_keys)
        requests: dict[int, Request] = {}
        for key, request in self._discovered:
            if request is not None and key not in earlier:
                requests.setdefault(key, request)
        self._discovered = [*earlier.items(), *((key, None) for key, _ in self._discovered)]
        return requests

    def build(self, checkpoints: Mapping[str, str], host_state: Mapping[str, Mapping[str, str]]) -> WriteBatch:
        """The batch, with these checkpoints and host states."""
        return WriteBatch(
            self._discovered,
            self._known_keys.is_complete,
            self.cache_evicted,
            self._finished,
            self._finished_unwritten,
            self._requeued,
            self._skips,
            self._outcome_counts,
            checkpoints,
            host_state,
            self._items,
            self._wire_size,
        )
