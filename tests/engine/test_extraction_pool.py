"""Pages are read at once, in a thread or in a process; what goes wrong there is on the page's own record."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from scraper.clock import Clock
from scraper.engine import extraction_pool as module
from scraper.engine.extraction_pool import ExtractionPool
from scraper.model import Body, Extraction, Headers, Request, Response
from scraper.testing.fakes import make_request

MEDIUM, LARGE = 100, 1_000


class ScriptedExtractor:
    """An extractor that does what the page's bytes say, and tells where it ran."""

    def extract(self, page: Response) -> Extraction:
        match page.body.read().strip(b" "):
            case b"hang":
                threading.Event().wait()
            case b"die":
                os._exit(1)
            case b"grow":
                return Extraction(problem=str(len(bytearray(10**9))))
        return Extraction(problem=f"{os.getpid()} {threading.current_thread().name}")


def page(text: bytes, size: int, path: Path | None = None) -> Response:
    data = text.ljust(size)
    body = Body(size, size, "", None if path else data, path)
    if path is not None:
        path.write_bytes(data)
    request: Request = make_request("http://a.example/")
    return Response(request, 200, Headers(), body)


@asynccontextmanager
async def extraction_pool() -> AsyncIterator[ExtractionPool]:
    reader = ExtractionPool(ScriptedExtractor(), MEDIUM, LARGE, Clock())
    try:
        yield reader
    finally:
        await reader.aclose()


async def extracted_in(reader: ExtractionPool, text: bytes, size: int, path: Path | None = None) -> tuple[int, str]:
    pid, _, name = str((await reader.extract(page(text, size, path))).problem).partition(" ")
    return int(pid), name


async def wait_until_gone(pid: int) -> None:
    """Return when the kernel has ended the process, which may need a moment; fail when it does not."""
    for _ in range(10_000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.001)
    pytest.fail(f"process {pid} still lives")


async def test_size_decides_where_a_page_is_read(tmp_path: Path) -> None:
    """Small pages on the loop, medium ones in a thread, large and spooled ones in one process of their own."""
    async with extraction_pool() as reader:
        assert await extracted_in(reader, b"", MEDIUM - 1) == (os.getpid(), "MainThread")
        assert reader.last_loop_seconds > 0
        pid, name = await extracted_in(reader, b"", MEDIUM)
        assert (pid, name.startswith("reader"), reader.last_loop_seconds) == (os.getpid(), True, 0)
        large, _ = await extracted_in(reader, b"", LARGE)
        spooled, _ = await extracted_in(reader, b"", 10, tmp_path / "body")
        assert large == spooled != os.getpid()


@pytest.mark.parametrize(
    ("text", "problem"), [(b"hang", "took longer than 0.2 s"), (b"die", "the process that read this page died")]
)
async def test_a_page_that_kills_its_reader_has_a_problem_and_the_next_one_a_reader(
    monkeypatch: pytest.MonkeyPatch, text: bytes, problem: str
) -> None:
    """The process is ended and replaced; the page keeps its record."""
    monkeypatch.setattr(module, "EXTRACT_TIMEOUT_SECONDS", 0.2)
    async with extraction_pool() as reader:
        first, _ = await extracted_in(reader, b"", LARGE)
        assert problem in str((await reader.extract(page(text, LARGE))).problem)
        monkeypatch.setattr(module, "EXTRACT_TIMEOUT_SECONDS", 20.0)
        second, _ = await extracted_in(reader, b"", LARGE)
        assert second != first
        await wait_until_gone(first)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the bound on memory is Linux's")
async def test_a_page_that_needs_too_much_memory_has_a_problem() -> None:
    """Memory is refused to the process, and the page says so."""
    async with extraction_pool() as reader:
        assert "needs more than 240 MiB of memory" in str((await reader.extract(page(b"grow", LARGE))).problem)
        await extracted_in(reader, b"", LARGE)


async def test_a_cancelled_read_ends_its_process() -> None:
    """Closing never waits for a page that nobody waits for."""
    async with extraction_pool() as reader:
        pid, _ = await extracted_in(reader, b"", LARGE)
        task = asyncio.create_task(reader.extract(page(b"hang", LARGE)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wait_until_gone(pid)


@pytest.mark.skipif(os.name != "posix", reason="only there a process of Python's clears up")
def test_a_killed_run_says_nothing_of_semaphores() -> None:
    """What Python's own process clears away after a kill is no news for the user."""
    dies = """
import multiprocessing, os
from scraper.engine.extraction_pool import _start_resource_tracker_silently
_start_resource_tracker_silently()
held = multiprocessing.get_context("spawn").Lock()
os._exit(9)
"""
    # Returns when nobody holds the pipe any more, and so after the process that clears up has ended.
    died = subprocess.run([sys.executable, "-c", dies], capture_output=True, text=True, timeout=60, check=False)
    assert (died.returncode, died.stderr) == (9, "")
