"""pages.jsonl, items.jsonl and rejected.jsonl: one JSON object a line, UTF-8."""

from __future__ import annotations

from pathlib import Path

from scraper.model import Result
from scraper.rundir.layout import ITEMS_JSONL, PAGES_FILE, REJECTED_FILE
from scraper.sinks.append_file import AppendFile
from scraper.sinks.records import item_record, page_record, to_json


class PagesSink:
    """Writes one record for every URL that was asked for to FOLDER/pages.jsonl. Implements `Sink`.

    Its mark is the file's length in bytes. A new output empties the file. The buffer holds what was written since the
    last flush: a group of the recorder's. With `power` what was flushed outlives a loss of power.
    """

    name = PAGES_FILE

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self._file = AppendFile(folder / self.name, fsync=fsync)

    async def open(self, checkpoint: str | None) -> None:
        """Open at `mark`; raises `SinkError` when the file is shorter than that or cannot be written."""
        await self._file.open(checkpoint)

    def write(self, result: Result) -> None:
        """Take one result into the buffer."""
        self._file.add(to_json(page_record(result)))

    async def flush(self) -> str:
        """Append the buffer; return the mark. Raises `SinkError` when the disk is full or read-only."""
        return await self._file.flush()

    async def aclose(self) -> None:
        """Flush and close; raises `SinkError`. Calling it twice does nothing more."""
        await self._file.aclose()


class ItemsSink(PagesSink):
    """Writes one record for every extracted item to FOLDER/items.jsonl; in all else like `PagesSink`."""

    name = ITEMS_JSONL

    def write(self, result: Result) -> None:
        """Take the items of one result into the buffer."""
        for item in result.items:
            self._file.add(to_json(item_record(result, item)))


class RejectedSink(PagesSink):
    """Writes one record for every value that could not be read to FOLDER/rejected.jsonl; else like `PagesSink`.

    A record holds `url`, `rule` (its place under extract, from 0), `field`, `reason`, and `kept`: whether there is an
    item all the same, without that value.
    """

    name = REJECTED_FILE

    def write(self, result: Result) -> None:
        """Take the rejections of one result into the buffer."""
        for bad in result.extraction.field_errors:
            record = {
                "url": result.url,
                "rule": bad.rule,
                "field": bad.field,
                "reason": bad.reason,
                "kept": bad.item_kept,
            }
            self._file.add(to_json(record))
