"""Runs the site and crawls of it as real processes, and verifies what a crawl has written."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.faults.web import ITEMS_PER_PAGE, SiteContent, logged_requests

ROOT = Path(__file__).parents[2]
CONCURRENCY = 8
RECORDER_BATCH = 64
# What a kill may cost: requests under way, answers that wait for the recorder, and its group.
MAX_REFETCHED_PER_KILL = 3 * CONCURRENCY + RECORDER_BATCH
EXIT_TIMEOUT_SECONDS = 60.0


class SiteProcess:
    """The site in its own process. `start` after `kill` uses the same port again."""

    def __init__(self, web: SiteContent, log: Path, slow: float = 0.0) -> None:
        self.web, self.log, self._slow = web, log, slow
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.faults.web", "--log", str(self.log), "--port", str(self.port)]
        command += ["--pages", str(self.web.pages), "--slow", str(self._slow), *(["--large"] if self.web.large else [])]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """Kill the process and with it every connection."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def url(self, path: str = "/p/0", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def requested_paths(self) -> list[str]:
        """The paths that were requested so far, in order."""
        return [path for _, path in self.request_times()]

    def request_times(self) -> list[tuple[float, str]]:
        """(time, path) of each request so far."""
        return list(logged_requests(self.log)) if self.log.exists() else []

    def wait_for_requests(self, count: int, process: CrawlProcess, seconds: float = EXIT_TIMEOUT_SECONDS) -> bool:
        """Wait until `count` requests have arrived; False if `process` ended first."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.log.exists() and self.log.read_bytes().count(b"\n") >= count:
                return True
            if process.exit_code() is not None:
                return False
            time.sleep(0.002)
        raise AssertionError(f"fewer than {count} requests within {seconds} s\n{process.output()}")


def crawl_config(server: SiteProcess, folder: Path, **more: Any) -> dict[str, Any]:
    """A config that crawls the site without rate limit."""
    return {
        "seeds": [server.url()],
        "limits": {"concurrency": CONCURRENCY, "retries": 4, "timeout": 20},
        "politeness": {
            "per_host": {"rate": "unlimited", "concurrency": CONCURRENCY},
            "adaptive": False,
            "breaker": {"failures": 20, "open": 0.5, "max_open": 2},
        },
        "sitemaps": "off",
        "extract": [{"each": ".item", "fields": {"name": {"css": "b"}, "number": {"css": "i", "type": "int"}}}],
        "files": {"match": [r"\.bin$"]},
        "output": {"folder": str(folder), "sinks": ["jsonl", "csv", "sqlite"]},
        **more,
    }


@dataclass
class CrawlProcess:
    """A crawl in its own process and process group."""

    process: subprocess.Popen[str]
    output_path: Path

    def exit_code(self) -> int | None:
        """The exit code; None while it runs."""
        return self.process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, not to its group."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def wait_for_exit(self, seconds: float = EXIT_TIMEOUT_SECONDS) -> int:
        """Wait until the process exits and return the exit code; fails if that takes more than `seconds`."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the crawl did not end within {seconds} s\n{self.output()}") from None

    def output(self) -> str:
        """What it printed."""
        return self.output_path.read_text(errors="replace")


def start_crawl(
    folder: Path,
    settings: Mapping[str, Any],
    *options: str,
    through: Sequence[str] = (),
    module: Sequence[str] = ("scraper",),
    **popen: Any,
) -> CrawlProcess:
    """Start `python -m scraper crawl` with `settings`; `through` is a command that runs it, such as `nohup`.

    Its output goes to a file beside the config, in `folder`.
    """
    folder.mkdir(exist_ok=True)
    path = folder / "crawl.yaml"
    path.write_text(json.dumps(settings))
    screen = folder / "screen.txt"
    progress = () if "--progress" in options else ("--progress", "plain")
    command = [*through, sys.executable, "-m", *module, "crawl", str(path), *progress, *options]
    with screen.open("w") as out:
        popen = {"stdout": out, "stderr": out, "stdin": subprocess.DEVNULL, **popen}
        process = subprocess.Popen(command, cwd=ROOT, text=True, start_new_session=True, **popen)
    return CrawlProcess(process, screen)


