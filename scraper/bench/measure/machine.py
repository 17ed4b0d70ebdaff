"""The computer a benchmark runs on: its description, its load, its memory, and which cores the processes use."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from scraper.clock import Clock

REPORTED_PACKAGES = ("scraper", "httpx", "httptools", "uvloop", "selectolax")
# Share of the machine used by others from which figures cannot be trusted.

LOAD_SAMPLE_SECONDS = 0.4
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def describe_machine(loop_name: str, count: int) -> dict[str, Any]:
    """Processor, system, Python and versions of packages, for the report.

    `loop_name` is the module of the event loop's class, `count` the number of cores.
    """
    versions = {}
    for name in REPORTED_PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": count,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "loop": loop_name.partition(".")[0],
        "versions": versions,
    }


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown"


def core_count() -> int:
    """Number of cores this process may use; at least 1."""
    return len(usable_cores()) or os.cpu_count() or 1


def usable_cores() -> list[int]:
    """The numbers of the cores this process may run on; empty on systems other than Linux."""
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


@contextmanager
def reserve_server_core() -> Iterator[int | None]:
    """Keep this process off one core while inside; yields that core for the server, None if there is no spare one."""
    usable = usable_cores()
    if sys.platform != "linux" or len(usable) < 2:
        yield None
        return
    try:
        os.sched_setaffinity(0, usable[:-1])
    except OSError:
        yield None
        return
    try:
        yield usable[-1]
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, usable)


def pin_process(process: int, core: int | None) -> None:
    """Restrict a process to one core if the system allows it. `process` is its pid."""
    if core is not None and sys.platform == "linux":
        with suppress(OSError):
            os.sched_setaffinity(process, [core])


async def busy_share(clock: Clock) -> float:
    """The share (0..1) of the computer's CPU that other programs use, measured while this process sleeps."""
    before = _cpu_ticks()
    if before is None:
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        return min(1.0, load / (os.cpu_count() or 1))
    await clock.sleep_until(clock.now() + LOAD_SAMPLE_SECONDS)
    after = _cpu_ticks()
    assert after is not None
    used, total = after[0] - before[0], after[1] - before[1]
    return used / total if total > 0 else 0.0


def _cpu_ticks() -> tuple[int, int] | None:
    """Busy and total clock ticks of all cores since boot (/proc/stat, proc(5)); None if there is no such file."""
    try:
        first = Path("/proc/stat").read_text("ascii").partition("\n")[0].split()
        values = [int(v) for v in first[1:9]]
    except (OSError, ValueError):
        return None
    return sum(values) - values[3] - values[4], sum(values)  # fields 3 and 4 are idle and iowait


def cpu_wait_seconds() -> float:
    """Seconds so far that the main thread was ready to run but had no core (Linux schedstat); 0.0 if unknown."""
    try:
        with Path("/proc/self/schedstat").open("rb") as file:
            return int(file.read(128).split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def resident_bytes() -> int:
    """Resident memory of this process in bytes; its peak if only that is known, 0 if nothing is."""
    try:
        with Path("/proc/self/statm").open("rb") as file:
            return int(file.read(64).split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return _peak_bytes()


def _peak_bytes() -> int:
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, KiB elsewhere


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop if it is installed, else asyncio's own event loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
