"""Why a text could not be parsed."""

from __future__ import annotations


class ParseFailure(str):
    """A sentence that says why a text could not be parsed. Returned in place of a value, never raised."""

    __slots__ = ()


def quote(text: str) -> str:
    """`text` in quotes for a message, shortened."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
