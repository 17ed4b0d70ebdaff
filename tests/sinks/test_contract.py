from __future__ import annotations

import csv
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson

from scraper.model import Extraction, FieldError, RequestKind, Result
from scraper.sinks.csv import CsvSink
from scraper.sinks.fanout import Fanout
from scraper.sinks.files import FilesSink
from scraper.sinks.interface import Sink
from scraper.sinks.jsonl import ItemsSink, PagesSink, RejectedSink
from scraper.sinks.sqlite import SqliteSink
from scraper.testing.sink_contract import SinkContract


def urls(path: Path) -> list[str]:
    return [orjson.loads(line)["url"] for line in path.read_bytes().splitlines()]


class TestPagesSink(SinkContract):
    def make(self, folder: Path) -> Sink:
        return PagesSink(folder)

    def stored(self, folder: Path) -> list[str]:
        return urls(folder / "pages.jsonl")


class TestItemsSink(SinkContract):
    def make(self, folder: Path) -> Sink:
        return ItemsSink(folder)

    def stored(self, folder: Path) -> list[str]:
        return urls(folder / "items.jsonl")


class TestRejectedSink(SinkContract):
    def make(self, folder: Path) -> Sink:
        return RejectedSink(folder)

    def stored(self, folder: Path) -> list[str]:
        return urls(folder / "rejected.jsonl")

    def result(self, number: int) -> Result:
        return replace(
            super().result(number),
            extraction=Extraction(field_errors=(FieldError("price", "none", 0, item_kept=False),)),
        )


class TestCsvSink(SinkContract):
    def make(self, folder: Path) -> Sink:
        return CsvSink(folder, ["title"])

    def stored(self, folder: Path) -> list[str]:
        with (folder / "items.csv").open(newline="", encoding="utf-8") as file:
            return [row["url"] for row in csv.DictReader(file)]


class TestSqliteSink(SinkContract):
    def make(self, folder: Path) -> Sink:
        return SqliteSink(folder, ["title"])

    def stored(self, folder: Path) -> list[str]:
        with closing(sqlite3.connect(folder / "items.sqlite")) as db:
            return [url for (url,) in db.execute("SELECT url FROM items ORDER BY id")]


class TestFilesSink(SinkContract):
    kind: RequestKind = "file"
    forgets = False

    def make(self, folder: Path) -> Sink:
        return FilesSink(folder)

    def stored(self, folder: Path) -> list[str]:
        return [path.read_text() for path in (folder / "files").rglob("*") if path.is_file()]


class FanoutAsSink:
    """A fan-out behind the port of one sink: its checkpoints travel as one text."""

    name = "joined"

    def __init__(self, folder: Path) -> None:
        self._fanout = Fanout([PagesSink(folder), ItemsSink(folder)])

    async def open(self, checkpoint: str | None) -> None:
        checkpoints: Mapping[str, str] = {}
        if checkpoint is not None:
            pages, _, items = checkpoint.partition(" ")
            checkpoints = {"pages.jsonl": pages, "items.jsonl": items}
        await self._fanout.open(checkpoints)

    def write(self, result: Result) -> None:
        self._fanout.write(result)

    async def flush(self) -> str:
        checkpoints = await self._fanout.flush()
        return f"{checkpoints['pages.jsonl']} {checkpoints['items.jsonl']}"

    async def aclose(self) -> None:
        await self._fanout.aclose()


class TestFanout(SinkContract):
    def make(self, folder: Path) -> Sink:
        return FanoutAsSink(folder)

    def stored(self, folder: Path) -> list[str]:
        pages = urls(folder / "pages.jsonl")
        assert [url for url in urls(folder / "items.jsonl") if url in pages] == urls(folder / "items.jsonl")
        return pages
