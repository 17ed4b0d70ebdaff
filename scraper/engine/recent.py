"""A set with a bound: what was seen lately."""

from __future__ import annotations


class Recent:
    """Remembers at least the last `generation` strings added, at most twice as many.

    A hit is certain; a miss means only "not lately". Two generations instead of an LRU order: adding and asking cost
    one set operation each, and forgetting costs nothing.
    """

    __slots__ = ("_generation", "_new", "_old")

    def __init__(self, generation: int) -> None:
        self._generation = generation
        self._new: set[str] = set()
        self._old: set[str] = set()

    def __contains__(self, text: str) -> bool:
        return text in self._new or text in self._old

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def add(self, text: str) -> None:
        """Remember `text`."""
        self._new.add(text)
        if len(self._new) >= self._generation:
            self._old, self._new = self._new, set()
