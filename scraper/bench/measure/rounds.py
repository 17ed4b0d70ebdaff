"""Measures several cases in interleaved rounds, so that other load on the computer affects all of them alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from scraper.bench.measure.result import Row, Sample, Section, median_sample
from scraper.bench.measure.statistics import spread


@dataclass(frozen=True, slots=True)
class Case:
    """One way to fetch. `run` measures it once and returns None if it was stopped early.

    `expected` is the rate that Little's law allows. `concurrency` is 0 for a sequential loop. `note` is a text for the
    table, or a function that makes it from the last sample.
    """

    key: str
    label: str
    concurrency: int
    run: Callable[[], Awaitable[Sample | None]]
    expected: float | None = None
    note: str | Callable[[Sample], str] = ""


@dataclass(frozen=True, slots=True)
class BenchProgress:
    """The progress of a benchmark: what runs now, how many measurements are done, and the results so far."""

    activity: str
    done: int
    total: int
    sections: tuple[Section, ...]


OnProgress = Callable[[BenchProgress], None]


class Rounds:
    """Measures sections of cases. Calls `on_progress` before each measurement; ends early once `stopped()` is true.

    `total` is the number of measurements, for the progress.
    """

    def __init__(self, total: int, on_progress: OnProgress, stopped: Callable[[], bool]) -> None:
        self._total, self._on_progress, self._stopped = total, on_progress, stopped
        self._done = 0
        self.sections: list[Section] = []

    def notify(self, activity: str) -> None:
        """Report what is being done now."""
        self._on_progress(BenchProgress(activity, self._done, self._total, tuple(self.sections)))

    async def measure(self, title: str, cases: Sequence[Case], repeat: int, *, last_first: bool = False) -> Section:
        """Measure every case `repeat` times and return the section; every second round runs in reverse order.

        With `last_first` the first, third ... round is reversed instead.
        """
        samples: dict[str, list[Sample]] = {case.key: [] for case in cases}
        finished = list(self.sections)
        for number in range(repeat):
            for case in cases if (number % 2 == 0) is not last_first else reversed(cases):
                if self._stopped():
                    break
                which = f", round {number + 1} of {repeat}" if repeat > 1 else ""
                self.notify(f"{case.label}{which}")
                sample = await case.run()
                self._done += 1
                if sample is not None and sample.pages:
                    samples[case.key].append(sample)
                self.sections = [*finished, Section(title, build_rows(cases, samples))]
        self.sections = [*finished, Section(title, build_rows(cases, samples))]
        return self.sections[-1]

    def add_findings(self, findings: Sequence[str]) -> None:
        """Set the findings of the last section."""
        self.sections[-1] = replace(self.sections[-1], findings=tuple(findings))


def build_rows(cases: Sequence[Case], samples: dict[str, list[Sample]]) -> tuple[Row, ...]:
    """A row for each case that was measured; speed-ups are relative to the first of them."""
    rows: list[Row] = []
    base = 0.0
    for case in cases:
        taken = samples[case.key]
        if not taken:
            continue
        sample = median_sample(taken)
        base = base or sample.rate
        speedup = sample.rate / base if base else 0.0
        rows.append(
            Row(
                case.key,
                case.label,
                case.concurrency,
                case.expected,
                sample,
                spread([s.rate for s in taken]),
                speedup,
                speedup / max(1, case.concurrency),
                case.note(taken[-1]) if callable(case.note) else case.note,
                len(taken),
            )
        )
    return tuple(rows)
