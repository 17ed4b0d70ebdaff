"""What a benchmark found, as values, and their form in JSON.

`Sample` is one measurement, `Row` the middle of several of the same thing, `Report` the whole. Times are seconds
unless a name says otherwise, rates are pages per second.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import orjson

from scraper.bench.measure.statistics import Spread, spread
from scraper.errors import ConfigError, Problem, SinkError

# The version of the JSON form.
FORMAT_VERSION = 1
# Bytes of a report that is read back.
MAX_REPORT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement. `in_flight` is the mean number of requests under way in its steady part.

    `cpu_share` is the part of one core that this process used, `server_cpu` that of the server's process (None when it
    is not ours), `starved` the share of the time in which it was ready to run and another program had its core. `lag`
    is the 99th percentile of the event loop's lateness, less what an idle loop has.
    """

    pages: int
    seconds: float
    rate: float
    p50: float
    p95: float
    p99: float
    errors: int = 0
    requests: int = 0
    in_flight: float = 0.0
    cpu_ms: float = 0.0
    cpu_share: float = 0.0
    starved: float = 0.0
    server_cpu: float | None = None
    rss: int = 0
    lag: float | None = None
    causes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """The median of the samples of one way to fetch.

    `key` tells rows apart, `label` is for people. `concurrency` is 0 for the sequential loop. `expected` is what
    Little's law allows, None where it says nothing. `speedup` is over the first row, `efficiency` that by concurrency.
    """

    key: str
    label: str
    concurrency: int
    expected: float | None
    sample: Sample
    rates: Spread
    speedup: float = 1.0
    efficiency: float = 1.0
    note: str = ""
    repeats: int = 1

    @property
    def share_of_expected(self) -> float | None:
        """The share of what Little's law allows that was reached."""
        return self.sample.rate / self.expected if self.expected else None


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that belong together, under a title, and the sentences they prove."""

    title: str
    rows: tuple[Row, ...]
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A whole benchmark. `ceiling` is the pages per second the server alone can give, None when it is not ours."""

    scenario: str
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    sections: tuple[Section, ...]
    knee: int | None = None
    recommended: str = ""
    ceiling: float | None = None
    warnings: tuple[str, ...] = ()
    complete: bool = True
    at: str = ""
    format: int = FORMAT_VERSION

    @property
    def main(self) -> Section:
        """The section that the chart and the comparison are about."""
        return self.sections[0] if self.sections else Section("", ())


def median_sample(samples: Sequence[Sample]) -> Sample:
    """The median of every figure of `samples`; counts of errors and their causes are added up."""
    causes: dict[str, int] = {}
    for sample in samples:
        for word, count in sample.causes.items():
            causes[word] = causes.get(word, 0) + count
    values: dict[str, Any] = {}
    for name in ("seconds", "rate", "p50", "p95", "p99", "in_flight", "cpu_ms", "cpu_share", "starved"):
        values[name] = spread([getattr(s, name) for s in samples]).median
    for name in ("server_cpu", "lag"):
        known = [getattr(s, name) for s in samples if getattr(s, name) is not None]
        values[name] = spread(known).median if known else None
    return Sample(
        pages=sum(s.pages for s in samples),
        errors=sum(s.errors for s in samples),
        requests=sum(s.requests for s in samples),
        rss=int(spread([s.rss for s in samples]).median),
        causes=causes,
        **values,
    )


def to_json(report: Report) -> bytes:
    """The report as JSON, indented, ending in a newline."""
    return orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def check_writable(path: Path) -> None:
    """Raise `SinkError` when `path` surely cannot be written: better before a measurement than after it."""
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise SinkError(
            f"{path}: cannot be written: {'it is a folder' if path.is_dir() else 'no folder to write into'}"
        )


def write_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one piece. Raises `SinkError`."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {error.strerror or error}") from error


def read_report(path: Path) -> Report:
    """Read what `to_json` wrote. Raises `ConfigError` when it is something else."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_REPORT_BYTES + 1)
        if len(raw) > MAX_REPORT_BYTES:
            raise ConfigError([Problem("is too large for the result of a benchmark", file=str(path))])
        return _parse_report(orjson.loads(raw))
    except OSError as error:
        raise ConfigError([Problem(f"cannot be read: {error.strerror or error}", file=str(path))]) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        hint = "write one with: scrape bench --json FILE"
        raise ConfigError([Problem("is not the result of a benchmark", file=str(path), hint=hint)]) from error


def _parse_report(values: dict[str, Any]) -> Report:
    if values["format"] != FORMAT_VERSION:
        raise ValueError(values["format"])
    known = {f.name: values[f.name] for f in fields(Report)}
    known["sections"] = tuple(_parse_section(v) for v in values["sections"])
    known["warnings"] = tuple(str(v) for v in values["warnings"])
    return Report(**known)


def _parse_section(values: dict[str, Any]) -> Section:
    rows = tuple(_parse_row(v) for v in values["rows"])
    return Section(str(values["title"]), rows, tuple(str(v) for v in values["findings"]))


def _parse_row(values: dict[str, Any]) -> Row:
    sample = Sample(**values["sample"])
    if not all(isinstance(v, int | float) for v in (sample.rate, sample.p50, sample.p95, sample.p99, sample.cpu_ms)):
        raise TypeError("a figure is not a number")
    return Row(**{**values, "sample": sample, "rates": Spread(**values["rates"])})
