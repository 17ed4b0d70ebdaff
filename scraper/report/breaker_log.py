"""The changes of circuit breakers: the latest of this session in memory, those of all sessions in a file.

The file lies with the run's state and is written as changes come, so that a session that is killed has its place in
the report as well.
"""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from scraper.events import BreakerClosed, BreakerHalfOpen, BreakerOpened
from scraper.report.text.formatting import instant_text

# Changes of a session that are remembered for its summary, the latest ones.
MAX_SESSION_TRANSITIONS = 2_000
# Changes that the file holds at least, over all sessions; at twice as many the older half goes.
MIN_TRANSITIONS_KEPT = 5_000
MAX_WHY_CHARS = 200
# Largest line that is read.
MAX_LINE_BYTES = 2_000
BREAKER_LOG_FILE = "breakers.jsonl"


# States that no host has: where a session begins and ends.
SESSION_BEGIN, SESSION_END = "begin", "end"


class BreakerTransition(NamedTuple):
    """A host's breaker changed at the instant `at` to `state`: open (until `until`), half-open, blocked or closed."""

    at: float
    host: str
    state: str
    until: float | None = None
    why: str = ""

    def to_json_values(self) -> dict[str, Any]:
        """The step as plain values, instants as text."""
        return {
            "at": instant_text(self.at),
            "host": self.host,
            "state": self.state,
            "until": instant_text(self.until),
            "why": self.why[:MAX_WHY_CHARS],
        }


def transition_of(event: BreakerOpened | BreakerHalfOpen | BreakerClosed) -> BreakerTransition:
    """What an event says of a breaker."""
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
    """Remembers steps, and keeps them in a file from when it is told where."""

    def __init__(self) -> None:
        self.latest: deque[BreakerTransition] = deque(maxlen=MAX_SESSION_TRANSITIONS)
        self._path: Path | None = None
        self._lines = 0

    def append_to(self, path: Path) -> None:
        """Write further steps to `path` as well, behind those of earlier sessions."""
        self._path, self._lines = path, _count_lines(path)

    def add(self, step: BreakerTransition) -> None:
        """Remember one step."""
        self.latest.append(step)
        self._write(step)

    def add_session_boundary(self, at: float, state: str) -> None:
        """Note in the file that a session begins or ends: between two of them nobody asks, whatever a breaker says."""
        self._write(BreakerTransition(at, "", state))

    def _write(self, step: BreakerTransition) -> None:
        """A file that cannot be written is given up: the steps are nothing to end a run for."""
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
    """The steps that `path` holds, the latest `2 * MIN_TRANSITIONS_KEPT`; what is no step is passed over."""
    steps: deque[dict[str, Any]] = deque(maxlen=2 * MIN_TRANSITIONS_KEPT)
    try:
        for line in _read_lines(path):
            try:
                step = orjson.loads(line)
            except orjson.JSONDecodeError:  # cut short by a kill
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
