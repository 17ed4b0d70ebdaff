"""manifest.jsonl and failed.txt: a record for every line of a list, and the failed lines as a list of their own."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from scraper.downloads.journal import EntryOutcome, EntryStatus, Journal, JournalRow
from scraper.errors import SinkError
from scraper.model import ErrorKind, Failure, NotModified, Response, Result
from scraper.sinks.append_file import AppendFile
from scraper.sinks.disk_errors import run_to_completion, sync_folder, write_error
from scraper.sinks.fanout import Fanout
from scraper.sinks.records import iso_timestamp, to_json
from scraper.transfer.entry_state import EntryState, entry_of

MANIFEST_NAME = "manifest.jsonl"
FAILED_NAME = "failed.txt"
MAX_HEADER_CHARS = 500
"""Characters of a header's value that a record holds."""
MAX_COMMENT_CHARS = 600
"""Characters of a comment in failed.txt."""
STORED_STATUS = 200
"""The status of a page whose file is in its place."""


MAX_FAILURES_KEPT = 10


@dataclass(slots=True)
class SessionTotals:
    """What this session has recorded: files that came (`size` bytes), were `unchanged`, or failed.

    `errors` counts failures by kind, `failures` are the first of them as sentences.
    """

    done: int = 0
    total_bytes: int = 0
    unchanged: int = 0
    failed: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    first_failures: list[str] = field(default_factory=list)

    def add_failure(self, record: Mapping[str, Any]) -> None:
        """Count one failure."""
        self.failed += 1
        self.errors[str(record["error"])] += 1
        if len(self.first_failures) < MAX_FAILURES_KEPT:
            self.first_failures.append(f"{record['url']}: {record['error']}: {record['error_detail']}")


class ManifestSink:
    """Records the entries of a download in FOLDER/manifest.jsonl and in its journal, exactly once.

    What the engine writes to (`engine.recorder.Outputs`). Its mark is in the journal: `open` cuts off what was not
    committed there, or writes the file anew when the journal says that it is stale or when it was tampered with.
    With `power` what was flushed is on the disk.
    """

    def __init__(self, folder: Path, journal: Journal, *, fsync: bool = False, also: Fanout | None = None) -> None:
        self._path = folder / MANIFEST_NAME
        self._failed_path = folder / FAILED_NAME
        self._journal = journal
        self._fsync = fsync
        self._file = AppendFile(self._path, fsync=fsync)
        self._outcomes: list[EntryOutcome] = []
        self._rows: list[JournalRow] = []
        self._flushing = asyncio.Lock()
        # Further outputs. They get their results within `flush`, so that the checkpoints which go into the journal
        # speak of exactly the results whose entries go into it.
        self._also = also or Fanout(())
        self._also_pending: list[Result] = []
        self.totals = SessionTotals()

    async def open(self) -> None:
        """Open the manifest where the journal says. Raises `SinkError`."""
        await run_to_completion(asyncio.to_thread(self._repair))
        await self._file.open(str(self._journal.manifest_length) if self._path.exists() else None)
        await self._also.open(self._journal.checkpoints)

    def write(self, result: Result) -> None:
        """Take one result into the buffer."""
        if self._also.names:
            self._also_pending.append(result)
        order = entry_of(result.request)
        if isinstance(result.outcome, NotModified):
            self._outcomes.append(EntryOutcome(order.number, EntryStatus.DONE, order.path, None, None))
            self.totals.unchanged += 1
            return
        record = download_record(result, order)
        line = to_json(record)
        self._file.add(line)
        if record["path"] is not None:
            fate = EntryOutcome(order.number, EntryStatus.DONE, order.path, record["bytes"], line, None, order.replace)
            self._outcomes.append(fate)
            self.totals.done += 1
            self.totals.total_bytes += record["bytes"]
        else:
            again = to_aria2_input(order)
            self._outcomes.append(
                EntryOutcome(order.number, EntryStatus.FAILED, order.path, None, line, again, order.replace)
            )
            self.totals.add_failure(record)

    def add_row(self, row: JournalRow) -> None:
        """Take a line that asks for no file of its own; its record is in `row`."""
        if row.record is not None:
            self._file.add(row.record)
        self._rows.append(row)

    async def flush(self) -> Mapping[str, str]:
        """Bring the buffer to the disk, the manifest first. Raises `SinkError`: what was in it is not recorded then."""
        async with self._flushing:
            # Taken at once: the list is read beside the recorder, and what it notes meanwhile is for the next flush.
            lines, fates, noted = self._file.take_pending(), self._outcomes, self._rows
            self._outcomes, self._rows = [], []
            checkpoints = await self._flush_also()
            if lines or fates or noted:
                await run_to_completion(asyncio.to_thread(self._commit, lines, fates, noted, checkpoints))
        return {}

    async def aclose(self) -> None:
        """Flush and close; raises `SinkError`."""
        try:
            await self.flush()
        finally:
            try:
                await self._file.aclose()
            finally:
                await self._also.aclose()

    async def finish(self, comments: Sequence[str] = ()) -> None:
        """Close, write the manifest anew if it holds superseded records, and write failed.txt. Raises `SinkError`.

        `remarks` are sentences about lines that cannot be asked for again; they go there as comments.
        """
        await self.aclose()
        await run_to_completion(asyncio.to_thread(self._finish, comments))

    async def _flush_also(self) -> Mapping[str, str]:
        """Hand the further outputs what was taken with the entries that are being flushed; return their checkpoints."""
        if not self._also.names:
            return {}
        results, self._also_pending = self._also_pending, []
        for result in results:
            self._also.write(result)
        return await self._also.flush()

    def _commit(
        self,
        lines: Sequence[bytes],
        fates: Sequence[EntryOutcome],
        noted: Sequence[JournalRow],
        checkpoints: Mapping[str, str],
    ) -> None:
        self._file.append_blocking(lines)
        self._journal.settle(fates, noted, self._file.offset, checkpoints)

    def _repair(self) -> None:
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            size = 0
        except OSError as error:
            raise write_error(self._path, error) from error
        if size < self._journal.manifest_length or self._journal.has_superseded:
            self._rewrite()

    def _finish(self, remarks: Sequence[str]) -> None:
        if self._journal.has_superseded:
            self._rewrite()
        _replace_file(self._failed_path, self._failed_lines(remarks), self._fsync)

    def _rewrite(self) -> None:
        self._journal.set_rewritten(_replace_file(self._path, self._journal.records(), self._fsync))

    def _failed_lines(self, remarks: Sequence[str]) -> Iterator[bytes]:
        for again, record in self._journal.failed():
            if again is not None:
                yield again.encode("utf-8", "replace")
            elif record is not None:
                yield b"# " + record
        for remark in remarks:
            yield f"# {comment_text(remark)}\n".encode("utf-8", "replace")


