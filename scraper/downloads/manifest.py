"""manifest.jsonl, a record for each line of a list, and failed.txt, the failed entries as a list to download again."""

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
from scraper.model import EntryState, ErrorKind, Failure, NotModified, Response, Result, entry_of
from scraper.rundir.disk_errors import sync_folder, write_error
from scraper.rundir.layout import RunLayout
from scraper.sinks.append_file import AppendFile
from scraper.sinks.fanout import Fanout
from scraper.sinks.records import iso_timestamp, to_json
from scraper.sinks.run_to_completion import run_to_completion
from scraper.transfer.checksum import parse_checksum

# Characters of one header field in a record.
MAX_HEADER_CHARS = 500
# Characters of a comment in failed.txt.
MAX_COMMENT_CHARS = 600
# `FileFetcher` gives this status to a response only when the file is complete and has its name.
STORED_STATUS = 200
# Messages of failures for the summary.
MAX_FAILURES_KEPT = 10


@dataclass(slots=True)
class SessionTotals:
    """What this session has recorded: `done` files of `total_bytes`, `unchanged` and `failed` ones.

    `errors` counts the failures by kind, `first_failures` are messages about the first ones.
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
    """Records the entries of a download in FOLDER/manifest.jsonl and in the journal, exactly once.

    The output of the engine (`engine.recorder.Outputs`). The committed length of the file is in the journal. `open`
    cuts off what is behind it, or writes the file again when it is shorter or has superseded records. With `fsync`
    flushed records are on the disk.
    """

    def __init__(self, folder: Path, journal: Journal, *, fsync: bool = False, also: Fanout | None = None) -> None:
        self._path = RunLayout(folder).manifest
        self._failed_path = RunLayout(folder).failed
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
        """Open the manifest at its committed length. Raises `SinkError`."""
        await run_to_completion(asyncio.to_thread(self._repair))
        await self._file.open(str(self._journal.manifest_length) if self._path.exists() else None)
        await self._also.open(self._journal.checkpoints)

    def write(self, result: Result) -> None:
        """Put one result into the buffer."""
        if self._also.names:
            self._also_pending.append(result)
        entry = entry_of(result.request)
        if isinstance(result.outcome, NotModified):
            self._outcomes.append(EntryOutcome(entry.number, EntryStatus.DONE, entry.path, None, None))
            self.totals.unchanged += 1
            return
        record = download_record(result, entry)
        line = to_json(record)
        self._file.add(line)
        if record["path"] is not None:
            outcome = EntryOutcome(
                entry.number, EntryStatus.DONE, entry.path, record["bytes"], line, None, entry.may_replace
            )
            self._outcomes.append(outcome)
            self.totals.done += 1
            self.totals.total_bytes += record["bytes"]
        else:
            retry_lines = to_aria2_input(entry)
            self._outcomes.append(
                EntryOutcome(entry.number, EntryStatus.FAILED, entry.path, None, line, retry_lines, entry.may_replace)
            )
            self.totals.add_failure(record)

    def add_row(self, row: JournalRow) -> None:
        """Put a line without a file of its own into the buffer; its record is in `row`."""
        if row.record is not None:
            self._file.add(row.record)
        self._rows.append(row)

    async def flush(self) -> Mapping[str, str]:
        """Write the buffer to the manifest, then commit it in the journal.

        Raises `SinkError`; the content of the buffer is not recorded then, and the next run does it again.
        """
        async with self._flushing:
            # Take all three before the first await: what comes during the flush belongs to the next one.
            lines, outcomes, rows = self._file.take_pending(), self._outcomes, self._rows
            self._outcomes, self._rows = [], []
            checkpoints = await self._flush_also()
            if lines or outcomes or rows:
                await run_to_completion(asyncio.to_thread(self._commit, lines, outcomes, rows, checkpoints))
        return {}

    async def aclose(self) -> None:
        """Flush and close. Raises `SinkError`."""
        try:
            await self.flush()
        finally:
            try:
                await self._file.aclose()
            finally:
                await self._also.aclose()

    async def finish(self, comments: Sequence[str] = ()) -> None:
        """Close, write the manifest again if it has superseded records, and write failed.txt. Raises `SinkError`.

        `comments` are sentences about lines that cannot be retried; they become comments there.
        """
        await self.aclose()
        await run_to_completion(asyncio.to_thread(self._finish, comments))

    async def _flush_also(self) -> Mapping[str, str]:
        """Write the results of the entries that are being flushed to the further outputs; return their checkpoints."""
        if not self._also.names:
            return {}
        results, self._also_pending = self._also_pending, []
        for result in results:
            self._also.write(result)
        return await self._also.flush()

    def _commit(
        self,
        lines: Sequence[bytes],
        outcomes: Sequence[EntryOutcome],
        rows: Sequence[JournalRow],
        checkpoints: Mapping[str, str],
    ) -> None:
        self._file.append_blocking(lines)
        self._journal.settle(outcomes, rows, self._file.offset, checkpoints)

    def _repair(self) -> None:
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            size = 0
        except OSError as error:
            raise write_error(self._path, error) from error
        if size < self._journal.manifest_length or self._journal.has_superseded:
            self._rewrite()

    def _finish(self, comments: Sequence[str]) -> None:
        if self._journal.has_superseded:
            self._rewrite()
        _replace_file(self._failed_path, self._failed_lines(comments), self._fsync)

    def _rewrite(self) -> None:
        self._journal.set_rewritten(_replace_file(self._path, self._journal.records(), self._fsync))

    def _failed_lines(self, comments: Sequence[str]) -> Iterator[bytes]:
        for retry_lines, record in self._journal.failed():
            if retry_lines is not None:
                yield retry_lines.encode("utf-8", "replace")
            elif record is not None:
                yield b"# " + record
        for comment in comments:
            yield f"# {comment_text(comment)}\n".encode("utf-8", "replace")


def download_record(result: Result, entry: EntryState) -> dict[str, Any]:
    """The record of one entry in manifest.jsonl.

    Always: `line` of the list, `path` of the file below the output folder (null without a file), `url` of the list,
    `status`, `error` and `error_detail` (null with a file), `bytes`, `sha256`, `etag`, `last_modified`, `content_type`,
    `attempts` in this session, `fetched_at` (ISO 8601), `elapsed_ms`. When they are not empty: `final_url`,
    `redirects`, `checksum` of the list, `content_encoding`, `notes` (what happened on the way, such as a resumption).
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
        "attempts": request.attempt + request.slowdowns + 1 + entry.uncounted_attempts,
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
    # Texts of one word are flags for the fetcher (`ADOPT_EXISTING`).
    if entry.history and (history := [text for text in entry.history if " " in text]):
        record["notes"] = history
    return record


