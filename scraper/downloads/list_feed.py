"""From the entries of a list to requests: names, what the journal knows of them, what is left to ask for.

The list is read in batches, in a thread, while the first files are on their way. An entry is known again by its URL
and the name that the list wants for it, whatever its line, so that a list may grow between two runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from email.utils import formatdate
from typing import Any, NamedTuple

from scraper.downloads.journal import Journal, Row, State
from scraper.downloads.list_counts import PROBLEMS_KEPT, Tally
from scraper.downloads.lists.checksum_file import Checksums
from scraper.downloads.lists.content_disposition import suggested_name
from scraper.downloads.lists.entry import BadLine, Entry
from scraper.downloads.lists.file_names import Named, Namer, NameSettings, url_name
from scraper.downloads.lists.pipe_source import Halted, Lull
from scraper.downloads.manifest import detail_in, validators_in
from scraper.downloads.mirrors import Mirrors, request_for
from scraper.model import Headers, OutOfScope, Request
from scraper.sinks.records import to_json
from scraper.structures.compact_map import key_of
from scraper.transfer.entry_label import Order
from scraper.transfer.file_fetcher import ADOPT
from scraper.transfer.name_cache import Listing
from scraper.transfer.output_folder import Folder
from scraper.urls.canonicalize import canonicalise

FIRST_BATCH = 32
"""Lines of the first batch: the first transfer should not wait for more."""
BATCH = 1_000
DISPOSITION = b"content-disposition"


class Batch(NamedTuple):
    """Some lines of the list: what to ask for, and what only needs a record."""

    requests: list[Request]
    noted: list[Row]


class ListFeed:
    """Reads `entries` in batches. Its methods block and are called in threads, one at a time.

    `refresh` asks for complete files again, conditionally. `halt` is set to end a wait for more of the list. `count`
    tells how many lines there will be, if that can be known. Raises what reading the list raises.
    """

    def __init__(
        self,
        entries: Iterable[Entry | BadLine | Lull],
        names: NameSettings,
        journal: Journal,
        folder: Folder,
        checksums: Checksums | None = None,
        *,
        refresh: bool = False,
        tally: Tally | None = None,
        halt: threading.Event | None = None,
        mirrors: Mirrors | None = None,
        count: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.tally = tally or Tally()
        self._entries = iter(entries)
        self._mirrors = mirrors
        self._halt = halt or threading.Event()
        self._namer = Namer(names, Listing(folder).holds)
        self._overwrite = names.collision == "overwrite"
        self._journal, self._folder, self._checksums = journal, folder, checksums
        self._refresh = refresh
        self._last = self._known = journal.last
        self._seen = bytearray((journal.last >> 3) + 1)  # a bit for every entry that this list has named so far
        self._count = 0
        self._claimed = False
        self._is_counted = False
        self._count_lines = count
        self._lock = threading.Lock()
        self._naming = threading.Lock()
        self._may_suggest = names.template == NameSettings().template

    def batch(self) -> Batch | None:
        """The next lines, as soon as some are there; None when there are no more, or reading was halted."""
        with self._lock:
            is_first = not self.tally.lines
            if not (is_first or self._is_counted):
                self._is_counted = True
                self.tally.expected = self._count_lines() or 0
            lines = self._take(FIRST_BATCH if is_first else BATCH)
            if not lines:
                self.tally.ended = not self._halt.is_set()
                return None
            return self._sort(lines)

    def rename(self, order: Order, headers: Headers) -> str | None:
        """The path that the server's own name for the file gives it; None where the list, the URL or the user says one.

        Called on the event loop. The journal knows the path when this returns, so that a killed run finds its file.
        """
        if not self._may_suggest or DISPOSITION not in headers.by_name:  # nearly always: a look at the URL costs more
            return None
        if order.name is not None or url_name(order.url) is not None:
            return None
        suggested = suggested_name(headers)
        if suggested is None:
            return None
        with self._naming:
            named = self._namer.assign(order.url, suggested, order.folder)
        if not isinstance(named, Named):
            return None
        self._journal.rename(order.number, named.path)
        return named.path

    def close(self) -> None:
        """Let go of the list."""
        with self._lock:
            close = getattr(self._entries, "close", None)
            if close is not None:
                close()

    def halt(self) -> None:
        """Wait no longer for a list that comes through a pipe. Called from any thread."""
        self._halt.set()

    def _take(self, count: int) -> list[Entry | BadLine]:
        lines: list[Entry | BadLine] = []
        with suppress(Halted):
            for line in self._entries:
                if not isinstance(line, Lull):
                    lines.append(line)
                if len(lines) == count or (lines and isinstance(line, Lull)):
                    break
        return [] if self._halt.is_set() else lines

    def _sort(self, lines: list[Entry | BadLine]) -> Batch:
        batch, added = Batch([], []), []
        keys = [_key_of(line) for line in lines]
        known = self._journal.find(keys)
        for line, key in zip(lines, keys, strict=True):
            self.tally.lines += 1
            row = known.get(key)
            if isinstance(line, BadLine):
                self._bad(line, key, row, batch)
                continue
            self._count += 1
            if row is None:
                known[key] = row = self._new(line, key, batch)
                if row.state is State.WAITING:
                    added.append(row)
            elif self._was_seen(row.number):
                self._repeated(line, row, batch)
            else:
                self._again(line, row, batch)
            self._see(row.number)
        self._journal.add(sorted((*added, *batch.noted)) if batch.noted else added)
        return batch

    def _new(self, entry: Entry, key: bytes, batch: Batch) -> Row:
        number = self._next()
        with self._naming:
            self._claim()
            named = self._namer.assign(entry.urls[0], entry.name, entry.folder, index=self._count)
        if isinstance(named, Named):
            batch.requests.append(self._request(entry, number, named.path, replace=self._overwrite))
            return Row(number, key, entry.line, State.WAITING, named.path)
        record = _record(entry.line, entry.urls[0], "io", f"{named.path}: {named.reason}")
        if named.skip:
            self.tally.skipped += 1
            record["error"], record["skipped"] = None, True
        else:
            self.tally.refused += 1
            self._tell(f"line {entry.line}: {named.path}: {named.reason}")
        row = Row(number, key, entry.line, State.NOTED, None, None, to_json(record))
        batch.noted.append(row)
        return row

    def _claim(self) -> None:
        """Take the names of earlier runs: only when there is one to give, for a million of them are some seconds."""
        if not self._claimed:
            self._claimed = True
            for path in self._journal.paths():
                self._namer.claim(path)

    def _again(self, entry: Entry, row: Row, batch: Batch) -> None:
        """An entry that an earlier run has met."""
        if row.path is None:
            self._noted_before(entry, row)
            return
        found = self._folder.look(row.path)
        if row.state is State.DONE and found is not None and found.st_size == row.size:
            if not self._refresh:
                self.tally.complete += 1
                self.tally.complete_bytes += found.st_size
                return
            etag, modified = validators_in(row.record)
            batch.requests.append(
                self._request(entry, row.number, row.path, replace=True, etag=etag, modified=modified)
            )
        elif row.state is State.WAITING and found is not None:
            # Complete, if it is ours: a file has its name only when it is. Its time is the server's Last-Modified.
            batch.requests.append(
                self._request(
                    entry, row.number, row.path, replace=True, modified=_http_date(found.st_mtime), notes=(ADOPT,)
                )
            )
        else:
            batch.requests.append(self._request(entry, row.number, row.path, replace=True))

    def _request(self, entry: Entry, number: int, path: str, **more: Any) -> Request:
        self.tally.asked += 1
        checksum = entry.checksum
        if checksum is None and self._checksums is not None:
            checksum = self._checksums.find(path) or self._checksums.find_url(entry.urls[0])
        order = Order(
            number,
            entry.line,
            entry.urls[0],
            path,
            _valid(entry.name),
            _valid(entry.folder),
            None if checksum is None else str(checksum),
            entry.urls[1:],
            entry.headers,
            **more,
        )
        if order.mirrors and self._mirrors is not None:
            self._mirrors.remember(order)
        return request_for(order, order.url)

    def _bad(self, line: BadLine, key: bytes, row: Row | None, batch: Batch) -> None:
        self.tally.bad += 1
        self._tell(f"line {line.line}: {line.reason}: {line.text}")
        if row is None:
            record = _record(line.line, line.text, "parse", line.reason)
            batch.noted.append(Row(self._next(), key, line.line, State.NOTED, None, None, to_json(record)))

    def _repeated(self, entry: Entry, first: Row, batch: Batch) -> None:
        self.tally.repeated += 1
        key = _key("again", str(entry.line), str(int.from_bytes(first.key, "big", signed=True)))
        if self._known and self._journal.find([key]):
            return
        record = _record(entry.line, entry.urls[0], None, None)
        record["path"], record["same_as"] = first.path, first.line
        batch.noted.append(Row(self._next(), key, entry.line, State.NOTED, None, None, to_json(record)))

    def _noted_before(self, entry: Entry, row: Row) -> None:
        """An entry without a name: left out as the user wants, or refused."""
        if b'"skipped":true' in (row.record or b""):
            self.tally.skipped += 1
        else:
            self.tally.refused += 1
            self._tell(f"line {entry.line}: {detail_in(row.record)}")

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _was_seen(self, number: int) -> bool:
        return number >> 3 < len(self._seen) and bool(self._seen[number >> 3] >> (number & 7) & 1)

    def _see(self, number: int) -> None:
        if number >> 3 >= len(self._seen):
            self._seen.extend(bytes((number >> 3) + 1024 - len(self._seen)))
        self._seen[number >> 3] |= 1 << (number & 7)

    def _tell(self, problem: str) -> None:
        if len(self.tally.problems) < PROBLEMS_KEPT:
            self.tally.problems.append(problem)


def lines_of(urls: Iterable[str]) -> Iterator[Entry | BadLine]:
    """URLs that a program gives, as entries of a list."""
    for number, text in enumerate(urls, 1):
        url = canonicalise(text)
        if isinstance(url, OutOfScope):
            yield BadLine(number, text[:200], url.rule)
        else:
            yield Entry(number, (url.href,))


def _valid(text: str | None) -> str | None:
    """`text` as valid Unicode: a label is JSON."""
    return text if text is None or text.isascii() else text.encode("utf-8", "replace").decode()


def _key_of(line: Entry | BadLine) -> bytes:
    if isinstance(line, BadLine):
        return _key("bad", str(line.line), line.text)
    return _key("file", line.urls[0], line.name or "", line.folder or "")


def _key(*parts: str) -> bytes:
    return key_of("\0".join(parts))


def _record(line: int, url: str, error: str | None, detail: str | None) -> dict[str, object]:
    return {"line": line, "path": None, "url": url, "status": None, "error": error, "error_detail": detail}


def _http_date(instant: float) -> str | None:
    try:
        return formatdate(instant, usegmt=True)
    except (ValueError, OverflowError, OSError):
        return None
