"""pages.jsonl, items.jsonl and rejected.jsonl: one JSON object a line, in UTF-8."""

from __future__ import annotations

from pathlib import Path

from scraper.model import Result
from scraper.rundir.layout import ITEMS_JSONL, PAGES_FILE, REJECTED_FILE
from scraper.sinks.append_file import AppendFile
from scraper.sinks.records import item_record, page_record, to_json


class PagesSink:
    """Writes one record for each URL that was requested to FOLDER/pages.jsonl. Implements `Sink`.

    The checkpoint is the file's length in bytes; a new output empties the file. With `fsync` what was flushed survives
    a loss of power.
    """

    name = PAGES_FILE

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self._file = AppendFile(folder / self.name, fsync=fsync)

    async def open(self, checkpoint: str | None) -> None:
        """Open at `checkpoint`; raises `SinkError` when the file is shorter than that or cannot be written."""
        await self._file.open(checkpoint)

    def write(self, result: Result) -> None:
        """Put one result into the buffer."""
        self._file.add(to_json(page_record(result)))

    async def flush(self) -> str:
        """Append the buffer; return the checkpoint. Raises `SinkError` when the disk is full or read-only."""
        return await self._file.flush()

    async def aclose(self) -> None:
        """Flush and close; raises `SinkError`. Calling it twice does nothing more."""
        await self._file.aclose()


class ItemsSink(PagesSink):
    """Writes one record for each extracted item to FOLDER/items.jsonl; otherwise like `PagesSink`."""

    name = ITEMS_JSONL

    def write(self, result: Result) -> None:
        """Put the items of one result into the buffer."""
        for item in result.items:
            self._file.add(to_json(item_record(result, item)))


class RejectedSink(PagesSink):
    """Writes one record for each value that could not be read to FOLDER/rejected.jsonl; otherwise like `PagesSink`.

    A record holds `url`, `rule` (its index under extract, from 0), `field`, `reason`, and `kept`: whether the item was
    written without that value.
    """

    name = REJECTED_FILE

    def write(self, result: Result) -> None:
        """Put the unreadable values of one result into the buffer."""
        for bad in result.extraction.field_errors:
            record = {
                "url": result.url,
                "rule": bad.rule,
                "field": bad.field,
                "reason": bad.reason,
                "kept": bad.item_kept,
            }
            self._file.add(to_json(record))
