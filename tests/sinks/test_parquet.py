"""items.parquet: part files, written once, and the tail behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from scraper.errors import MissingExtraError
from scraper.model import Extraction, Item, Result
from scraper.sinks import parquet
from scraper.sinks.interface import Sink
from scraper.sinks.parquet import ParquetSink
from scraper.testing.fakes import make_request, make_response
from scraper.testing.sink_contract import SinkContract

pytest.importorskip("pyarrow")
import pyarrow.parquet as pq


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """All rows: those of the parts, and of tails that are no part yet."""
    place = folder / "items.parquet"
    rows: list[dict[str, Any]] = []
    for path in sorted(place.glob("part-*.parquet")):
        rows += pq.read_table(path).to_pylist()
    for path in sorted(place.glob("_tail-*.jsonl")):
        number = path.stem.removeprefix("_tail-")
        if not (place / f"part-{number}.parquet").exists():
            rows += [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return rows


class TestParquetSink(SinkContract):
    def make(self, folder: Path) -> Sink:
        return ParquetSink(folder, {"title": "text"})

    def stored(self, folder: Path) -> list[str]:
        return [row["url"] for row in rows_of(folder)]


class TestParquetSinkOfSmallParts(TestParquetSink):
    """The same rules when nearly every flush ends a part."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(parquet, "MAX_PART_ROWS", 2)


def result(number: int, **fields: Any) -> Result:
    request = make_request(f"http://a.example/{number}")
    return Result(request, make_response(request, ""), Extraction(items=(Item({"n": number, **fields}),)))


async def test_columns_have_the_kinds_of_their_fields(tmp_path: Path) -> None:
    """What fits no column is kept as JSON beside them."""
    sink = ParquetSink(
        tmp_path, {"n": "int", "f": "float", "b": "bool", "tags": "texts", "ns": "ints", "o": "json", "t": "text"}
    )
    await sink.open(None)
    sink.write(result(1, f=0.5, b=True, tags=["a"], ns=[1, 2], o={"x": [1]}, t="é"))
    sink.write(result(2, f=None, b="maybe", tags=[], ns=[1, "x"], o="plain", t=5, hook=[1]))
    await sink.aclose()
    (path,) = (tmp_path / "items.parquet").glob("*.parquet")
    table = pq.read_table(path)
    assert [str(field.type) for field in table.schema] == [
        "string", "int64", "double", "bool", "list<element: string>", "list<element: int64>", "string", "string",
        "string",
    ]  # fmt: skip
    first, second = table.to_pylist()
    assert (first["tags"], first["ns"], first["o"], first["_other"]) == (["a"], [1, 2], '{"x":[1]}', None)
    assert (second["n"], second["b"], second["o"]) == (2, None, "plain")
    assert orjson.loads(second["_other"]) == {"hook": [1], "b": "maybe", "ns": [1, "x"], "t": 5}


async def test_a_tail_outlives_the_checkpoint_that_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash after a part was written and before its checkpoint was settled goes back to the tail."""
    monkeypatch.setattr(parquet, "MAX_PART_ROWS", 3)
    sink = ParquetSink(tmp_path, {"n": "int"})
    await sink.open(None)
    sink.write(result(1))
    checkpoint = await sink.flush()
    for number in (2, 3, 4):
        sink.write(result(number))
    assert await sink.flush() == "1:0"
    await sink.aclose()  # the checkpoint of that flush was never settled
    again = ParquetSink(tmp_path, {"n": "int"})
    await again.open(checkpoint)
    for number in (2, 3):
        again.write(result(number))
    assert await again.flush() == "1:0"
    again.write(result(4))
    await again.flush()
    await again.aclose()
    assert [row["n"] for row in rows_of(tmp_path)] == [1, 2, 3, 4]
    assert [path.name for path in sorted((tmp_path / "items.parquet").iterdir())] == [
        "_tail-000002.jsonl", "part-000001.parquet", "part-000002.parquet",
    ]  # fmt: skip


async def test_a_part_has_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers can take a part of a part."""
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 2)
    sink = ParquetSink(tmp_path, {"n": "int"})
    await sink.open(None)
    for number in range(5):
        sink.write(result(number))
    await sink.aclose()
    assert pq.ParquetFile(tmp_path / "items.parquet" / "part-000001.parquet").num_row_groups == 3


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run does not begin."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r"scraper\[parquet\]"):
        ParquetSink(tmp_path, {})
