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

from scraper.downloads.journal import EntryStatus, Journal, JournalRow
from scraper.downloads.list_counts import MAX_PROBLEMS, ListCounts
from scraper.downloads.lists.checksum_file import Checksums
from scraper.downloads.lists.content_disposition import suggested_name
from scraper.downloads.lists.entry import BadLine, Entry
from scraper.downloads.lists.file_names import AssignedName, NameAssigner, NameSettings, url_name
from scraper.downloads.lists.pipe_source import NoData, ReadStopped
from scraper.downloads.manifest import record_detail, record_validators
from scraper.downloads.mirrors import EntryMirrors, entry_request
from scraper.model import Headers, OutOfScope, Request
from scraper.sinks.records import to_json
from scraper.structures.compact_map import hash_key
from scraper.transfer.entry_state import EntryState
from scraper.transfer.file_fetcher import ADOPT_EXISTING
from scraper.transfer.name_cache import NameCache
from scraper.transfer.output_folder import OutputFolder
from scraper.urls.canonicalize import canonicalize

# Lines of the first batch: the first transfer should not wait for more.
FIRST_BATCH_LINES = 32
BATCH_LINES = 1_000
_DISPOSITION_FIELD = b"content-disposition"


class ListBatch(NamedTuple):
    """Some lines of the list: what to ask for, and what only needs a record."""

    requests: list[Request]
    rows: list[JournalRow]


