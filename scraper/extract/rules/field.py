"""The port of a compiled field, and what reading one can give.

A value that is empty counts as missing. A missing field gets its default: the one that is set, else None, or an empty
list with `many` and `links`. A text that cannot be parsed as the field's type gives the default too, and is reported as
a `FieldError`. If the field is `required`, either means that there is no item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from scraper.extract.rules.page_context import PageContext

# Returned by `Field.read` when nothing is there.
MISSING = object()


@dataclass(frozen=True, slots=True)
class PartialValue:
    """A value of which a part could not be read.

    `reasons`: the field inside this one (`.author`, or empty for this one itself), and why it could not.
    """

    value: Any
    reasons: tuple[tuple[str, str], ...]


class Field(Protocol):
    """One compiled field. `missing_reason` is the reason reported when a required field is missing."""

    name: str
    required: bool
    missing_reason: str

    def read(self, node: Any, context: PageContext) -> Any:
        """The value at `node` (an element, or a value of a JSON page), or `MISSING`, `ParseFailure`, `PartialValue`.

        Raises `ReadBudgetExceeded`.
        """
        ...

    def default_value(self) -> Any:
        """The value of the field when it is missing."""
        ...
