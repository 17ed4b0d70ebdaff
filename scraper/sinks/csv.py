"""items.csv: RFC 4180 (comma, CRLF, doubled quotes), UTF-8, a header line.

The columns are fixed when the run starts: `url`, then the configured fields. A field that only a hook adds is in
items.jsonl and not here. Lists and mappings are JSON in their cell, None is an empty cell, booleans are true and false.

A spreadsheet would run text from a page as a formula when it begins with `=`, `+`, `-`, `@` or a tab and is not a plain
number. Such text gets a leading apostrophe, which spreadsheets do not show. Programs that need the exact text can use
`exact=True`, items.jsonl or items.sqlite.
"""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from scraper.errors import SinkError
from scraper.model import Result
from scraper.rundir.disk_errors import write_error
from scraper.rundir.layout import ITEMS_CSV
from scraper.sinks.append_file import AppendFile
from scraper.sinks.records import as_text, item_record

# The last four are full-width forms, which spreadsheets accept as well.
# The last four are full-width forms, which spreadsheets accept as well.
_FORMULA_START = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9][0-9 .,]*")


class CsvSink:
    """Writes one row for each extracted item to FOLDER/items.csv. Implements `Sink`.

    `columns` are the names of the fields, in order. The checkpoint is the file's length in bytes; a new output empties
    the file. With `fsync` what was flushed survives a loss of power.
    """

    name = ITEMS_CSV

    def __init__(self, folder: Path, columns: Sequence[str], *, exact: bool = False, fsync: bool = False) -> None:
        self._columns = tuple(dict.fromkeys(("url", *columns)))
        self._exact = exact
        self._file = AppendFile(folder / self.name, fsync=fsync)
        self._text = io.StringIO(newline="")
        self._writer = csv.writer(self._text)
        self._header = self._encode_row(list(self._columns))

    async def open(self, checkpoint: str | None) -> None:
        """Open at `checkpoint`.

        Raises `SinkError` when the file is shorter than that, has other columns or cannot be written.
        """
        await self._file.open(checkpoint)
        # A new file: the first flush writes the header.
        if self._file.offset == 0:
            self._file.add(self._header)
            return
        try:
            matches = await asyncio.to_thread(_starts_with, self._file.path, self._header)
        except OSError as error:
            await self._file.aclose()
            raise write_error(self._file.path, error) from error
        if not matches:
            await self._file.aclose()
            raise SinkError(f"{self._file.path} has other columns than the config asks for; start over with --fresh")

    def write(self, result: Result) -> None:
        """Take the items of one result into the buffer."""
        for item in result.items:
            record = item_record(result, item)
            self._file.add(self._encode_row([self._format_cell(record.get(column)) for column in self._columns]))

    async def flush(self) -> str:
        """Append the buffer; return the checkpoint. Raises `SinkError` when the disk is full or read-only."""
        return await self._file.flush()

    async def aclose(self) -> None:
        """Flush and close; raises `SinkError`. Calling it twice does nothing more."""
        await self._file.aclose()

    def _format_cell(self, value: object) -> str:
        if value is None:
            return ""
        text = as_text(value)
        if not self._exact and isinstance(value, str):
            return escape_formula(text)
        return text

    def _encode_row(self, cells: list[str]) -> bytes:
        self._writer.writerow(cells)
        line = self._text.getvalue()
        # One buffer for all rows: csv.writer is bound to its file.
        self._text.seek(0)
        self._text.truncate()
        return line.encode("utf-8", "replace")


def escape_formula(text: str) -> str:
    """`text`, with a leading apostrophe when a spreadsheet would run it as a formula (CWE-1236)."""
    if _FORMULA_START.match(text) and not _PLAIN_NUMBER.fullmatch(text):
        return "'" + text
    return text


def _starts_with(path: Path, header: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(header)) == header
