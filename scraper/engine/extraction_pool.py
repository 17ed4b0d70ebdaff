"""Reads pages where they cannot hurt: small ones at once, larger ones in a thread, large ones in another process.

The parser lets go of the interpreter while it builds a tree, so in a thread of ours it stalls nobody; but a thread
cannot be ended, and a page can be made so that reading it takes minutes or gigabytes (one tag with fifty thousand
attributes, a million elements). From `large` bytes on a page is therefore read in a process of its own, which is ended
when its time is up and is refused memory beyond a bound. Either way the page has its record, with the reason in it.
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
    # Loaded when a page is large: most runs meet none, and downloads read no page at all.
    from concurrent.futures import ProcessPoolExecutor

EXTRACT_TIMEOUT_SECONDS = 20.0
"""Longest time one large page may take in its process."""
THREAD_FROM_TAGS = 2_000
"""Tags from which a small page goes to the thread too: elements inside each other cost the square of their number."""
PROCESS_START_TIMEOUT_SECONDS = 60.0
"""Longest time that process may take to start: it imports the extractor."""
MAX_PROCESS_MEMORY_BYTES = 240 * 1024 * 1024
"""Bytes of memory the process may ask for (on Linux; elsewhere the time is the only bound)."""

STOP_SIGNALS = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_process_extractor: Extractor | None = None


def _init_process(extractor: Extractor) -> None:
    global _process_extractor  # the pool's own process: it has one extractor for life
    _process_extractor = extractor
    # Signals of the terminal reach the whole group; when this process ends is the crawl's to say.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    Thread(target=_exit_with_parent, name="parent-watch", daemon=True).start()
    with suppress(ImportError, AttributeError, ValueError, OSError):
        import resource  # not on every system

        resource.setrlimit(resource.RLIMIT_DATA, (MAX_PROCESS_MEMORY_BYTES, MAX_PROCESS_MEMORY_BYTES))


def _exit_with_parent() -> None:
    """End this process when the crawl is gone, killed perhaps: its pipe would never tell, we hold both of its ends."""
    import multiprocessing

    crawl = multiprocessing.parent_process()
    if crawl is not None:
        crawl.join()
        os._exit(1)


def _extract_here(page: Response) -> Extraction:
    assert _process_extractor is not None
    return _process_extractor.extract(page)


class ExtractionPool:
    """Gives pages to the extractor, one at a time.

    Pages of `thread_from_bytes` bytes or `THREAD_FROM_TAGS` and more are read in a thread, of `large` bytes and more,
    or spooled, in a
    process; both start when they are needed.
    """

    def __init__(self, extractor: Extractor, thread_from_bytes: int, process_from_bytes: int, clock: Clock) -> None:
        self._extractor = extractor
        self._thread_from_bytes = thread_from_bytes
        self._process_from_bytes = process_from_bytes
        self._clock = clock
        self._thread: ThreadPoolExecutor | None = None
        self._pool: ProcessPoolExecutor | None = None
        self._pid = 0
        self.last_loop_seconds = 0.0
        """Seconds the last page took on the event loop."""

    async def extract(self, page: Response) -> Extraction:
        """Extract links and items. Whatever goes wrong with the page itself is in the harvest's `problem`."""
        self.last_loop_seconds = 0.0
        body = page.body
        if body.size >= self._process_from_bytes or body.path is not None:
            return await self._extract_in_process(page)
        if body.size >= self._thread_from_bytes or body.read().count(b"<") >= THREAD_FROM_TAGS:
            return await self._extract_in_thread(page)
        started = self._clock.now()
        harvest = self._extractor.extract(page)
        self.last_loop_seconds = self._clock.now() - started
        return harvest

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
            self._kill_process()  # else closing would wait for the page that nobody waits for any more
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
    """A process that is started inside is born deaf to signals, until it says itself which it ignores."""
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
    """Start the process that clears up after a killed one, so that it does not tell the user about semaphores.

    It is a process of Python's own, which takes over the environment that it is started with.
    """
    if os.name != "posix":  # Windows clears up by itself
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
