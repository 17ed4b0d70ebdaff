"""One entry of a download list, as it travels with its request."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson


class EntryState(NamedTuple):
    """Everything a fetcher needs to download one entry of a list, and what happened to the entry so far.

    `number` is the entry's number in the journal, `line` its line in the list, counted from 1. `url` is the URL that
    the list gives first. `path` is where the file goes, relative to the output folder.

    `name`, `folder`, `checksum` and `headers` are what the list says about the file. `mirrors` are its other URLs.
    `mirror_index` is the URL in use: 0 for `url`, 1 for the first mirror. `failed_mirrors` are the indexes that failed
    for good.

    `may_replace`: the file at `path` is this entry's own, or the user allows to overwrite it. `etag` and
    `last_modified` (an HTTP date) are the validators of that file. `uncounted_attempts` are requests made for the entry
    that `Request.attempt` does not count. `history` is what happened on the way, for the manifest.
    """

    # The order of the fields is the order of the JSON array on disk: append new ones at the end.
    number: int
    line: int
    url: str
    path: str
    name: str | None = None
    folder: str | None = None
    checksum: str | None = None
    mirrors: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    may_replace: bool = False
    etag: str | None = None
    last_modified: str | None = None
    uncounted_attempts: int = 0
    mirror_index: int = 0
    history: tuple[str, ...] = ()
    failed_mirrors: tuple[int, ...] = ()

    @property
    def urls(self) -> tuple[str, ...]:
        """All URLs of the file; `mirror_index` counts in this order."""
        return (self.url, *self.mirrors)

    @property
    def key(self) -> str:
        """The identity of the entry's first request (`Url.key`). Not the URL: two entries may have the same one."""
        return f"entry {self.number}"

    def to_json(self) -> str:
        """A JSON array of the fields, without those at the end that have their defaults."""
        end = len(self) if self[_REQUIRED:] != _DEFAULTS[_REQUIRED:] else _REQUIRED
        while end > _REQUIRED and self[end - 1] == _DEFAULTS[end - 1]:
            end -= 1
        return orjson.dumps(self[:end]).decode()

    @classmethod
    def from_json(cls, text: str) -> EntryState:
        """The entry that `to_json` wrote. Raises `ValueError` for text that is not JSON."""
        values: list[Any] = orjson.loads(text)
        # JSON has no tuples.
        for index in _TUPLES:
            if index < len(values):
                values[index] = tuple(values[index])
        if len(values) > _HEADERS:
            values[_HEADERS] = tuple((name, value) for name, value in values[_HEADERS])
        return cls(*values)


_REQUIRED = 4
_DEFAULTS = EntryState(0, 0, "", "")
_HEADERS = EntryState._fields.index("headers")
_TUPLES = tuple(EntryState._fields.index(name) for name in ("mirrors", "history", "failed_mirrors"))
