"""Looks into a frontier's file without taking part: for questions about a run, also while it goes on.

The file is opened read-only and no lock of the run is taken. SQLite shows each statement a consistent picture, two
statements may see two moments. A file that nobody has open (its write-ahead log is gone) is read without leaving
anything behind, from a read-only disk too.
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
MAX_QUEUED_FOUND = 100
"""Waiting requests to one URL that are looked at: it may be asked for with many contents."""
_SAME_URL = f"host = ? AND (href = ? OR key = ? OR (key LIKE '{POST_KEY_PREFIX}%' AND substr(key, {POST_KEY_URL_START + 1}) = ?))"
_SELECT_QUEUED = f"""SELECT prio, NULL, {REQUEST_COLUMNS} FROM queue WHERE {_SAME_URL}
    UNION ALL SELECT prio, due, {REQUEST_COLUMNS} FROM later WHERE {_SAME_URL} LIMIT {MAX_QUEUED_FOUND}"""  # noqa: S608


class QueuedRequest(NamedTuple):
    """A request that waits; `due` is the instant (epoch seconds) of one that waits for its date."""

    request: Request
    due: float | None


@dataclass(frozen=True, slots=True)
class RunCounts:
    """How a run stands: URLs by state, and over all hosts by outcome; `wire_size` is bytes."""

    queued: int = 0
    delayed: int = 0
    items: int = 0
    wire_size: int = 0
    hosts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Settled URLs by host and outcome."""
    waiting: Mapping[str, int] = field(default_factory=dict)
    """URLs queued or delayed, by host."""

    @property
    def outcomes(self) -> dict[str, int]:
        """Settled URLs by outcome."""
        sums: dict[str, int] = {}
        for tally in self.hosts.values():
            for word, count in tally.items():
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
        # While somebody writes there is a log beside the file, and SQLite's shared memory keeps us in step with it. A
        # run that begins just now changes the file itself only after megabytes of log: this look is over by then.
        live = Path(f"{self._path}-wal").exists()
        address = f"file:{quote(str(self._path.absolute()))}?{'mode=ro' if live else 'immutable=1'}"
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
        """How the run stands. Takes about 0.2 s for a million waiting URLs."""
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
        """What the run remembers of `host`, by name."""
        return dict(self._select("SELECT note.name, value FROM note JOIN host ON id = host WHERE host.name = ?", host))

    def find_skip(self, url: Url) -> Skip | None:
        """The note that `url` was seen and not asked for."""
        columns = "href, key, host, origin, parent, reason, rule"
        for href, key, host, origin, *rest in self._select(f"SELECT {columns} FROM skip WHERE k = ?", fingerprint(url)):  # noqa: S608
            return Skip(Url(href, href if key is None else key, host, origin), *rest)
        return None

    def find_queued(self, url: Url) -> list[QueuedRequest]:
        """The requests for `url` that wait, a GET first. Looks at everything that waits for its host."""
        found = []
        for (host_id,) in self._select("SELECT id FROM host WHERE name = ?", url.host):
            wanted = (host_id, url.key, url.key, url.key)
            for priority, due, *columns in self._select(_SELECT_QUEUED, *wanted, *wanted):
                found.append(QueuedRequest(decode_request(url.host, priority, tuple(columns)), due))
        return sorted(found, key=lambda queued: queued.request.content is not None)

    def is_known(self, url: Url) -> bool:
        """Whether the run ever took up `url`, or one with the same key."""
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
    """The process that is at work in `folder`, or None. Takes no lock: a run that starts now must not be refused."""
    lock = RunLayout(folder).lock
    try:
        text = lock.read_bytes()[:MAX_PID_BYTES].strip()
        inode = lock.stat().st_ino
    except OSError:
        return None
    if not text.isdigit() or sys.platform == "win32":  # os.kill would end the process there
        return None
    pid = int(text)
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass  # it lives, and is somebody else's
    except (OSError, OverflowError):
        return None
    with suppress(OSError):
        # Numbers of processes are used again: where the system tells who holds locks, the file must be among them.
        held = (
            line.split()[5].rpartition(":")[2] for line in PROC_LOCKS.read_text().splitlines() if " -> " not in line
        )
        return pid if str(inode) in held else None
    return pid
