"""A set with a bound: what was seen lately."""

from __future__ import annotations


class RecentSet:
    """Remembers at least the last `generation` strings added, at most twice as many.

    A miss means "not lately"; a hit is as good as certain: of each string only its 64-bit hash is kept, because a
    server chooses how long its URLs are. Two generations instead of an LRU order: adding and asking cost one set
    operation each, and forgetting costs nothing.
    """

    __slots__ = ("_generation", "_new", "_old")

    def __init__(self, limit: int) -> None:
        self._generation = limit
        self._new: set[int] = set()
        self._old: set[int] = set()

    def __contains__(self, text: str) -> bool:
        number = hash(text)
        return number in self._new or number in self._old

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def add(self, text: str) -> None:
        """Remember `text`."""
        self._new.add(hash(text))
        if len(self._new) >= self._generation:
            self._old, self._new = self._new, set()
