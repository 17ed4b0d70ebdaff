"""A file that only grows: what a flush, a full disk and a kill leave in it."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from scraper.errors import SinkError
from scraper.sinks.append_file import AppendFile
from scraper.sinks.jsonl import PagesSink
from scraper.testing.fakes import make_result


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Within it no file of this process grows beyond `size` bytes: the write that tries is cut short, then fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_the_checkpoint_is_the_length_in_bytes(tmp_path: Path) -> None:
    """A checkpoint names how many bytes are committed."""
    sink = PagesSink(tmp_path / "deep" / "folder")
    await sink.open(None)
    assert await sink.flush() == "0"
    sink.write(make_result("https://a.example/é"))
    checkpoint = await sink.flush()
    await sink.aclose()
    assert checkpoint == str((tmp_path / "deep" / "folder" / "pages.jsonl").stat().st_size)


async def test_a_full_disk_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    """ENOSPC becomes a SinkError with the path and what to do; closing then fails too, but closes."""
    (tmp_path / "pages.jsonl").symlink_to("/dev/full")
    sink = PagesSink(tmp_path)
    await sink.open(None)
    sink.write(make_result("https://a.example/1"))
    with pytest.raises(SinkError, match=r"pages\.jsonl cannot be written: the disk is full.*same command again"):
        await sink.flush()
    with pytest.raises(SinkError, match="disk is full"):
        await sink.aclose()
    await sink.aclose()


async def test_a_write_that_was_cut_short_leaves_nothing_torn(tmp_path: Path) -> None:
    """When the disk takes half a record, that half is removed; with space again the record is written whole, once."""
    sink = PagesSink(tmp_path)
    await sink.open(None)
    for number in range(10):
        sink.write(make_result(f"https://a.example/{number}"))
    with largest_file(1000), pytest.raises(SinkError, match=r"pages\.jsonl"):
        await sink.flush()
    assert (tmp_path / "pages.jsonl").stat().st_size == 0
    checkpoint = await sink.flush()
    await sink.aclose()
    lines = (tmp_path / "pages.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line)["url"][-1] for line in lines] == list("0123456789")
    assert checkpoint == str((tmp_path / "pages.jsonl").stat().st_size)


async def test_half_a_record_behind_the_checkpoint_is_cut_off(tmp_path: Path) -> None:
    """What a full disk or a kill left behind the checkpoint is gone after the next open."""
    sink = PagesSink(tmp_path)
    await sink.open(None)
    sink.write(make_result("https://a.example/1"))
    checkpoint = await sink.flush()
    await sink.aclose()
    with (tmp_path / "pages.jsonl").open("ab") as file:
        file.write(b'{"url": "https://a.exa')
    again = PagesSink(tmp_path)
    await again.open(checkpoint)
    again.write(make_result("https://a.example/2"))
    await again.aclose()
    lines = (tmp_path / "pages.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line)["url"] for line in lines] == ["https://a.example/1", "https://a.example/2"]


async def test_a_file_shorter_than_the_checkpoint_cannot_be_continued(tmp_path: Path) -> None:
    """Committed bytes that are missing are an error that names both lengths and --fresh."""
    (tmp_path / "pages.jsonl").write_bytes(b"12345")
    with pytest.raises(SinkError, match=r"holds 5 bytes where 1,000 were committed.*--fresh"):
        await PagesSink(tmp_path).open("1000")


async def test_a_cancelled_flush_is_whole(tmp_path: Path) -> None:
    """Cancelling a flush neither tears a record nor writes it twice."""
    sink = PagesSink(tmp_path)
    await sink.open(None)
    sink.write(make_result("https://a.example/1"))
    flush = asyncio.ensure_future(sink.flush())
    await asyncio.sleep(0)  # the flush has begun
    flush.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flush
    await sink.aclose()
    assert len((tmp_path / "pages.jsonl").read_bytes().splitlines()) == 1


async def test_flushing_what_is_not_open_is_an_error(tmp_path: Path) -> None:
    """Records are never dropped without an error."""
    file = AppendFile(tmp_path / "x")
    file.add(b"x\n")
    with pytest.raises(SinkError, match="not open"):
        await file.flush()
