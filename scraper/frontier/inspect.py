"""Reads a frontier's file from outside, for `scrape status` and `why`: also while the run is going on.

The file is opened read-only and the run's lock is not taken. Each statement sees a consistent state, but two statements
may see different ones. A file that no process has open (no write-ahead log is there) is opened as immutable: that
leaves no files behind, and works on a read-only disk.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import quote

from scraper.errors import FrontierError
from scraper.frontier.sqlite.row_codec import REQUEST_COLUMNS, decode_request
from scraper.frontier.sqlite.schema import APPLICATION_ID, BUSY_SECONDS, FORMAT_VERSION, error_message
from scraper.model import Request, Skip, Url
from scraper.rundir.layout import FAILED_FILE, FRONTIER_FILE, MANIFEST_FILE, RunLayout
from scraper.rundir.lock import MAX_PID_BYTES
from scraper.urls.fingerprint import fingerprint
from scraper.urls.post_identity import POST_KEY_PREFIX, POST_KEY_URL_START

PROC_LOCKS = Path("/proc/locks")

_COUNT_QUEUED = "SELECT (SELECT count(*) FROM queue), (SELECT count(*) FROM later)"
# One URL may wait many times, with different contents to POST. More than this many are not looked at.
MAX_QUEUED_FOUND = 100
_POST_OF_URL = f"(key LIKE '{POST_KEY_PREFIX}%' AND substr(key, {POST_KEY_URL_START + 1}) = ?)"
_SAME_URL = f"host = ? AND (href = ? OR key = ? OR {_POST_OF_URL})"
_SELECT_QUEUED = f"""SELECT prio, NULL, {REQUEST_COLUMNS} FROM queue WHERE {_SAME_URL}
    UNION ALL SELECT prio, due, {REQUEST_COLUMNS} FROM later WHERE {_SAME_URL} LIMIT {MAX_QUEUED_FOUND}"""  # noqa: S608


class QueuedRequest(NamedTuple):
    """A request that waits; `due` (epoch seconds) is when a delayed one may be retried."""

    request: Request
    due: float | None


@dataclass(frozen=True, slots=True)
class RunCounts:
    """The figures of a run. `wire_size` is bytes received, over all sessions."""

    queued: int = 0
    delayed: int = 0
    items: int = 0
    wire_size: int = 0
    # Settled URLs by host and outcome.
    hosts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    # Requests queued or delayed, by host.
    waiting: Mapping[str, int] = field(default_factory=dict)

    @property
    def outcomes(self) -> dict[str, int]:
        """Settled URLs by outcome."""
        sums: dict[str, int] = {}
        for host_counts in self.hosts.values():
            for word, count in host_counts.items():
                sums[word] = sums.get(word, 0) + count
        return sums


class RunInspector:
    """The state of the run in `folder`, as a context manager. Raises `FrontierError` when it cannot be read."""

    def __init__(self, folder: Path) -> None:
        layout = RunLayout(folder)
        self._path = layout.frontier
        if not self._path.is_file():
            if layout.download_state.is_dir():
                raise FrontierError(
                    f"{folder} holds a download and no crawl: {MANIFEST_FILE} has a record for each entry of the list, "
                    f"{FAILED_FILE} those that failed; scrape download with the same list resumes it"
                )
            raise FrontierError(f"{folder} holds no run: {FRONTIER_FILE} is missing")
        # A process that writes keeps a -wal file, and SQLite has to read both. Without one the file is immutable for
        # long enough: a run that starts now changes the database file only after it has written 16 MB of log.
        is_live = Path(f"{self._path}-wal").exists()
        address = f"file:{quote(str(self._path.absolute()))}?{'mode=ro' if is_live else 'immutable=1'}"
        try:
            self._db = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        except sqlite3.Error as error:
            raise FrontierError(error_message(self._path, error)) from error
        try:
            self._check_format()
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> RunInspector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def counts(self) -> RunCounts:
        """The run's figures. Takes about 0.2 s for a million waiting URLs."""
        ((queued, delayed),) = self._select(_COUNT_QUEUED)
        sums = dict(self._select("SELECT name, value FROM total"))
        hosts: dict[str, dict[str, int]] = {}
        for host, outcome, count in self._select(
            "SELECT name, outcome, n FROM tally JOIN host ON host.id = tally.host ORDER BY n DESC, name, outcome"
        ):
            hosts.setdefault(host, {})[outcome] = count
        waiting: dict[str, int] = {}
        for table in ("queue", "later"):
            counted = (
                f"SELECT name, n FROM (SELECT host, count(*) AS n FROM {table} GROUP BY host) JOIN host ON id = host"  # noqa: S608
            )
            for host, count in self._select(counted):
                waiting[host] = waiting.get(host, 0) + count
        return RunCounts(queued, delayed, sums.get("items", 0), sums.get("wire_size", 0), hosts, waiting)

    def host_state(self, host: str) -> dict[str, str]:
        """What the run stored about `host` (gate, robots.txt), by name."""
        return dict(self._select("SELECT note.name, value FROM note JOIN host ON id = host WHERE host.name = ?", host))

    def find_skip(self, url: Url) -> Skip | None:
        """Why `url` was skipped, None when it was not."""
        columns = "href, key, host, origin, parent, reason, rule"
        for href, key, host, origin, *rest in self._select(f"SELECT {columns} FROM skip WHERE k = ?", fingerprint(url)):  # noqa: S608
            return Skip(Url(href, href if key is None else key, host, origin), *rest)
        return None

    def find_queued(self, url: Url) -> list[QueuedRequest]:
        """The waiting requests for `url`, a GET first. Scans all that waits for its host."""
        found = []
        for (host_id,) in self._select("SELECT id FROM host WHERE name = ?", url.host):
            wanted = (host_id, url.key, url.key, url.key)
            for priority, due, *columns in self._select(_SELECT_QUEUED, *wanted, *wanted):
                found.append(QueuedRequest(decode_request(url.host, priority, tuple(columns)), due))
        return sorted(found, key=lambda queued: queued.request.content is not None)

    def is_known(self, url: Url) -> bool:
        """Whether `url`, or one with the same key, was ever queued."""
        key = fingerprint(url)
        return bool(self._select("SELECT 1 FROM seen WHERE k = ? UNION ALL SELECT 1 FROM fresh WHERE k = ?", key, key))

    def _check_format(self) -> None:
        ((application,),) = self._select("PRAGMA application_id")
        ((version,),) = self._select("PRAGMA user_version")
        if application != APPLICATION_ID or version != FORMAT_VERSION:
            raise FrontierError(f"{self._path} is not the state of a crawl by this version of scraper")

    def _select(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise FrontierError(error_message(self._path, error)) from error


def running_pid(folder: Path) -> int | None:
    """The pid of the process at work in `folder`, or None. Takes no lock, which would make a starting run fail."""
    lock = RunLayout(folder).lock
    try:
        text = lock.read_bytes()[:MAX_PID_BYTES].strip()
        inode = lock.stat().st_ino
    except OSError:
        return None
    if not text.isdigit() or sys.platform == "win32":  # there os.kill(pid, 0) ends the process
        return None
    pid = int(text)
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass  # it lives, and is somebody else's
    except (OSError, OverflowError):
        return None
    with suppress(OSError):
        # Pids are reused. Linux lists who holds which lock: our lock file's inode must be among them.
        inodes = (
            line.split()[5].rpartition(":")[2] for line in PROC_LOCKS.read_text().splitlines() if " -> " not in line
        )
        return pid if str(inode) in inodes else None
    return pid