def record_validators(record: bytes | None) -> tuple[str | None, str | None]:
    """ETag and Last-Modified of the file in its record."""
    found = _parse_record(record)
    return found.get("etag"), found.get("last_modified")


def record_detail(record: bytes | None) -> str:
    """The reason in a record why there is no file."""
    return str(_parse_record(record).get("error_detail"))


def _parse_record(record: bytes | None) -> dict[str, Any]:
    try:
        found = orjson.loads(record or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def to_aria2_input(entry: EntryState) -> str:
    """The entry in the format of aria2's input files, which `scrape download` reads, too."""
    lines = ["\t".join(entry.urls)]
    options = {"dir": entry.folder, "out": entry.name}
    lines += [f"  {name}={value}" for name, value in options.items() if value and value.isprintable()]
    if entry.checksum and (checksum := parse_checksum(entry.checksum)) is not None:
        name = checksum.algorithm
        lines.append(f"  checksum={'sha-' + name[3:] if name.startswith('sha') else name}={checksum.hexdigest}")
    lines += [f"  header={name}: {value}" for name, value in entry.headers]
    return "\n".join(lines) + "\n"


def comment_text(text: str) -> str:
    """`text` as one printable line of at most `MAX_COMMENT_CHARS`; other characters are escaped."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:MAX_COMMENT_CHARS])
    return shown[:MAX_COMMENT_CHARS]


def _header_text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1").strip()[:MAX_HEADER_CHARS]


def _replace_file(path: Path, pieces: Iterator[bytes], fsync: bool) -> int:
    """Replace a file atomically and return its size in bytes; without any `pieces`, delete it."""
    draft = path.with_name(path.name + ".part")
    size = 0
    try:
        # It may hold header fields of the list, with credentials: readable for the owner only.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            for piece in pieces:
                size += file.write(piece)
            if fsync:
                file.flush()
                os.fsync(file.fileno())
        if size:
            draft.replace(path)
        else:
            draft.unlink()
            path.unlink(missing_ok=True)
        if fsync:
            sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise write_error(path, error) from error
    except SinkError:
        draft.unlink(missing_ok=True)
        raise
    return size
