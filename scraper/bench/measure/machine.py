"""The machine a benchmark ran on: what it is, how busy it is, and which cores the two processes get."""

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
BUSY_SHARE = 0.25
LOAD_SAMPLE_SECONDS = 0.4
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def describe_machine(loop_name: str, count: int) -> dict[str, Any]:
    """Machine, Python and the versions that matter. `loop_name` is the event loop's module, `count` that of cores."""
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
    """How many cores this process may use."""
    return len(usable_cores()) or os.cpu_count() or 1


def usable_cores() -> list[int]:
    """The cores this process may run on; nothing where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


@contextmanager
def reserve_server_core() -> Iterator[int | None]:
    """While inside, this process leaves one core to the server; gives that core, None where it cannot be done."""
    mine = usable_cores()
    if sys.platform != "linux" or len(mine) < 2:
        yield None
        return
    try:
        os.sched_setaffinity(0, mine[:-1])
    except OSError:
        yield None
        return
    try:
        yield mine[-1]
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, mine)


def pin_process(process: int, core: int | None) -> None:
    """Keep a process on one core, where the system allows it."""
    if core is not None and sys.platform == "linux":
        with suppress(OSError):
            os.sched_setaffinity(process, [core])


async def busy_share(clock: Clock) -> float:
    """The share (0..1) of the machine that others use, while this process waits for a moment."""
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
    """Busy and total ticks of all cores since the start (proc(5)), or None where there is no such file."""
    try:
        first = Path("/proc/stat").read_text("ascii").partition("\n")[0].split()
        values = [int(v) for v in first[1:9]]
    except (OSError, ValueError):
        return None
    return sum(values) - values[3] - values[4], sum(values)


def cpu_wait_seconds() -> float:
    """Seconds that the main thread was ready to run and another program had its core (Linux schedstat); else 0.0."""
    try:
        with Path("/proc/self/schedstat").open("rb") as file:
            return int(file.read(128).split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def resident_bytes() -> int:
    """Bytes of memory that this process holds; 0 where the system does not tell."""
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
    return peak if sys.platform == "darwin" else peak * 1024


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop where it is installed; else asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
