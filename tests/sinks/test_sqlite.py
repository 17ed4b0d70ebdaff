from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from scraper.errors import SinkError
from scraper.sinks.sqlite import SqliteSink
from scraper.testing.fakes import make_result

URL = "https://a.example/1"


async def written(folder: Path, columns: list[str], *items: dict[str, Any]) -> str:
    sink = SqliteSink(folder, columns)
    await sink.open(None)
    sink.write(make_result(URL, "", 200, *items))
    checkpoint = await sink.flush()
    await sink.aclose()
    return checkpoint


def query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "items.sqlite")) as db:
        return db.execute(sql).fetchall()


async def test_an_item_is_a_row_with_typed_values(tmp_path: Path) -> None:
    """Numbers are numbers, exact and composed values are text, None is NULL."""
    values = {
        "i": 7,
        "f": 1.5,
        "b": True,
        "d": Decimal("19.90"),
        "day": date(2024, 5, 1),
        "l": ["a", 1],
        "n": None,
        "big": 2**70,
        "s": "a\ud800\0b",
    }
    assert await written(tmp_path, list(values), values) == "1"
    assert query(tmp_path, "SELECT * FROM items") == [
        (1, URL, 0, 7, 1.5, 1, "19.90", "2024-05-01", '["a",1]', None, str(2**70), "a?\0b")
    ]


@pytest.mark.parametrize(
    ("fields", "columns"),
    [
        (["title"], ["title"]),
        (["Title", "title"], ["Title", "title_2"]),
        (["id", "rule", "ID"], ["id_2", "rule_2", "ID_3"]),
        (["url", "x"], ["x"]),
        (['a"b', "drop table items; --", "sélect"], ['a"b', "drop table items; --", "sélect"]),
        ([""], ["_2"]),
    ],
    ids=["plain", "case", "our own names", "url", "quotes", "empty"],
)
async def test_every_field_has_a_column_of_its_own(tmp_path: Path, fields: list[str], columns: list[str]) -> None:
    """Any field name makes a column, also one that SQLite would confuse with another."""
    await written(tmp_path, fields, {field: field for field in fields})
    assert [row[1] for row in query(tmp_path, "PRAGMA table_info(items)")] == ["id", "url", "rule", *columns]


async def test_rows_can_be_read_while_the_crawl_writes(tmp_path: Path) -> None:
    """A reader sees what was flushed and does not stop the writer."""
    sink = SqliteSink(tmp_path, ["n"])
    await sink.open(None)
    with closing(sqlite3.connect(tmp_path / "items.sqlite")) as reader:
        for number in range(3):
            sink.write(make_result(URL, "", 200, {"n": number}))
            await sink.flush()
            assert reader.execute("SELECT count(*) FROM items").fetchone() == (number + 1,)
    await sink.aclose()
    assert [path.name for path in tmp_path.iterdir()] == ["items.sqlite"]


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Something else under the name is left alone, and the message says so."""
    (tmp_path / "items.sqlite").write_bytes(b"this is a diary, not a database" * 100)
    with pytest.raises(SinkError, match=r"items\.sqlite cannot be written: it is not a database.*--fresh"):
        await SqliteSink(tmp_path, ["n"]).open(None)


async def test_other_columns_than_before_cannot_be_continued(tmp_path: Path) -> None:
    """A table of another shape is an error that names --fresh."""
    checkpoint = await written(tmp_path, ["n"], {"n": 1})
    with pytest.raises(SinkError, match=r"other columns.*--fresh"):
        await SqliteSink(tmp_path, ["m"]).open(checkpoint)


async def test_missing_rows_cannot_be_continued(tmp_path: Path) -> None:
    """Committed rows that are gone are an error, not a gap."""
    await written(tmp_path, ["n"], {"n": 1}, {"n": 2})
    with pytest.raises(SinkError, match=r"holds 2 items where 5 were committed.*--fresh"):
        await SqliteSink(tmp_path, ["n"]).open("5")


async def test_a_failed_flush_keeps_its_rows(tmp_path: Path) -> None:
    """What could not be committed is written by the next flush, once."""
    sink = SqliteSink(tmp_path, ["n"])
    await sink.open(None)
    sink.write(make_result(URL, "", 200, {"n": 1}))
    with closing(sqlite3.connect(tmp_path / "items.sqlite")) as other:
        other.execute("DROP TABLE items")
        with pytest.raises(SinkError, match="no such table"):
            await sink.flush()
        other.execute(sink._create_table)
    assert await sink.flush() == "1"
    await sink.aclose()
    assert query(tmp_path, "SELECT n FROM items") == [(1,)]
