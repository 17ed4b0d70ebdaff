"""Bodies: small ones stay in memory, large ones go to a file, and no file outlives what happens to its fetch."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import threading
from pathlib import Path
from typing import BinaryIO

import pytest
import xxhash

from scraper.errors import SinkError
from scraper.fetch import body_writer as body_module
from scraper.fetch.body_writer import BodyLimitExceeded, BodyWriter, Spool, SpoolSettings
from scraper.model import Body

LIMIT = 1000


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    monkeypatch.setattr(body_module, "WRITE_BATCH_BYTES", LIMIT)
    return Spool(SpoolSettings(tmp_path / "spool", memory_limit=LIMIT))


def files(spool: Spool) -> list[Path]:
    return [path for path in spool.settings.folder.rglob("*") if path.is_file()]


async def gather(writer: BodyWriter, *pieces: bytes) -> Body:
    for piece in pieces:
        if writer.write(piece):
            await writer.flush()
    return await writer.finish()


@pytest.mark.parametrize("sha256", [False, True], ids=["xxh3", "sha256"])
@pytest.mark.parametrize(
    ("pieces", "spooled"),
    [
        ([], False),
        ([b"page"], False),
        ([b"a" * 600, b"b" * 400], False),
        ([b"a" * 600, b"b" * 401], True),
        ([b"a" * 5000], True),
        ([b"%d," % n for n in range(3000)], True),
    ],
    ids=["empty", "one-piece", "at-the-limit", "one-above", "one-large-piece", "many-small-pieces"],
)
async def test_a_body_is_what_was_written(spool: Spool, pieces: list[bytes], spooled: bool, sha256: bool) -> None:
    """Content, sizes and digest are right, in memory up to the limit and in a file beyond it."""
    content = b"".join(pieces)
    writer = BodyWriter(spool, sha256=sha256)
    writer.count_received(77)
    body = await gather(writer, *pieces)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}" if sha256 else f"xxh3:{xxhash.xxh3_128_hexdigest(content)}"
    assert (body.read(), body.size, body.wire_size, body.digest) == (content, len(content), 77, digest)
    assert (body.data is None, body.path is not None, len(files(spool))) == (spooled, spooled, int(spooled))
    await spool.aclose()


async def test_a_large_body_in_memory_is_hashed_off_the_loop(tmp_path: Path) -> None:
    """A body that stays in memory but is long to hash gets the same digest."""
    content = bytes(body_module.MAX_BYTES_HASHED_ON_LOOP + 1)
    body = await gather(BodyWriter(Spool(SpoolSettings(tmp_path)), sha256=True), content)
    assert (body.data, body.digest) == (content, f"sha256:{hashlib.sha256(content).hexdigest()}")


async def test_small_pieces_reach_the_disk_in_batches(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one thread switch per batch, not per piece."""
    writer, due = BodyWriter(spool), 0
    for _ in range(1000):
        if writer.write(b"0123456789"):
            due += 1
            await writer.flush()
    await writer.finish()
    assert due == 9
    await spool.aclose()


@pytest.mark.parametrize("decoded", [False, True], ids=["wire", "decoded"])
def test_both_sizes_are_capped(spool: Spool, decoded: bool) -> None:
    """One byte above the cap is too large, on the wire as after decoding; the cap itself is not."""
    writer = BodyWriter(spool, max_bytes=10)
    take = writer.write if decoded else lambda piece: writer.count_received(len(piece))
    take(b"x" * 10)
    with pytest.raises(BodyLimitExceeded, match="larger than 10 bytes") as caught:
        take(b"x")
    assert ("decoded" in str(caught.value)) == decoded


async def test_discard_deletes_the_file(spool: Spool) -> None:
    """Nothing is left of a discarded body; it may be discarded twice."""
    writer = BodyWriter(spool)
    assert writer.write(b"x" * 5000)
    await writer.flush()
    assert len(files(spool)) == 1
    await writer.discard()
    await writer.discard()
    assert files(spool) == []
    await spool.aclose()


async def test_discard_of_a_body_in_memory_does_nothing(spool: Spool) -> None:
    """Where there is no file there is nothing to delete."""
    writer = BodyWriter(spool)
    writer.write(b"x")
    await writer.discard()
    assert not spool.settings.folder.exists()


async def test_a_cancelled_flush_leaves_no_file(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """`discard` waits for the thread that a cancelled flush left behind; what it wrote is gone."""
    entered, release = threading.Event(), threading.Event()
    create = Spool.create

    def slow(self: Spool) -> tuple[Path, BinaryIO]:
        entered.set()
        release.wait(5)
        return create(self)

    monkeypatch.setattr(Spool, "create", slow)
    writer = BodyWriter(spool)
    writer.write(b"x" * 5000)
    flushing = asyncio.create_task(writer.flush())
    await asyncio.to_thread(entered.wait, 5)
    flushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flushing
    discarding = asyncio.create_task(writer.discard())
    release.set()
    await discarding
    assert files(spool) == []
    await spool.aclose()


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EIO, "cannot be written")],
    ids=["full", "read-only", "broken"],
)
async def test_a_failing_disk_is_a_sink_error(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    """What the operating system refuses becomes a `SinkError` that names the folder and says what is wrong."""

    def refuse(self: Spool) -> tuple[Path, BinaryIO]:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Spool, "create", refuse)
    writer = BodyWriter(spool)
    writer.write(b"x" * 5000)
    with pytest.raises(SinkError, match=sentence) as caught:
        await writer.flush()
    assert str(spool.settings.folder) in str(caught.value)
    await writer.discard()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
async def test_a_full_disk_shows_at_the_write(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is buffered on the way: a real full device is noticed by the write that fills it."""
    monkeypatch.setattr(
        Spool, "create", lambda _: (spool.settings.folder / "x", os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb", 0))
    )
    writer = BodyWriter(spool)
    writer.write(b"x" * 5000)
    with pytest.raises(SinkError, match="the disk is full"):
        await writer.flush()
    await writer.discard()


async def test_a_folder_that_cannot_be_made_is_a_sink_error(tmp_path: Path) -> None:
    """A spool folder below a file cannot exist."""
    (tmp_path / "file").touch()
    writer = BodyWriter(Spool(SpoolSettings(tmp_path / "file" / "spool", memory_limit=0)))
    assert writer.write(b"x")
    with pytest.raises(SinkError, match="cannot be written"):
        await writer.flush()
    await writer.discard()


async def test_closing_the_spool_deletes_what_is_left(spool: Spool) -> None:
    """A file that was moved away stays; the rest is deleted. A second close does nothing."""
    taken = await gather(BodyWriter(spool), b"x" * 5000)
    left = await gather(BodyWriter(spool), b"y" * 5000)
    assert taken.path is not None
    assert left.path is not None
    kept = taken.path.rename(spool.settings.folder / "kept")
    await spool.aclose()
    await spool.aclose()
    assert files(spool) == [kept]


async def test_names_are_unique_and_private(spool: Spool) -> None:
    """Bodies received side by side get files of their own, readable by their owner alone."""
    bodies = await asyncio.gather(*(gather(BodyWriter(spool), bytes([n]) * 5000) for n in range(20)))
    paths = {body.path for body in bodies}
    assert len(paths) == 20
    assert {path.stat().st_mode & 0o077 for path in paths if path} == {0}
    assert [body.read()[0] for body in bodies] == list(range(20))
    await spool.aclose()
