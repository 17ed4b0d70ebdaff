"""The results of a benchmark as dataclasses, and their JSON format.

`Sample` is one measurement, `Row` the median of several measurements of the same case, `Report` the whole result. Times
are seconds unless a name says otherwise, rates are pages per second.
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

# Version of the JSON format. A report of another version is refused.
FORMAT_VERSION = 1
# Larger files are refused by `read_report`.
MAX_REPORT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement. `in_flight` is the mean number of requests in flight in its steady part.

    `cpu_share` is the share of one core used by this process, `server_cpu` that of the server's process (None if it
    is not the bundled one). `cpu_wait_share` is the share of the time in which it was ready to run and another
    program had its core. `rss` is in bytes. `lag` is the 99th percentile of the event loop's lateness, less that of an
    idle loop. `causes` counts the errors by kind.
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
    cpu_wait_share: float = 0.0
    server_cpu: float | None = None
    rss: int = 0
    lag: float | None = None
    causes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """The median of the samples of one case.

    `key` identifies the row, `label` is shown. `concurrency` is 0 for the sequential loop. `expected` is the rate that
    Little's law allows, None if it does not apply. `speedup` is relative to the first row, `efficiency` is the speed-up
    divided by the concurrency.
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
        """The rate as a share of what Little's law allows."""
        return self.sample.rate / self.expected if self.expected else None


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that are compared with each other, under a title, and the findings from them."""

    title: str
    rows: tuple[Row, ...]
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A whole benchmark. `max_server_rate` is the pages per second that the bundled server can serve, else None."""

    scenario: str
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    sections: tuple[Section, ...]
    knee: int | None = None
    recommended: str = ""
    max_server_rate: float | None = None
    warnings: tuple[str, ...] = ()
    complete: bool = True
    at: str = ""
    format: int = FORMAT_VERSION

    @property
    def main(self) -> Section:
        """The first section: the one with a row for each concurrency."""
        return self.sections[0] if self.sections else Section("", ())


def median_sample(samples: Sequence[Sample]) -> Sample:
    """The median of every figure of `samples`; pages, requests, errors and their causes are summed."""
    causes: dict[str, int] = {}
    for sample in samples:
        for word, count in sample.causes.items():
            causes[word] = causes.get(word, 0) + count
    values: dict[str, Any] = {}
    for name in ("seconds", "rate", "p50", "p95", "p99", "in_flight", "cpu_ms", "cpu_share", "cpu_wait_share"):
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
    """The report as indented JSON that ends in a newline."""
    values = asdict(report)
    values["ceiling"] = values.pop("max_server_rate")
    for section in values["sections"]:
        for row in section["rows"]:
            row["sample"]["starved"] = row["sample"].pop("cpu_wait_share")
    return orjson.dumps(values, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def check_writable(path: Path) -> None:
    """Raise `SinkError` if `path` cannot be written. Called before measuring, which takes a minute."""
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise SinkError(
            f"{path}: cannot be written: {'it is a folder' if path.is_dir() else 'no folder to write into'}"
        )


def write_file(path: Path, content: bytes) -> None:
    """Write to a `.part` file and rename it, so that `path` is never half written. Raises `SinkError`."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {error.strerror or error}") from error


def read_report(path: Path) -> Report:
    """Read a report that `to_json` wrote. Raises `ConfigError` for any other file."""
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
    values = {**values, "max_server_rate": values["ceiling"]}
    known = {f.name: values[f.name] for f in fields(Report)}
    known["sections"] = tuple(_parse_section(v) for v in values["sections"])
    known["warnings"] = tuple(str(v) for v in values["warnings"])
    return Report(**known)


def _parse_section(values: dict[str, Any]) -> Section:
    rows = tuple(_parse_row(v) for v in values["rows"])
    return Section(str(values["title"]), rows, tuple(str(v) for v in values["findings"]))


def _parse_row(values: dict[str, Any]) -> Row:
    figures = dict(values["sample"])
    figures["cpu_wait_share"] = figures.pop("starved")
    sample = Sample(**figures)
    # The file may have been edited: a figure that is text would fail later, in the middle of a table.
    if not all(isinstance(v, int | float) for v in (sample.rate, sample.p50, sample.p95, sample.p99, sample.cpu_ms)):
        raise TypeError("a figure is not a number")
    return Row(**{**values, "sample": sample, "rates": Spread(**values["rates"])})
