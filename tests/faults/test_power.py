"""`durability: power`: what is settled is on the disk, not only with the operating system."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import scraper
from scraper.errors import SinkError
from scraper.frontier.sqlite.schema import open_database
from scraper.model import Body, Extraction, Item, Response, Result
from scraper.sinks.csv import CsvSink
from scraper.sinks.files import FilesSink
from scraper.sinks.interface import Sink
from scraper.sinks.jsonl import ItemsSink, PagesSink
from scraper.sinks.sqlite import SqliteSink
from scraper.testing.fakes import make_headers, make_request
from scraper.testing.local_server import LocalServer, Reply

SYNCHRONOUS_FULL, SYNCHRONOUS_NORMAL = 2, 1


class FsyncRecorder:
    """Which files were brought to the disk, by name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, descriptor: int) -> None:
        self.names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        self._fsync(descriptor)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> FsyncRecorder:
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    return FsyncRecorder(monkeypatch)


def make_result(folder: Path, spooled: bool) -> Result:
    """A file that was fetched, with an item for the other outputs."""
    request = make_request("https://a.example/f/x.bin", kind="file")
    spool = folder / "body-1.part"
    if spooled:
        spool.write_bytes(b"content")
    body = Body(7, 7, "xxh3:0", None if spooled else b"content", path=spool if spooled else None)
    return Result(request, Response(request, 200, make_headers({}), body), Extraction(items=(Item({"name": "x"}),)))


def make_sinks(folder: Path, power: bool) -> list[Sink]:
    return [
        PagesSink(folder, fsync=power),
        ItemsSink(folder, fsync=power),
        CsvSink(folder, ["name"], fsync=power),
        FilesSink(folder, fsync=power),
    ]


@pytest.mark.parametrize("spooled", [False, True], ids=["a small file", "a spooled file"])
async def test_every_output_is_on_the_disk_before_its_mark_is_known(
    tmp_path: Path, synced: FsyncRecorder, spooled: bool
) -> None:
    """With `power` each flush syncs what it wrote, and the folders that hold new names."""
    for sink in make_sinks(tmp_path / "out", power=True):
        await sink.open(None)
        synced.names.clear()
        sink.write(make_result(tmp_path, spooled))
        await sink.flush()
        if sink.name == "files":
            assert ("body-1.part" if spooled else "x.bin.part") in synced.names
            assert {"files", "a.example", "f"} <= set(synced.names)
        else:
            assert synced.names == [sink.name]
        await sink.aclose()


async def test_without_it_nothing_is_synced(tmp_path: Path, synced: FsyncRecorder) -> None:
    """A kill of the process needs no sync, and costs none."""
    for sink in make_sinks(tmp_path / "out", power=False):
        await sink.open(None)
        sink.write(make_result(tmp_path, False))
        await sink.flush()
        await sink.aclose()
    assert synced.names == []


@pytest.mark.parametrize(("power", "level"), [(True, SYNCHRONOUS_FULL), (False, SYNCHRONOUS_NORMAL)])
async def test_databases_sync_each_commit(tmp_path: Path, power: bool, level: int) -> None:
    """Frontier and items.sqlite: `synchronous` is FULL with `power`, SYNCHRONOUS_NORMAL without."""
    with closing(open_database(tmp_path / "frontier.sqlite", "power" if power else "process")) as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (level,)
    sink = SqliteSink(tmp_path, ["name"], fsync=power)
    await sink.open(None)
    assert isinstance(sink._db, sqlite3.Connection)
    assert sink._db.execute("PRAGMA synchronous").fetchone() == (level,)
    await sink.aclose()


async def test_a_sync_that_fails_settles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that reports an error at the sync is an output that cannot be written; nothing torn is left."""
    sink = PagesSink(tmp_path, fsync=True)
    await sink.open(None)
    sink.write(make_result(tmp_path, False))

    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", failing)
        with pytest.raises(SinkError, match="disk reported an error"):
            await sink.flush()
    assert (tmp_path / "pages.jsonl").read_bytes() == b""
    assert int(await sink.flush()) == (tmp_path / "pages.jsonl").stat().st_size > 0
    await sink.aclose()


@pytest.mark.parametrize("durability", ["power", "process"])
async def test_the_config_reaches_the_outputs(tmp_path: Path, synced: FsyncRecorder, durability: str) -> None:
    """`durability: power` in the config syncs every output of the crawl."""
    async with LocalServer({"/": Reply(body=b"<p>x<a href=/a.bin>a</a>"), "/a.bin": Reply(body=b"a")}) as site:
        summary = await scraper.crawl(
            {
                "seeds": [site.url("/")],
                "politeness": {"robots": "ignore", "per_host": {"rate": "unlimited"}},
                "sitemaps": "off",
                "durability": durability,
                "extract": [{"fields": {"text": "p"}}],
                "files": {"match": [r"\.bin$"]},
                "output": {"folder": str(tmp_path / "out"), "sinks": ["jsonl", "csv", "sqlite"]},
            }
        )
    assert summary.ok == 2
    wanted = {"pages.jsonl", "items.jsonl", "items.csv", "a.bin.part"}
    assert wanted & set(synced.names) == (wanted if durability == "power" else set())
