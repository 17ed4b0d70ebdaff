"""Rows and reports with chosen figures, for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from scraper.bench.measure.result import Report, Row, Sample, Section
from scraper.bench.measure.statistics import Spread

MACHINE = {
    "system": "Linux 6",
    "processor": "Test <CPU>",
    "cores": 2,
    "python": "CPython 3.11",
    "loop": "uvloop",
    "versions": {"httpx": "0.28.1"},
}


def row(concurrency: int, rate: float, **figures: Any) -> Row:
    """A row at a concurrency; 0 is the loop. `spread` is how far rounds lie apart, as a share."""
    apart = figures.pop("spread", 0.0)
    values: dict[str, Any] = {"pages": 1000, "seconds": 1.0, "p50": 0.05, "p95": 0.06, "p99": 0.07, **figures}
    values.setdefault("in_flight", float(concurrency))
    return Row(
        key=f"engine-{concurrency}" if concurrency else "sequential",
        label=f"engine, {concurrency}" if concurrency else "httpx loop",
        concurrency=concurrency,
        expected=max(1, concurrency) / 0.05,
        sample=Sample(rate=rate, **values),
        rates=Spread(rate, rate * (1 - apart), rate * (1 + apart)),
        speedup=rate / 20,
        efficiency=rate / 20 / max(1, concurrency),
        repeats=3,
    )


def ladder(*beyond: Row) -> list[Row]:
    """The loop and an engine that follows Little's law up to 64, then `beyond`."""
    return [row(0, 20), *(row(2**n, 20 * 2**n) for n in range(7)), *beyond]


def report(*rows: Row, **values: Any) -> Report:
    """A report of one section."""
    given = {"scenario": "site", "settings": {"latency": 0.05}, "machine": MACHINE, "at": "2024-05-01T00:00:00Z"}
    return Report(sections=(Section("Sequential against concurrent", rows, ("It <works>.",)),), **{**given, **values})


WHOLE = report(
    *ladder(row(128, 1400, cpu_share=0.97, cpu_ms=0.7)),
    knee=64,
    recommended="limits:\n  concurrency: 64\n",
    max_server_rate=9000.0,
    warnings=("The machine was busy.",),
)
