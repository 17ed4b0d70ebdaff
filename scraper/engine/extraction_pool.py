"""Runs the extractor where it can do no harm: small pages at once, larger ones in a thread, the largest in a process.

The parser releases the interpreter lock while it builds a tree, so in a thread it does not block the event loop. But a
thread cannot be killed, and a page can be made so that reading it takes minutes or gigabytes (one tag with fifty
thousand attributes, a million elements). Large pages are therefore read in a process of their own, which has a timeout
and a memory limit. In each case the page gets a record that says what went wrong.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

from scraper.clock import Clock
from scraper.extract.interface import Extractor
from scraper.model import Extraction, Response

if TYPE_CHECKING:
    # Imported when the first large page comes: most crawls have none, and downloads extract nothing.
    from concurrent.futures import ProcessPoolExecutor

# For one page in the process.
EXTRACT_TIMEOUT_SECONDS = 20.0
# For the start of the process, which imports the extractor.
PROCESS_START_TIMEOUT_SECONDS = 60.0
# A small page with so many tags goes to the thread too: nested elements cost the square of their number.
THREAD_FROM_TAGS = 2_000
# On Linux; elsewhere the timeout is the only limit.
MAX_PROCESS_MEMORY_BYTES = 240 * 1024 * 1024

STOP_SIGNALS = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_process_extractor: Extractor | None = None


def _init_process(extractor: Extractor) -> None:
    global _process_extractor  # in the child process: it has this one extractor for as long as it lives
    _process_extractor = extractor
    # Ctrl-C reaches the whole process group. The parent decides when this process ends.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    Thread(target=_exit_with_parent, name="parent-watch", daemon=True).start()
    with suppress(ImportError, AttributeError, ValueError, OSError):
        import resource  # not on every system

        resource.setrlimit(resource.RLIMIT_DATA, (MAX_PROCESS_MEMORY_BYTES, MAX_PROCESS_MEMORY_BYTES))


def _exit_with_parent() -> None:
    """Exit when the parent is gone (killed, perhaps). EOF on the pipe never comes: this process holds both its ends."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _extract_here(page: Response) -> Extraction:
    assert _process_extractor is not None
    return _process_extractor.extract(page)


class ExtractionPool:
    """Gives pages to the extractor, one at a time.

    Pages from `thread_from_bytes` or `THREAD_FROM_TAGS` on are read in a thread, from `process_from_bytes` on in a
    process, and so are those in a spool file. Both are started when they are needed.
    """

    def __init__(self, extractor: Extractor, thread_from_bytes: int, process_from_bytes: int, clock: Clock) -> None:
        self._extractor = extractor
        self._thread_from_bytes = thread_from_bytes
        self._process_from_bytes = process_from_bytes
        self._clock = clock
        self._thread: ThreadPoolExecutor | None = None
        self._pool: ProcessPoolExecutor | None = None
        # Of the process in `_pool`; 0 while there is none.
        self._pid = 0
        # How long the last page blocked the event loop; 0 when it was read elsewhere.
        self.last_loop_seconds = 0.0

    async def extract(self, page: Response) -> Extraction:
        """Extract links and items. What is wrong with the page itself is in `Extraction.problem`, never raised."""
        self.last_loop_seconds = 0.0
        body = page.body
        if body.size >= self._process_from_bytes or body.path is not None:
            return await self._extract_in_process(page)
        if body.size >= self._thread_from_bytes or body.read().count(b"<") >= THREAD_FROM_TAGS:
            return await self._extract_in_thread(page)
        started = self._clock.now()
        extraction = self._extractor.extract(page)
        self.last_loop_seconds = self._clock.now() - started
        return extraction

    async def _extract_in_thread(self, page: Response) -> Extraction:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="reader")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._extractor.extract, page)

    async def _extract_in_process(self, page: Response) -> Extraction:
        loop = asyncio.get_running_loop()
        try:
            if self._pool is None:
                self._pool = _new_process_pool(self._extractor)
                with _stop_signals_blocked():  # the process starts with this call
                    pid = loop.run_in_executor(self._pool, os.getpid)
                async with asyncio.timeout(PROCESS_START_TIMEOUT_SECONDS):
                    self._pid = await pid
            async with asyncio.timeout(EXTRACT_TIMEOUT_SECONDS):
                return await loop.run_in_executor(self._pool, _extract_here, page)
        except TimeoutError:
            self._kill_process()
            return Extraction(problem=f"not read: it took longer than {EXTRACT_TIMEOUT_SECONDS:g} s")
        except MemoryError:
            return Extraction(problem=f"not read: it needs more than {MAX_PROCESS_MEMORY_BYTES >> 20} MiB of memory")
        except BrokenExecutor:
            self._kill_process()
            return Extraction(problem="not read: the process that read this page died")
        except asyncio.CancelledError:
            self._kill_process()  # `aclose` would wait for this page otherwise
            raise

    def _kill_process(self) -> None:
        pool, self._pool = self._pool, None
        pid, self._pid = self._pid, 0
        if pool is not None:
            if pid:
                with suppress(OSError):
                    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            pool.shutdown(wait=False, cancel_futures=True)

    async def aclose(self) -> None:
        """End the thread and the process."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            thread.shutdown(wait=False, cancel_futures=True)
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)


@contextmanager
def _stop_signals_blocked() -> Iterator[None]:
    """Block signals, so that a child started inside inherits the mask; `_init_process` then ignores them explicitly."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _new_process_pool(extractor: Extractor) -> ProcessPoolExecutor:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    _start_resource_tracker_silently()
    context = multiprocessing.get_context("spawn")  # a fork would copy our threads' locks
    return ProcessPoolExecutor(1, context, initializer=_init_process, initargs=(extractor,))


def _start_resource_tracker_silently() -> None:
    """Start Python's resource tracker so that it prints no warning about semaphores after a kill.

    The tracker is a process that removes what a killed process left. It reads the environment at its start only.
    """
    if os.name != "posix":  # there is none on Windows
        return
    from multiprocessing import resource_tracker

    name, quiet = "PYTHONWARNINGS", "ignore::UserWarning:multiprocessing.resource_tracker"
    before = os.environ.get(name)
    os.environ[name] = f"{before},{quiet}" if before else quiet
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
