"""FOLDER/items.parquet/: items as a Parquet data set, in part files that are written once.

A Parquet file cannot be appended to and is nothing before its end. So rows first go to `_tail-000001.jsonl`, which is
as durable as items.jsonl, and when enough are together the tail becomes `part-000001.parquet` and another tail begins.
The mark is the number of parts and the length of the tail behind them. A tail stays until a later mark is settled, so
whatever mark a run comes back to, the rows behind its last part are there; parts that were written after it are
deleted. Closing writes the tail's rows as a part as well, and keeps the tail for the next session. Readers of data sets
leave out names that begin with an underscore.
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
from scraper.rundir.layout import ITEMS_PARQUET
from scraper.sinks.append_file import AppendFile
from scraper.sinks.disk_errors import (
    incomplete_error,
    parse_count_checkpoint,
    run_to_completion,
    sync_folder,
    write_error,
)
from scraper.sinks.records import as_text, item_record, to_json

ColumnKind = Literal["text", "int", "float", "bool", "texts", "ints", "floats", "bools", "json"]
"""What a column holds: a text, a number, a truth, a list of them, or JSON as text."""

MAX_PART_ROWS = 100_000
"""Rows after which the tail becomes a part."""
MAX_PART_BYTES = 64 * 1024 * 1024
"""Bytes of the tail after which it becomes a part, whatever its rows."""
ROW_GROUP_ROWS = 20_000
"""Rows of one row group."""
OTHER_COLUMN = "_other"
"""The column for what fits no other: fields of hooks, and values that are not of their column's kind, as JSON."""

_PYTHON_TYPES: Mapping[str, type | tuple[type, ...]] = {"text": str, "int": int, "float": (int, float), "bool": bool}


class ParquetSink:
    """Writes one row for every extracted item below FOLDER/items.parquet. Implements `Sink`.

    `columns` are the fields' names with their kinds. The buffer holds what was written since the last flush. Raises
    `MissingExtraError` when pyarrow is not installed.
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
        """Open at `mark`; parts and tails behind it are deleted.

        Raises `SinkError` when parts or rows up to the mark are missing, or the folder cannot be written.
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
        """Take the items of one result into the buffer."""
        for item in result.items:
            if self._tail is not None:
                self._tail.add(to_json(item_record(result, item)))
                self._tail_rows += 1

    async def flush(self) -> str:
        """Bring the rows to the tail, or to a part when they are enough; return the mark. Raises `SinkError`."""
        tail = self._require_open()
        await tail.flush()
        if (
            self._converted_tail is not None
        ):  # the mark of the flush before this one is settled: nobody comes back to it
            spent, self._converted_tail = self._converted_tail, None
            await asyncio.to_thread(spent.unlink, missing_ok=True)
        if self._tail_rows >= MAX_PART_ROWS or tail.offset >= MAX_PART_BYTES:
            await self._write_part(tail)
            await tail.aclose()
            self._parts, self._tail_rows, self._converted_tail = self._parts + 1, 0, tail.path
            self._tail = AppendFile(self._tail_path(self._parts + 1), fsync=self._fsync)
            await self._tail.open(None)
        return f"{self._parts}:{self._require_open().offset}"

    async def aclose(self) -> None:
        """Write the rows that are left as a part, and close; raises `SinkError`. A second call does nothing more."""
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
        """Make the part at `path` of the rows in `tail`: at once or not at all."""
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
    """`value` for a column of `kind`, or None when it is not of that kind."""
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
    """The number of parts and the length of the tail."""
    parts, colon, length = checkpoint.partition(":")
    number = parse_count_checkpoint(path, parts)
    if not colon or number > 999_999:
        raise SinkError(f"{path}: {checkpoint[:40]!r} is not a mark of this output; start over with --fresh")
    parse_count_checkpoint(path, length)
    return number, length


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
