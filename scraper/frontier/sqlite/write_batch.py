"""What one transaction will write, decided on the event loop: links that are known already get no further than here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from scraper.frontier.sqlite.messages import Again, Group, SkipChange
from scraper.model import Done, Drop, Request, Retry, Skip
from scraper.structures.seen_cache import RecentKeys
from scraper.urls.fingerprint import fingerprint


class Draft:
    """Collects a `Group` from settlements, in their order."""

    def __init__(self, known: RecentKeys, skipped: RecentKeys) -> None:
        """`known` holds keys of requests that were queued, `skipped` keys of skips that were kept."""
        self._known = known
        self._skipped_keys = skipped
        self._rotations = known.rotations
        self._discovered: list[tuple[int, Request | None]] = []
        self._finished: list[tuple[str, int, int]] = []
        self._vanished: list[tuple[str, int, int]] = []
        self._again: list[Again] = []
        self._skips: list[SkipChange] = []
        self._tally: Counter[tuple[str, str]] = Counter()
        self._items = 0
        self._wire_size = 0

    def discover(self, requests: Sequence[Request]) -> None:
        """Take in requests that may be new."""
        admit = self._known.admit
        self._discovered += [(key, request) for request in requests if admit(key := fingerprint(request.url))]

    def skip(self, skips: Iterable[Skip]) -> None:
        """Take in URLs that will not be asked for, unless they are queued or kept already."""
        known, admit = self._known, self._skipped_keys.admit
        for skip in skips:
            key = fingerprint(skip.url)
            if key not in known and admit(key):
                self._skips.append(SkipChange(key, skip, False))

    def measure(self, items: int, wire_size: int) -> None:
        """Add to the run's sums."""
        self._items += items
        self._wire_size += wire_size

    def finish(
        self,
        entry: int,
        request: Request,
        verdict: Done | Drop | Retry,
        outcome: str,
        now: float,
        *,
        written: bool = True,
    ) -> None:
        """End the lease of `entry`, which was leased as `request`. A retry due at `now` goes into the queue."""
        host = request.url.host
        (self._finished if written else self._vanished).append((host, request.priority, entry))
        match verdict:
            case Retry(at, again):
                key = fingerprint(again.url)
                if self._known.admit(key):
                    self._discovered.append((key, None))
                self._skips.append(SkipChange(key, None, False))
                self._again.append(Again(None if at <= now else at, entry, again))
                return
            case Drop(reason, rule):
                key = fingerprint(request.url)
                skip = Skip(request.url, request.parent, reason, rule)
                self._skips.append(SkipChange(key, skip, True))
            case Done():
                pass
            case never:
                assert_never(never)
        if outcome:
            self._tally[host, outcome] += 1

    @property
    def forgetful(self) -> bool:
        """Whether keys have left the caches meanwhile."""
        return self._known.rotations != self._rotations

    def keys_alone(self, unsaved: Iterable[int]) -> dict[int, Request]:
        """Leave of what was discovered the keys alone, behind `unsaved` ones; return the requests, by key."""
        earlier = dict.fromkeys(unsaved)
        requests: dict[int, Request] = {}
        for key, request in self._discovered:
            if request is not None and key not in earlier:
                requests.setdefault(key, request)
        self._discovered = [*earlier.items(), *((key, None) for key, _ in self._discovered)]
        return requests

    def group(self, marks: Mapping[str, str], notes: Mapping[str, Mapping[str, str]]) -> Group:
        """All of it."""
        return Group(
            self._discovered,
            self._known.complete,
            self.forgetful,
            self._finished,
            self._vanished,
            self._again,
            self._skips,
            self._tally,
            marks,
            notes,
            self._items,
            self._wire_size,
        )