@contextmanager
def killed_on_exit(crawl: CrawlProcess) -> Iterator[CrawlProcess]:
    """Kill the crawl's process group on exit if it is still running."""
    try:
        yield crawl
    finally:
        if crawl.exit_code() is None:
            os.killpg(crawl.process.pid, signal.SIGKILL)
            crawl.process.wait()


def run_crawl(folder: Path, settings: Mapping[str, Any], *options: str, **more: Any) -> tuple[int, str]:
    """Run a crawl until it exits; return the exit code and its output."""
    with killed_on_exit(start_crawl(folder, settings, *options, **more)) as crawl:
        return crawl.wait_for_exit(), crawl.output()


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a file of JSON lines; fails if the last line is torn."""
    text = path.read_bytes()
    assert text.endswith(b"\n") or not text, f"{path}: the last line is torn"
    return [json.loads(line) for line in text.splitlines()]


def count_whole_lines(path: Path) -> int:
    """Number of lines of a file of JSON lines; fails if the last one is torn."""
    return len(read_json_lines(path)) if path.exists() else 0


def verify_complete_crawl(server: SiteProcess, out: Path) -> None:
    """Assert that a crawl of the whole site recorded every page and item exactly once, and stored every file whole."""
    web = server.web
    expected = web.expected_urls()
    records = read_json_lines(out / "pages.jsonl")
    root = server.url("")
    asked_for = Counter(record["requested_url"].removeprefix(root) for record in records)
    own = Counter(record["url"].removeprefix(root) for record in records if "duplicate_of" not in record)
    assert not [path for path, count in asked_for.items() if count > 1], "recorded more than once"
    assert not [path for path, count in own.items() if count > 1], "recorded more than once, under redirects"
    # A linked page may have been reached through a redirect first: then that is its record.
    assert set(asked_for) | set(own) == expected | set(web.redirects.values())
    for record in records:
        wanted = 404 if "/missing/" in record["url"] else 302 if "duplicate_of" in record else 200
        assert record["status"] == wanted, record
    _verify_items(web, out)
    _verify_files(web, out, records, root)
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["why"], summary["pages"]["settled"]) == ("finished", len(records))
    assert summary["items"] == ITEMS_PER_PAGE * len(web.pages_with_items())


def _verify_items(web: SiteContent, out: Path) -> None:
    expected = Counter(f"{path}#{n}" for path in web.pages_with_items() for n in range(ITEMS_PER_PAGE))
    assert Counter(item["name"] for item in read_json_lines(out / "items.jsonl")) == expected
    with (out / "items.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["url", "name", "number"]
    assert Counter(row[1] for row in rows) == expected
    assert {len(row) for row in rows} == {3}
    with closing(sqlite3.connect(out / "items.sqlite")) as db:
        assert Counter(name for (name,) in db.execute("SELECT name FROM items")) == expected
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _verify_files(web: SiteContent, out: Path, records: list[dict[str, Any]], root: str) -> None:
    stored = {record["url"].removeprefix(root): record for record in records if record["kind"] == "file"}
    assert set(stored) == set(web.files)
    for path, record in stored.items():
        assert (out / record["path"]).read_bytes() == web.body(path), path
    left = [path for path in (out / "files").rglob("*") if path.is_file()]
    assert len(left) == len(stored)


def repeated_requests(server: SiteProcess, sessions: int) -> Counter[str]:
    """The paths that were requested more often than an undisturbed crawl would, with the number of extra requests."""
    counts = Counter(server.requested_paths())
    counts -= Counter(dict.fromkeys(counts, 1))
    counts -= Counter(dict.fromkeys(server.web.flaky, 1))
    counts -= Counter({"/robots.txt": sessions})
    return +counts
