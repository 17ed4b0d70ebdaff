"""Runs `scrape crawl` in a process of its own, and measures its memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# MB: the most that any process of a crawl may need, whatever a server sends.
MAX_MEMORY_MB = 300
# Seconds after which a crawl counts as hanging.
CRAWL_TIMEOUT_SECONDS = 100.0

# `ru_maxrss` starts with the peak of the process that forked. So a small process starts the crawl and reads its peak.
_LAUNCHER = """
import os, sys
pid = os.fork()
if not pid:
    os.execv(sys.executable, [sys.executable, "-m", "scraper", *sys.argv[2:]])
_, status, usage = os.wait4(pid, 0)
open(sys.argv[1], "w").write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""
_BASE_CONFIG = """
seeds: {seeds}
scope: {{mode: any}}
limits: {{retries: 0, timeout: 1s, deadline: 4s, concurrency: 32}}
politeness: {{robots: ignore, adaptive: false, learn_pace: false, per_host: {{rate: unlimited, concurrency: 16}},
             breaker: {{failures: 1000, ratio: 1, window: 1000}}}}
sitemaps: off
output: {{folder: out}}
"""
_CHECKOUT = Path(__file__).parents[2]
_LAG = re.compile(r"loop lag (\d+) ms")


@dataclass(frozen=True)
class CrawlResult:
    """How a crawl ended. `peak` is MB: of the crawl's process, and of the largest one it started and waited for."""

    code: int
    peak_mb: float
    pages: list[dict[str, object]]
    skipped: list[dict[str, object]]
    items: list[dict[str, object]]
    screen: bytes
    log: bytes

    def page(self, url: str) -> dict[str, object]:
        """The one record of `url`."""
        found = [page for page in self.pages if url in (page["url"], page["requested_url"])]
        assert len(found) == 1, f"{len(found)} records of {url}"
        return found[0]

    def skip(self, url: str) -> dict[str, object]:
        """The one line of skipped.jsonl about `url`."""
        found = [line for line in self.skipped if line["url"] == url]
        assert len(found) == 1, f"{len(found)} lines about {url}"
        return found[0]

    @property
    def max_lag_ms(self) -> int:
        """Milliseconds: the longest stall of the event loop that the monitor saw."""
        return max((int(found) for found in _LAG.findall(self.log.decode())), default=0)


async def crawl(folder: Path, seeds: Sequence[str], *sets: str, config: str = _BASE_CONFIG) -> CrawlResult:
    """Run `scrape crawl` over `seeds` in `folder`; each of `sets` is `key=value` over the config."""
    path, peak = folder / "hostile.yaml", folder / "peak"
    path.write_text(config.format(seeds=json.dumps(list(seeds))))
    options = [word for pair in sets for word in ("--set", pair)]
    arguments = ["crawl", str(path), "--progress", "plain", "-v", "--log-file", "log.txt", *options]
    code = await asyncio.to_thread(_run, [str(peak), *arguments], folder)
    out = folder / "out"
    return CrawlResult(
        code,
        int(peak.read_text()) / 1024,
        _lines(out / "pages.jsonl"),
        _lines(out / "skipped.jsonl"),
        _lines(out / "items.jsonl"),
        (folder / "screen").read_bytes(),
        (folder / "log.txt").read_bytes(),
    )


def _run(arguments: list[str], folder: Path) -> int:
    with (folder / "screen").open("wb") as screen:
        process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCHER, *arguments],
            cwd=folder,
            stdout=screen,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(_CHECKOUT)},
        )
    try:
        return process.wait(CRAWL_TIMEOUT_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