class ListFeed:
    """Reads `entries` in batches. Its methods block and are called in threads, one at a time.

    `refresh` asks for complete files again, conditionally. `halt` is set to end a wait for more of the list. `count`
    tells how many lines there will be, if that can be known. Raises what reading the list raises.
    """

    def __init__(
        self,
        entries: Iterable[Entry | BadLine | NoData],
        names: NameSettings,
        journal: Journal,
        folder: OutputFolder,
        checksums: Checksums | None = None,
        *,
        refresh: bool = False,
        tally: ListCounts | None = None,
        halt: threading.Event | None = None,
        mirrors: EntryMirrors | None = None,
        count: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.counts = tally or ListCounts()
        self._entries = iter(entries)
        self._mirrors = mirrors
        self._halt = halt or threading.Event()
        self._namer = NameAssigner(names, NameCache(folder).exists)
        self._overwrite = names.collision == "overwrite"
        self._journal, self._folder, self._checksums = journal, folder, checksums
        self._refresh = refresh
        self._last = self._known = journal.last_number
        self._seen = bytearray((journal.last_number >> 3) + 1)  # a bit for every entry that this list has named so far
        self._count = 0
        self._claimed = False
        self._is_counted = False
        self._count_lines = count
        self._lock = threading.Lock()
        self._naming = threading.Lock()
        self._may_suggest = names.template == NameSettings().template

    def next_batch(self) -> ListBatch | None:
        """The next lines, as soon as some are there; None when there are no more, or reading was halted."""
        with self._lock:
            is_first = not self.counts.lines
            if not (is_first or self._is_counted):
                self._is_counted = True
                self.counts.expected_lines = self._count_lines() or 0
            lines = self._read_lines(FIRST_BATCH_LINES if is_first else BATCH_LINES)
            if not lines:
                self.counts.fully_read = not self._halt.is_set()
                return None
            return self._classify(lines)

    def rename_from_headers(self, order: EntryState, headers: Headers) -> str | None:
        """The path that the server's own name for the file gives it; None where the list, the URL or the user says one.

        Called on the event loop. The journal knows the path when this returns, so that a killed run finds its file.
        """
        if (
            not self._may_suggest or _DISPOSITION_FIELD not in headers.by_name
        ):  # nearly always: a look at the URL costs more
            return None
        if order.name is not None or url_name(order.url) is not None:
            return None
        suggested = suggested_name(headers)
        if suggested is None:
            return None
        with self._naming:
            named = self._namer.assign(order.url, suggested, order.folder)
        if not isinstance(named, AssignedName):
            return None
        self._journal.set_path(order.number, named.path)
        return named.path

    def close(self) -> None:
        """Let go of the list."""
        with self._lock:
            close = getattr(self._entries, "close", None)
            if close is not None:
                close()

    def stop_waiting(self) -> None:
        """Wait no longer for a list that comes through a pipe. Called from any thread."""
        self._halt.set()

    def _read_lines(self, count: int) -> list[Entry | BadLine]:
        lines: list[Entry | BadLine] = []
        with suppress(ReadStopped):
            for line in self._entries:
                if not isinstance(line, NoData):
                    lines.append(line)
                if len(lines) == count or (lines and isinstance(line, NoData)):
                    break
        return [] if self._halt.is_set() else lines

    def _classify(self, lines: list[Entry | BadLine]) -> ListBatch:
        batch, added = ListBatch([], []), []
        keys = [_line_key(line) for line in lines]
        known = self._journal.find(keys)
        for line, key in zip(lines, keys, strict=True):
            self.counts.lines += 1
            row = known.get(key)
            if isinstance(line, BadLine):
                self._record_bad(line, key, row, batch)
                continue
            self._count += 1
            if row is None:
                known[key] = row = self._add_entry(line, key, batch)
                if row.state is EntryStatus.QUEUED:
                    added.append(row)
            elif self._is_seen(row.number):
                self._record_repeated(line, row, batch)
            else:
                self._resume_entry(line, row, batch)
            self._mark_seen(row.number)
        self._journal.add(sorted((*added, *batch.rows)) if batch.rows else added)
        return batch

    def _add_entry(self, entry: Entry, key: bytes, batch: ListBatch) -> JournalRow:
        number = self._next_number()
        with self._naming:
            self._reserve_known_paths()
            named = self._namer.assign(entry.urls[0], entry.name, entry.folder, index=self._count)
        if isinstance(named, AssignedName):
            batch.requests.append(self._request(entry, number, named.path, replace=self._overwrite))
            return JournalRow(number, key, entry.line, EntryStatus.QUEUED, named.path)
        record = _new_record(entry.line, entry.urls[0], "io", f"{named.path}: {named.reason}")
        if named.skip:
            self.counts.skipped += 1
            record["error"], record["skipped"] = None, True
        else:
            self.counts.unnamed += 1
            self._add_problem(f"line {entry.line}: {named.path}: {named.reason}")
        row = JournalRow(number, key, entry.line, EntryStatus.NO_FILE, None, None, to_json(record))
        batch.rows.append(row)
        return row

    def _reserve_known_paths(self) -> None:
        """Take the names of earlier runs: only when there is one to give, for a million of them are some seconds."""
        if not self._claimed:
            self._claimed = True
            for path in self._journal.paths():
                self._namer.reserve(path)

    def _resume_entry(self, entry: Entry, row: JournalRow, batch: ListBatch) -> None:
        """An entry that an earlier run has met."""
        if row.path is None:
            self._count_recorded(entry, row)
            return
        found = self._folder.lstat(row.path)
        if row.state is EntryStatus.DONE and found is not None and found.st_size == row.size:
            if not self._refresh:
                self.counts.complete += 1
                self.counts.complete_bytes += found.st_size
                return
            etag, modified = record_validators(row.record)
            batch.requests.append(
                self._request(entry, row.number, row.path, replace=True, etag=etag, modified=modified)
            )
        elif row.state is EntryStatus.QUEUED and found is not None:
            # Complete, if it is ours: a file has its name only when it is. Its time is the server's Last-Modified.
            batch.requests.append(
                self._request(
                    entry,
                    row.number,
                    row.path,
                    replace=True,
                    modified=_http_date(found.st_mtime),
                    notes=(ADOPT_EXISTING,),
                )
            )
        else:
            batch.requests.append(self._request(entry, row.number, row.path, replace=True))

    def _request(self, entry: Entry, number: int, path: str, **more: Any) -> Request:
        self.counts.requested += 1
        checksum = entry.checksum
        if checksum is None and self._checksums is not None:
            checksum = self._checksums.find(path) or self._checksums.find_url(entry.urls[0])
        order = EntryState(
            number,
            entry.line,
            entry.urls[0],
            path,
            _valid_unicode(entry.name),
            _valid_unicode(entry.folder),
            None if checksum is None else str(checksum),
            entry.urls[1:],
            entry.headers,
            **more,
        )
        if order.mirrors and self._mirrors is not None:
            self._mirrors.add_hosts(order)
        return entry_request(order, order.url)

    def _record_bad(self, line: BadLine, key: bytes, row: JournalRow | None, batch: ListBatch) -> None:
        self.counts.bad_lines += 1
        self._add_problem(f"line {line.line}: {line.reason}: {line.text}")
        if row is None:
            record = _new_record(line.line, line.text, "parse", line.reason)
            batch.rows.append(
                JournalRow(self._next_number(), key, line.line, EntryStatus.NO_FILE, None, None, to_json(record))
            )

    def _record_repeated(self, entry: Entry, first: JournalRow, batch: ListBatch) -> None:
        self.counts.repeated += 1
        key = _key("again", str(entry.line), str(int.from_bytes(first.key, "big", signed=True)))
        if self._known and self._journal.find([key]):
            return
        record = _new_record(entry.line, entry.urls[0], None, None)
        record["path"], record["same_as"] = first.path, first.line
        batch.rows.append(
            JournalRow(self._next_number(), key, entry.line, EntryStatus.NO_FILE, None, None, to_json(record))
        )

    def _count_recorded(self, entry: Entry, row: JournalRow) -> None:
        """An entry without a name: left out as the user wants, or refused."""
        if b'"skipped":true' in (row.record or b""):
            self.counts.skipped += 1
        else:
            self.counts.unnamed += 1
            self._add_problem(f"line {entry.line}: {record_detail(row.record)}")

    def _next_number(self) -> int:
        self._last += 1
        return self._last

    def _is_seen(self, number: int) -> bool:
        return number >> 3 < len(self._seen) and bool(self._seen[number >> 3] >> (number & 7) & 1)

    def _mark_seen(self, number: int) -> None:
        if number >> 3 >= len(self._seen):
            self._seen.extend(bytes((number >> 3) + 1024 - len(self._seen)))
        self._seen[number >> 3] |= 1 << (number & 7)

    def _add_problem(self, problem: str) -> None:
        if len(self.counts.problems) < MAX_PROBLEMS:
            self.counts.problems.append(problem)


def entries_from_urls(urls: Iterable[str]) -> Iterator[Entry | BadLine]:
    """URLs that a program gives, as entries of a list."""
    for number, text in enumerate(urls, 1):
        url = canonicalize(text)
        if isinstance(url, OutOfScope):
            yield BadLine(number, text[:200], url.rule)
        else:
            yield Entry(number, (url.href,))


def _valid_unicode(text: str | None) -> str | None:
    """`text` as valid Unicode: a label is JSON."""
    return text if text is None or text.isascii() else text.encode("utf-8", "replace").decode()


def _line_key(line: Entry | BadLine) -> bytes:
    if isinstance(line, BadLine):
        return _key("bad", str(line.line), line.text)
    return _key("file", line.urls[0], line.name or "", line.folder or "")


def _key(*parts: str) -> bytes:
    return hash_key("\0".join(parts))


def _new_record(line: int, url: str, error: str | None, detail: str | None) -> dict[str, object]:
    return {"line": line, "path": None, "url": url, "status": None, "error": error, "error_detail": detail}


def _http_date(instant: float) -> str | None:
    try:
        return formatdate(instant, usegmt=True)
    except (ValueError, OverflowError, OSError):
        return None
