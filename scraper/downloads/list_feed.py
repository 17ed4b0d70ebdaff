"""From the lines of a list to requests, in batches: what is new, what the journal knows, what is still to be done.

The list is read in a thread while the first files are being downloaded. An entry is recognized by its URL and the name
that the list gives it, not by its line: between two runs lines may be added anywhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from scraper.downloads.entry_namer import EntryNamer
from scraper.downloads.entry_requests import AlreadyComplete, EntryRequests
from scraper.downloads.journal import EntryStatus, Journal, JournalRow
from scraper.downloads.list_counts import MAX_PROBLEMS, ListCounts
from scraper.downloads.lists.entry import BadLine, Entry
from scraper.downloads.lists.file_names import AssignedName
from scraper.downloads.lists.pipe_source import NoData, ReadStopped
from scraper.downloads.manifest import record_detail
from scraper.downloads.seen_entries import SeenEntries
from scraper.model import OutOfScope, Request
from scraper.sinks.records import to_json
from scraper.structures.compact_map import hash_key
from scraper.urls.canonicalize import canonicalize

# Lines of the first batch: few, so that the first download starts at once.
FIRST_BATCH_LINES = 32
BATCH_LINES = 1_000


class ListBatch(NamedTuple):
    """Some lines of the list: the requests to send, and the lines that only get a record."""

    requests: list[Request]
    rows: list[JournalRow]


class ListReader:
    """Reads lines in batches from `entries`.

    `stopped` is set, by any thread, to stop waiting for a list that comes through a pipe. `count_lines` may know how
    many lines there are; it may take long. Its methods block and raise what reading raises.
    """

    def __init__(
        self,
        entries: Iterable[Entry | BadLine | NoData],
        stopped: threading.Event | None = None,
        count_lines: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._entries = iter(entries)
        self.stopped = stopped or threading.Event()
        self.count_lines = count_lines

    def read(self, count: int) -> list[Entry | BadLine]:
        """At most `count` lines, and at least one, without waiting for more; none at the end or when stopped."""
        lines: list[Entry | BadLine] = []
        with suppress(ReadStopped):
            for line in self._entries:
                if not isinstance(line, NoData):
                    lines.append(line)
                if len(lines) == count or (lines and isinstance(line, NoData)):
                    break
        return [] if self.stopped.is_set() else lines

    def close(self) -> None:
        """Close the list's file."""
        close = getattr(self._entries, "close", None)
        if close is not None:
            close()


