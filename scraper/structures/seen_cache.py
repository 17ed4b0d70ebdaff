"""Which keys are known already: what keeps the hundred links of every page away from the disk."""

from __future__ import annotations

from collections.abc import Set


class RecentSet:
    """Two generations of keys, at most `limit` each. A hit is certain; a miss is, too, while `complete` is true.

    When the young generation is full it becomes the old one and the old one is forgotten. A hit in the old one
    moves the key up, so what every page links to stays. `evictions` counts how often that has happened.
    """

    __slots__ = ("_limit", "_old", "_young", "evictions", "is_complete")

    def __init__(self, limit: int, known: Set[int] | None = frozenset()) -> None:
        """`known` are all keys there are so far, at most `limit`; None when they are too many to hold."""
        self.is_complete = known is not None
        self.evictions = 0
        self._limit = limit
        self._young: set[int] = set(known or ())
        self._old: set[int] = set()

    def __contains__(self, key: int) -> bool:
        return key in self._young or key in self._old

    def add_if_new(self, key: int) -> bool:
        """Remember `key`; False when it was remembered already."""
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
