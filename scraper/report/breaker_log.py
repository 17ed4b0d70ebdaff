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

SESSION_STEPS = 2_000
"""Changes of a session that are remembered for its summary, the latest ones."""
KEPT_STEPS = 5_000
"""Changes that the file holds at least, over all sessions; at twice as many the older half goes."""
WHY_CHARS = 200
LINE_BYTES = 2_000
"""Largest line that is read."""
JOURNAL = "breakers.jsonl"


BEGIN, END = "begin", "end"
"""States that no host has: where a session begins and ends."""


class BreakerStep(NamedTuple):
    """A host's breaker changed at the instant `at` to `state`: open (until `until`), half-open, blocked or closed."""

    at: float
    host: str
    state: str
    until: float | None = None
    why: str = ""

    def values(self) -> dict[str, Any]:
        """The step as plain values, instants as text."""
        return {
            "at": instant_text(self.at),
            "host": self.host,
            "state": self.state,
            "until": instant_text(self.until),
            "why": self.why[:WHY_CHARS],
        }


def step_of(event: BreakerOpened | BreakerHalfOpen | BreakerClosed) -> BreakerStep:
    """What an event says of a breaker."""
    match event:
        case BreakerOpened():
            for_good = event.until == math.inf
            state, until = ("blocked", None) if for_good else ("open", event.until)
            return BreakerStep(event.at, event.host, state, until, event.why)
        case BreakerHalfOpen():
            return BreakerStep(event.at, event.host, "half-open")
        case BreakerClosed():
            return BreakerStep(event.at, event.host, "closed")


class BreakerSteps:
    """Remembers steps, and keeps them in a file from when it is told where."""

    def __init__(self) -> None:
        self.latest: deque[BreakerStep] = deque(maxlen=SESSION_STEPS)
        self._path: Path | None = None
        self._lines = 0

    def keep_in(self, path: Path) -> None:
        """Write further steps to `path` as well, behind those of earlier sessions."""
        self._path, self._lines = path, _count(path)

    def add(self, step: BreakerStep) -> None:
        """Remember one step."""
        self.latest.append(step)
        self._write(step)

    def session(self, at: float, word: str) -> None:
        """Note in the file that a session begins or ends: between two of them nobody asks, whatever a breaker says."""
        self._write(BreakerStep(at, "", word))

    def _write(self, step: BreakerStep) -> None:
        """A file that cannot be written is given up: the steps are nothing to end a run for."""
        if self._path is None:
            return
        try:
            with self._path.open("ab") as file:
                file.write(orjson.dumps(step.values()) + b"\n")
            self._lines += 1
            if self._lines >= 2 * KEPT_STEPS:
                self._halve(self._path)
        except OSError:
            self._path = None

    def _halve(self, path: Path) -> None:
        kept = deque(_lines(path), maxlen=KEPT_STEPS)
        part = path.with_name(path.name + ".part")
        part.write_bytes(b"".join(line.rstrip(b"\n") + b"\n" for line in kept))
        part.replace(path)
        self._lines = len(kept)


def read_steps(path: Path) -> list[dict[str, Any]]:
    """The steps that `path` holds, the latest `2 * KEPT_STEPS`; what is no step is passed over."""
    steps: deque[dict[str, Any]] = deque(maxlen=2 * KEPT_STEPS)
    try:
        for line in _lines(path):
            try:
                step = orjson.loads(line)
            except orjson.JSONDecodeError:  # cut short by a kill
                continue
            if isinstance(step, dict) and all(isinstance(step.get(key), str) for key in ("at", "host", "state")):
                steps.append(step)
    except OSError:
        return []
    return list(steps)


def _lines(path: Path) -> Any:
    with path.open("rb") as file:
        while line := file.readline(LINE_BYTES):
            yield line


def _count(path: Path) -> int:
    try:
        return sum(1 for _ in _lines(path))
    except OSError:
        return 0
