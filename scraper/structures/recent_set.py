"""A set of bounded size that forgets what was added longest ago."""

from __future__ import annotations

from collections.abc import Set


class RecentSet:
    """Remembers at least the last `limit` different integers added, at most twice as many. For text, add its hash.

    It has two generations of at most `limit` each. When the young one is full it becomes the old one, and the old one
    is forgotten. Adding a number that is in the old one moves it to the young one, so what comes often stays. Unlike
    an LRU order, adding and asking cost one or two set operations, and forgetting costs nothing.
    """

    __slots__ = ("_limit", "_old", "_young", "evictions", "is_complete")

    def __init__(self, limit: int, known: Set[int] | None = frozenset()) -> None:
        """`known` are all numbers there are so far, at most `limit`; None when they are too many to hold."""
        # While True, a number that is not here was never added.
        self.is_complete = known is not None
        # How often a generation was forgotten, or became the old one.
        self.evictions = 0
        self._limit = limit
        self._young: set[int] = set(known or ())
        self._old: set[int] = set()

    def __contains__(self, key: int) -> bool:
        return key in self._young or key in self._old

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def discard(self, key: int) -> None:
        """Forget `key`, if it is remembered."""
        self._young.discard(key)
        self._old.discard(key)

    def add_if_new(self, key: int) -> bool:
        """Remember `key`; False if it was remembered already."""
        young = self._young
        if key in young:
            return False
        new = key not in self._old
        if len(young) < self._limit:
            young.add(key)
            return new
        self.is_complete = self.is_complete and not self._old
        self.evictions += 1
        self._old, self._young = young, {key}
        return new