def download_record(result: Result, entry: EntryState) -> dict[str, Any]:
    """The record of one entry in manifest.jsonl.

    `line` of the list, `path` of the file below the output folder (null when there is none), `url` as the list has it,
    `status`, `error` and `error_detail` (null when the file is there), `bytes`, `sha256`, `etag`, `last_modified`,
    `content_type`, `attempts` in this session, `fetched_at` (ISO 8601), `elapsed_ms`. Only when they say something:
    `final_url`, `redirects`, `checksum` (what the list gave), `content_encoding`, `notes` about resumptions.
    """
    request, outcome = result.request, result.outcome
    status, headers = result.status, outcome.headers.by_name
    error, detail = result.error, None
    size, digest = 0, None
    if isinstance(outcome, Failure):
        detail, size = outcome.detail, outcome.received
    elif isinstance(outcome, Response):
        size, digest = outcome.body.size, outcome.body.digest.removeprefix("sha256:") or None
        if error is not None:
            detail = f"HTTP {status}"
        elif status != STORED_STATUS:
            error, detail = ErrorKind.REDIRECT, f"status {status} leads nowhere"
    record: dict[str, Any] = {
        "line": entry.line,
        "path": None if error else entry.path,
        "url": entry.url,
        "status": status,
        "error": error,
        "error_detail": detail,
        "bytes": size,
        "sha256": digest,
        "etag": _header_text(headers.get(b"etag")),
        "last_modified": _header_text(headers.get(b"last-modified")),
        "content_type": _header_text(headers.get(b"content-type")),
        "attempts": request.attempt + request.slowdowns + 1 + entry.tries,
        "fetched_at": iso_timestamp(outcome.started_at),
        "elapsed_ms": round(outcome.elapsed * 1000.0, 1),
    }
    if result.url != entry.url:
        record["final_url"] = result.url
    if request.redirects:
        record["redirects"] = [{"url": hop.url, "status": hop.status} for hop in request.redirects]
    if entry.checksum is not None:
        record["checksum"] = entry.checksum
    if coding := _header_text(headers.get(b"content-encoding")):
        record["content_encoding"] = coding
    if entry.notes and (notes := [note for note in entry.notes if " " in note]):
        record["notes"] = notes
    return record


def record_validators(record: bytes | None) -> tuple[str | None, str | None]:
    """ETag and Last-Modified of the file, as its record has them."""
    found = _parse_record(record)
    return found.get("etag"), found.get("last_modified")


def record_detail(record: bytes | None) -> str:
    """Why there is no file, as the entry's record has it."""
    return str(_parse_record(record).get("error_detail"))


def _parse_record(record: bytes | None) -> dict[str, Any]:
    try:
        found = orjson.loads(record or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def to_aria2_input(order: EntryState) -> str:
    """The entry as aria2's input files write it: what failed.txt holds, and this program reads again."""
    lines = ["\t".join((order.url, *order.mirrors))]
    options = {"dir": order.folder, "out": order.name}
    lines += [f"  {name}={value}" for name, value in options.items() if value and value.isprintable()]
    if (checksum := order.expected) is not None:
        name = checksum.algorithm
        lines.append(f"  checksum={'sha-' + name[3:] if name.startswith('sha') else name}={checksum.hexdigest}")
    lines += [f"  header={name}: {value}" for name, value in order.headers]
    return "\n".join(lines) + "\n"


def comment_text(text: str) -> str:
    """`text` as one line that a list can hold: what cannot be printed is escaped, at most `MAX_COMMENT_CHARS` stay."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:MAX_COMMENT_CHARS])
    return shown[:MAX_COMMENT_CHARS]


def _header_text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1").strip()[:MAX_HEADER_CHARS]


def _replace_file(path: Path, pieces: Iterator[bytes], power: bool) -> int:
    """Write a file in one piece, so that the old one or the new one has its name; with nothing to write, delete it."""
    draft = path.with_name(path.name + ".part")
    size = 0
    try:
        # May hold headers of the list, and so credentials: for its owner alone.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            for piece in pieces:
                size += file.write(piece)
            if power:
                file.flush()
                os.fsync(file.fileno())
        if size:
            draft.replace(path)
        else:
            draft.unlink()
            path.unlink(missing_ok=True)
        if power:
            sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise write_error(path, error) from error
    except SinkError:
        draft.unlink(missing_ok=True)
        raise
    return size
