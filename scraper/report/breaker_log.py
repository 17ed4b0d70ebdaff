"""The state transitions of circuit breakers: the latest of this session in memory, those of all sessions in a file.

The file is in the run's state folder. It is written at each transition, so that the report also has those of a session
that was killed.
"""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from scraper.events import BreakerClosed, BreakerHalfOpen, BreakerOpened
from scraper.report.text.formatting import instant_text

# The latest transitions of a session that are kept in memory for its summary.
MAX_SESSION_TRANSITIONS = 2_000
# The file keeps at least this many of the latest transitions; at twice as many the older half is dropped.
MIN_TRANSITIONS_KEPT = 5_000
MAX_WHY_CHARS = 200
# Longer lines are cut, and then skipped as invalid JSON.
MAX_LINE_BYTES = 2_000


# Pseudo-states with an empty host: the beginning and the end of a session.
SESSION_BEGIN, SESSION_END = "begin", "end"


class BreakerTransition(NamedTuple):
    """The breaker of `host` changed to `state` (open, half-open, blocked or closed) at `at`.

    `until` is the end of an open state; both are epoch seconds.
    """

    at: float
    host: str
    state: str
    until: float | None = None
    why: str = ""

    def to_json_values(self) -> dict[str, Any]:
        """The transition as JSON values, instants as ISO 8601."""
        return {
            "at": instant_text(self.at),
            "host": self.host,
            "state": self.state,
            "until": instant_text(self.until),
            "why": self.why[:MAX_WHY_CHARS],
        }


def transition_of(event: BreakerOpened | BreakerHalfOpen | BreakerClosed) -> BreakerTransition:
    """The transition that an event reports. A breaker that opens without an end is "blocked"."""
    match event:
        case BreakerOpened():
            for_good = event.until == math.inf
            state, until = ("blocked", None) if for_good else ("open", event.until)
            return BreakerTransition(event.at, event.host, state, until, event.why)
        case BreakerHalfOpen():
            return BreakerTransition(event.at, event.host, "half-open")
        case BreakerClosed():
            return BreakerTransition(event.at, event.host, "closed")


class BreakerLog:
    """Keeps the latest transitions in `latest`, and after `append_to` also in a file."""

    def __init__(self) -> None:
        self.latest: deque[BreakerTransition] = deque(maxlen=MAX_SESSION_TRANSITIONS)
        self._path: Path | None = None
        self._lines = 0

    def append_to(self, path: Path) -> None:
        """From now on also append transitions to `path`, after those of earlier sessions."""
        self._path, self._lines = path, _count_lines(path)

    def add(self, step: BreakerTransition) -> None:
        """Add one transition."""
        self.latest.append(step)
        self._write(step)

    def add_session_boundary(self, at: float, state: str) -> None:
        """Write the beginning or end of a session to the file: between sessions no breaker state is shown."""
        self._write(BreakerTransition(at, "", state))

    def _write(self, step: BreakerTransition) -> None:
        """Append to the file. After an error it is not written any more: these data are not worth ending a run."""
        if self._path is None:
            return
        try:
            with self._path.open("ab") as file:
                file.write(orjson.dumps(step.to_json_values()) + b"\n")
            self._lines += 1
            if self._lines >= 2 * MIN_TRANSITIONS_KEPT:
                self._drop_older_half(self._path)
        except OSError:
            self._path = None

    def _drop_older_half(self, path: Path) -> None:
        kept = deque(_read_lines(path), maxlen=MIN_TRANSITIONS_KEPT)
        part = path.with_name(path.name + ".part")
        part.write_bytes(b"".join(line.rstrip(b"\n") + b"\n" for line in kept))
        part.replace(path)
        self._lines = len(kept)


def read_transitions(path: Path) -> list[dict[str, Any]]:
    """The transitions in the file at `path`, at most the latest `2 * MIN_TRANSITIONS_KEPT`; invalid lines are not."""
    steps: deque[dict[str, Any]] = deque(maxlen=2 * MIN_TRANSITIONS_KEPT)
    try:
        for line in _read_lines(path):
            try:
                step = orjson.loads(line)
            except orjson.JSONDecodeError:  # incomplete: the process was killed while writing
                continue
            if isinstance(step, dict) and all(isinstance(step.get(key), str) for key in ("at", "host", "state")):
                steps.append(step)
    except OSError:
        return []
    return list(steps)


def _read_lines(path: Path) -> Any:
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES):
            yield line


def _count_lines(path: Path) -> int:
    try:
        return sum(1 for _ in _read_lines(path))
    except OSError:
        return 0
