"""What travels with a request of a download: which entry of the list it serves, and all a fetcher needs to serve it.

An order is written into `Request.label`, so it lies in the frontier with its request and no second look-up is needed
when the request is leased. As text it is a JSON array; fields at their defaults at its end are left out.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from scraper.model import Request
from scraper.transfer.checksum import Checksum, parse_checksum


class EntryState(NamedTuple):
    """One entry of a list on its way.

    `number` is the entry's in the journal, `line` the list's, counted from 1. `url` is the one that the list names
    first. `path` is relative to the output folder. `mirrors` are its other URLs; `used` is the place that is asked now,
    0 for `url`, 1 for the first mirror, and `out` are the places that have failed for good. `tries` counts
    requests that `Request.attempt` does not. `replace`: what lies at `path` is ours, or may be overwritten.
    `etag` and `modified` are the validators of the file that is there already (`modified` as an HTTP date). `notes`
    tells the manifest what a fetcher found out on the way.
    """

    number: int
    line: int
    url: str
    path: str
    name: str | None = None
    folder: str | None = None
    checksum: str | None = None
    mirrors: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    replace: bool = False
    etag: str | None = None
    modified: str | None = None
    tries: int = 0
    used: int = 0
    notes: tuple[str, ...] = ()
    out: tuple[int, ...] = ()

    @property
    def expected(self) -> Checksum | None:
        """The checksum that the list gives, or None."""
        return parse_checksum(self.checksum) if self.checksum else None

    def label(self) -> str:
        """The order as text, for `Request.label`."""
        end = len(self) if self[_REQUIRED:] != _DEFAULTS[_REQUIRED:] else _REQUIRED
        while end > _REQUIRED and self[end - 1] == _DEFAULTS[end - 1]:
            end -= 1
        label = _Label(orjson.dumps(self[:end]).decode())
        label.order = self
        return label


class _Label(str):
    """An order as text, and the order itself for as long as that text is in memory: it is asked for twice a file."""

    __slots__ = ("order",)
    order: EntryState


_REQUIRED = 4
_DEFAULTS = EntryState(0, 0, "", "")


def entry_of(request: Request) -> EntryState:
    """The order that `request` serves. Raises `ValueError` for a request of something else."""
    if request.label is None:
        raise ValueError("this request serves no list")
    if isinstance(request.label, _Label):
        return request.label.order
    values = orjson.loads(request.label)
    if len(values) > _MIRRORS:
        values[_MIRRORS] = tuple(values[_MIRRORS])
    if len(values) > _HEADERS:
        values[_HEADERS] = tuple((name, value) for name, value in values[_HEADERS])
    for place in (_NOTES, _OUT):
        if len(values) > place:
            values[place] = tuple(values[place])
    return EntryState(*values)


_MIRRORS, _HEADERS, _NOTES, _OUT = (EntryState._fields.index(name) for name in ("mirrors", "headers", "notes", "out"))