class ListFeed:
    """Turns the lines of `reader` into batches, and counts them in `counts`. `next_batch` blocks: call it in a thread.

    A line that brings no request (a bad line, a repeated entry, one without a name) gets a row with its record, once:
    rows of earlier runs are recognized.
    """

    def __init__(
        self,
        reader: ListReader,
        namer: EntryNamer,
        requests: EntryRequests,
        journal: Journal,
        counts: ListCounts | None = None,
    ) -> None:
        self.counts = counts or ListCounts()
        self._reader, self._namer, self._requests, self._journal = reader, namer, requests, journal
        self._seen = SeenEntries(journal.last_number)
        self._journal_was_empty = not journal.last_number
        self._last_number = journal.last_number
        # Entries of the list so far; bad lines do not count.
        self._entry_index = 0
        self._lines_counted = False
        self._lock = threading.Lock()

    def next_batch(self) -> ListBatch | None:
        """The next lines, as soon as there are some; None at the end of the list and after `stop_waiting`."""
        with self._lock:
            is_first = not self.counts.lines
            # Counting reads the whole list: not before the first batch is on its way.
            if not (is_first or self._lines_counted):
                self._lines_counted = True
                self.counts.expected_lines = self._reader.count_lines() or 0
            lines = self._reader.read(FIRST_BATCH_LINES if is_first else BATCH_LINES)
            if not lines:
                self.counts.fully_read = not self._reader.stopped.is_set()
                return None
            return self._classify(lines)

    def close(self) -> None:
        """Close the list."""
        with self._lock:
            self._reader.close()

    def stop_waiting(self) -> None:
        """Stop waiting for a list that comes through a pipe. Called from any thread."""
        self._reader.stopped.set()

    def _classify(self, lines: list[Entry | BadLine]) -> ListBatch:
        batch, added = ListBatch([], []), []
        keys = [_line_key(line) for line in lines]
        known = self._journal.find(keys)
        # Each line is one of:
        # 1. a bad line;
        # 2. an entry that neither the journal nor an earlier line knows;
        # 3. an entry that this list has named before;
        # 4. an entry of an earlier run.
        for line, key in zip(lines, keys, strict=True):
            self.counts.lines += 1
            row = known.get(key)
            if isinstance(line, BadLine):
                self._record_bad(line, key, row, batch)
                continue
            self._entry_index += 1
            if row is None:
                known[key] = row = self._add_entry(line, key, batch)
                if row.state is EntryStatus.QUEUED:
                    added.append(row)
            elif row.number in self._seen:
                self._record_repeated(line, row, batch)
            else:
                self._resume_entry(line, row, batch)
            self._seen.add(row.number)
        # Before any of the requests is sent: a killed run must know the names it has given.
        self._journal.add(sorted((*added, *batch.rows)) if batch.rows else added)
        return batch

    def _add_entry(self, entry: Entry, key: bytes, batch: ListBatch) -> JournalRow:
        number = self._next_number()
        named = self._namer.assign(entry, self._entry_index)
        if isinstance(named, AssignedName):
            self.counts.requested += 1
            request = self._requests.for_new(entry, number, named.path, may_replace=self._namer.may_overwrite)
            batch.requests.append(request)
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

    def _resume_entry(self, entry: Entry, row: JournalRow, batch: ListBatch) -> None:
        """An entry of an earlier run: request it, unless its file is complete or it has no name."""
        if row.path is None:
            self._count_unnamed(entry, row)
            return
        made = self._requests.for_known(entry, row, row.path)
        if isinstance(made, AlreadyComplete):
            self.counts.complete += 1
            self.counts.complete_bytes += made.size
        else:
            self.counts.requested += 1
            batch.requests.append(made)

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
        # The key as a signed number, as version 1 of the journal had it.
        key = _key("again", str(entry.line), str(int.from_bytes(first.key, "big", signed=True)))
        if not self._journal_was_empty and self._journal.find([key]):
            return
        record = _new_record(entry.line, entry.urls[0], None, None)
        record["path"], record["same_as"] = first.path, first.line
        batch.rows.append(
            JournalRow(self._next_number(), key, entry.line, EntryStatus.NO_FILE, None, None, to_json(record))
        )

    def _count_unnamed(self, entry: Entry, row: JournalRow) -> None:
        """Count an entry that got no name in an earlier run: skipped as the user wants, or a failure."""
        if b'"skipped":true' in (row.record or b""):
            self.counts.skipped += 1
        else:
            self.counts.unnamed += 1
            self._add_problem(f"line {entry.line}: {record_detail(row.record)}")

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _add_problem(self, problem: str) -> None:
        if len(self.counts.problems) < MAX_PROBLEMS:
            self.counts.problems.append(problem)


def entries_from_urls(urls: Iterable[str]) -> Iterator[Entry | BadLine]:
    """The URLs of a program as entries of a list."""
    for number, text in enumerate(urls, 1):
        url = canonicalize(text)
        if isinstance(url, OutOfScope):
            yield BadLine(number, text[:200], url.rule)
        else:
            yield Entry(number, (url.href,))


def _line_key(line: Entry | BadLine) -> bytes:
    """The identity of a line over several runs."""
    if isinstance(line, BadLine):
        return _key("bad", str(line.line), line.text)
    return _key("file", line.urls[0], line.name or "", line.folder or "")


def _key(*parts: str) -> bytes:
    return hash_key("\0".join(parts))


def _new_record(line: int, url: str, error: str | None, detail: str | None) -> dict[str, object]:
    """The manifest record of a line that brings no file."""
    return {"line": line, "path": None, "url": url, "status": None, "error": error, "error_detail": detail}
