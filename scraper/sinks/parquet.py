"""FOLDER/items.parquet/: items as a Parquet data set, in part files that are written once.

A Parquet file cannot be appended to, and cannot be read before its footer is written. So:
1. Rows go to `_tail-000001.jsonl`, which is as durable as items.jsonl.
2. When the tail is large enough it is converted to `part-000001.parquet`, and the next tail begins.
3. The checkpoint is "PARTS:LENGTH": the number of parts, and the length in bytes of the tail after them. A converted
   tail is deleted only after the next flush, when the checkpoint that needed it can no longer be resumed from.
4. On resume, parts and tails after the checkpoint are deleted, and the tail is truncated.
5. Closing converts the last tail too, and keeps it for the next session.

Readers of data sets ignore names that begin with an underscore.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import orjson

from scraper.errors import MissingExtraError, SinkError
from scraper.model import Result
from scraper.rundir.disk_errors import sync_folder, write_error
from scraper.rundir.layout import ITEMS_PARQUET
from scraper.sinks.append_file import AppendFile
from scraper.sinks.checkpoints import foreign_checkpoint_error, incomplete_error, parse_count_checkpoint
from scraper.sinks.records import as_text, item_record, to_json
from scraper.sinks.run_to_completion import run_to_completion

# What a column holds: one value, a list of values, or JSON as text.
ColumnKind = Literal["text", "int", "float", "bool", "texts", "ints", "floats", "bools", "json"]

# A tail of this many rows or bytes becomes a part. The whole part is in memory while it is converted.
MAX_PART_ROWS = 100_000
MAX_PART_BYTES = 64 * 1024 * 1024
ROW_GROUP_ROWS = 20_000
# The column for fields that only hooks add, and for values that do not fit their column's kind; JSON as text.
OTHER_COLUMN = "_other"

_PYTHON_TYPES: Mapping[str, type | tuple[type, ...]] = {"text": str, "int": int, "float": (int, float), "bool": bool}


class ParquetSink:
    """Writes one row for each extracted item into FOLDER/items.parquet/. Implements `Sink`.

    `columns` are the fields' names with their kinds. Raises `MissingExtraError` when pyarrow is not installed.
    """

    name = ITEMS_PARQUET

    def __init__(self, folder: Path, columns: Mapping[str, ColumnKind], *, fsync: bool = False) -> None:
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise MissingExtraError("parquet", "output.sinks: parquet") from None
        self._folder = folder / self.name
        self._columns: dict[str, ColumnKind] = {**columns, "url": "text"}
        self._fsync = fsync
        self._parts = 0
        self._tail_rows = 0
        self._tail: AppendFile | None = None
        self._converted_tail: Path | None = None

    async def open(self, checkpoint: str | None) -> None:
        """Open at `checkpoint`; later parts and tails are deleted.

        Raises `SinkError` when parts or rows up to the checkpoint are missing, or the folder cannot be written.
        """
        parts, length = _parse_checkpoint(self._folder, checkpoint) if checkpoint is not None else (0, None)
        try:
            await run_to_completion(asyncio.to_thread(self._delete_later_parts, parts))
        except OSError as error:
            raise write_error(self._folder, error) from error
        self._parts = parts
        tail = AppendFile(self._tail_path(parts + 1), fsync=self._fsync)
        await tail.open(length)
        self._tail = tail
        self._tail_rows = await asyncio.to_thread(_count_lines, tail.path)

    def write(self, result: Result) -> None:
        """Put the items of one result into the buffer."""
        for item in result.items:
            if self._tail is not None:
                self._tail.add(to_json(item_record(result, item)))
                self._tail_rows += 1

    async def flush(self) -> str:
        """Append the buffer to the tail, convert a large enough tail; return the checkpoint. Raises `SinkError`."""
        tail = self._require_open()
        await tail.flush()
        # The recorder stored the checkpoint of the previous flush before it called this one, so no run resumes from an
        # earlier one, and the converted tail is not needed any more.
        if self._converted_tail is not None:
            converted, self._converted_tail = self._converted_tail, None
            await asyncio.to_thread(converted.unlink, missing_ok=True)
        if self._tail_rows >= MAX_PART_ROWS or tail.offset >= MAX_PART_BYTES:
            await self._write_part(tail)
            await tail.aclose()
            self._parts, self._tail_rows, self._converted_tail = self._parts + 1, 0, tail.path
            self._tail = AppendFile(self._tail_path(self._parts + 1), fsync=self._fsync)
            await self._tail.open(None)
        return f"{self._parts}:{self._require_open().offset}"

    async def aclose(self) -> None:
        """Convert the last tail and close; raises `SinkError`. A second call does nothing."""
        tail, self._tail = self._tail, None
        if tail is None:
            return
        await tail.aclose()
        if self._tail_rows:
            await self._write_part(tail)

    def _require_open(self) -> AppendFile:
        if self._tail is None:
            raise SinkError(f"{self._folder} is not open")
        return self._tail

    def _tail_path(self, number: int) -> Path:
        return self._folder / f"_tail-{number:06d}.jsonl"

    def _part_path(self, number: int) -> Path:
        return self._folder / f"part-{number:06d}.parquet"

    def _delete_later_parts(self, parts: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = {self._part_path(number) for number in range(1, parts + 1)}
        for path in kept:
            if not path.exists():
                raise incomplete_error(path, "is missing")
        for path in (*self._folder.glob("part-*.parquet*"), *self._folder.glob("_tail-*.jsonl")):
            if path not in kept and path != self._tail_path(parts + 1):
                path.unlink()

    async def _write_part(self, tail: AppendFile) -> None:
        path = self._part_path(self._parts + 1)
        try:
            await run_to_completion(asyncio.to_thread(self._convert_tail, tail.path, path))
        except OSError as error:
            raise write_error(path, error) from error

    def _convert_tail(self, tail: Path, path: Path) -> None:
        """Write the rows of `tail` to a part at `path`, under another name first: it is complete or not there."""
        import pyarrow
        import pyarrow.parquet

        with tail.open("rb") as file:
            table = self._make_table((orjson.loads(line) for line in file), pyarrow)
        part = path.with_name(path.name + ".part")
        try:
            with part.open("wb") as out:
                pyarrow.parquet.write_table(table, out, row_group_size=ROW_GROUP_ROWS, compression="zstd")
                out.flush()
                if self._fsync:
                    os.fsync(out.fileno())
            part.replace(path)
            if self._fsync:
                sync_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    def _make_table(self, rows: Iterable[dict[str, Any]], arrow: Any) -> Any:
        columns: dict[str, list[Any]] = {name: [] for name in ("url", *self._columns)}
        others: list[str | None] = []
        for row in rows:
            other = {name: value for name, value in row.items() if name not in columns}
            for name, values in columns.items():
                value = row.get(name)
                fitting = _fit_value(value, self._columns[name])
                values.append(fitting)
                if fitting is None and value is not None:
                    other[name] = value
            others.append(as_text(other) if other else None)
        columns[OTHER_COLUMN] = others
        kinds: dict[str, ColumnKind] = {**self._columns, OTHER_COLUMN: "text"}
        return arrow.table(
            {name: arrow.array(values, _arrow_type(kinds[name], arrow)) for name, values in columns.items()}
        )


def _fit_value(value: Any, kind: ColumnKind) -> Any:
    """`value` as a column of `kind` takes it, or None when it does not fit."""
    if value is None:
        return None
    if kind == "json":
        return as_text(value)
    if kind.endswith("s"):
        members = value if isinstance(value, list) else None
        if members is None:
            return None
        fitting = [_fit_value(member, kind[:-1]) for member in members]  # type: ignore[arg-type]
        return None if any(member is None for member in fitting) else fitting
    if isinstance(value, bool) and kind != "bool":
        return None
    return value if isinstance(value, _PYTHON_TYPES[kind]) else None


def _arrow_type(kind: ColumnKind, arrow: Any) -> Any:
    if kind.endswith("s"):
        return arrow.list_(_arrow_type(kind[:-1], arrow))  # type: ignore[arg-type]
    types = {
        "text": arrow.string,
        "json": arrow.string,
        "int": arrow.int64,
        "float": arrow.float64,
        "bool": arrow.bool_,
    }
    return types[kind]()


def _parse_checkpoint(path: Path, checkpoint: str) -> tuple[int, str]:
    """The number of parts, and the length of the tail as text. Raises `SinkError`."""
    parts, colon, length = checkpoint.partition(":")
    number = parse_count_checkpoint(path, parts)
    if not colon or number > 999_999:
        raise foreign_checkpoint_error(path, checkpoint)
    parse_count_checkpoint(path, length)
    return number, length


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
