"""Collect the numbers of a report from a run's record files: one pass over each, in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from scraper.report.stats import OTHERS_KEY, BoundedCounter
from scraper.rundir.layout import RunLayout
from scraper.structures.rolling import DurationHistogram

# Columns of the chart over time. When a run needs more, their width in seconds doubles.
MAX_COLUMNS = 240
MAX_HOSTS = 10_000
# Pages in the lists of slowest and largest pages.
MAX_TOP_PAGES = 20
# Example URLs of one kind of failure.
MAX_EXAMPLES = 3
# Items in the sample: at least this many if there are, at most twice as many.
MIN_ITEM_SAMPLES = 24
# Upper edges of the latency classes, in seconds; one more class has the slower responses.
LATENCY_EDGES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# Deeper pages are counted together under this depth.
MAX_DEPTH = 40
ADDRESS_CHARS = 2_000
VALUE_CHARS = 300
MAX_FIELDS = 40
# Pairs of reason and rule, or of field and reason, that are counted; further ones are ignored.
MAX_RULES = 300


@dataclass(slots=True)
class HostFigures:
    """Numbers of one host: URLs, decoded bytes, seconds of fetching."""

    ok: int = 0
    failed: int = 0
    size: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Timeline:
    """URLs over time: a column holds [ok, failed, bytes]. `width` is seconds a column, `start` epoch seconds."""

    start: int | None = None
    width: int = 1
    columns: dict[int, list[int]] = field(default_factory=dict)

    def add(self, at: float, failed: bool, size: int) -> None:
        """Count one URL at the instant `at`."""
        if self.start is None:
            self.start = int(at)
        # Records are nearly in time order; one that is earlier than the first is counted in the first column.
        index = max(0, int(at) - self.start) // self.width
        while index >= MAX_COLUMNS:
            self._widen()
            index //= 2
        column = self.columns.setdefault(index, [0, 0, 0])
        column[failed] += 1
        column[2] += size

    def end_before(self, at: float) -> float | None:
        """The end of the last column that ends by `at` (epoch seconds); None when there is none."""
        if self.start is None:
            return None
        ends = (self.start + (index + 1) * self.width for index in self.columns)
        return max((end for end in ends if end <= at), default=None)

    def _widen(self) -> None:
        self.width *= 2
        merged: dict[int, list[int]] = {}
        for index, column in self.columns.items():
            target = merged.setdefault(index // 2, [0, 0, 0])
            for part, value in enumerate(column):
                target[part] += value
        self.columns = merged


class EvenSample:
    """Keeps an even sample of a stream: at first every value, then every second, every fourth ...

    It keeps at least `size` and less than twice as many values, once it has seen that many.
    """

    def __init__(self, size: int) -> None:
        self.kept: list[Any] = []
        self._size, self._stride, self._seen = size, 1, 0

    def is_wanted(self) -> bool:
        """Whether the next value belongs to the sample. Call it exactly once for each value."""
        self._seen += 1
        return (self._seen - 1) % self._stride == 0

    def add(self, value: Any) -> None:
        """Keep a value for which `is_wanted` was true."""
        self.kept.append(value)
        if len(self.kept) >= 2 * self._size:
            self.kept = self.kept[::2]
            self._stride *= 2


@dataclass(slots=True)
class RunFigures:
    """The numbers of a whole run, and samples of its records.

    `skip_rules` has [count, example URL] by reason and rule; `rejected` by field and reason.
    """

    records: int = 0
    ok: int = 0
    failed: int = 0
    size: int = 0
    timeline: Timeline = field(default_factory=Timeline)
    latency: DurationHistogram = field(default_factory=DurationHistogram)
    latency_classes: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_EDGES) + 1))
    statuses: BoundedCounter = field(default_factory=lambda: BoundedCounter(100))
    errors: BoundedCounter = field(default_factory=lambda: BoundedCounter(100))
    examples: dict[str, list[str]] = field(default_factory=dict)
    depths: dict[int, int] = field(default_factory=dict)
    content_types: BoundedCounter = field(default_factory=lambda: BoundedCounter(200))
    kinds: BoundedCounter = field(default_factory=lambda: BoundedCounter(20))
    hosts: dict[str, HostFigures] = field(default_factory=dict)
    slowest: list[tuple[float, int, str]] = field(default_factory=list)
    largest: list[tuple[int, int, str]] = field(default_factory=list)
    items: int = 0
    item_samples: list[dict[str, str]] = field(default_factory=list)
    skipped: BoundedCounter = field(default_factory=lambda: BoundedCounter(300))
    skip_rules: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    rejected: dict[tuple[str, str], list[Any]] = field(default_factory=dict)


def gather_figures(folder: Path) -> RunFigures:
    """Read the record files of `folder`: pages, items, rejected, skipped. A missing file counts as empty."""
    layout = RunLayout(folder)
    figures, numbers = RunFigures(), count()
    for record in _records(layout.pages):
        _add_page(figures, record, next(numbers))
    spread = EvenSample(MIN_ITEM_SAMPLES)
    for line in _lines(layout.items):
        figures.items += 1
        if spread.is_wanted() and (item := _parse_record(line)) is not None:
            spread.add({str(name): _value_text(value) for name, value in list(item.items())[:MAX_FIELDS]})
    figures.item_samples = spread.kept
    for skip in _records(layout.skipped):
        reason = str(skip.get("reason"))[:60]
        figures.skipped.add(reason)
        _count_example(figures.skip_rules, (reason, str(skip.get("rule"))[:VALUE_CHARS]), skip.get("url"))
    for bad in _records(layout.rejected):
        where = (str(bad.get("field"))[:60], str(bad.get("reason"))[:VALUE_CHARS])
        _count_example(figures.rejected, where, bad.get("url"))
    return figures


def _add_page(figures: RunFigures, record: dict[str, Any], number: int) -> None:
    url = str(record.get("url"))[:ADDRESS_CHARS]
    error = record.get("error")
    failed = error is not None
    size, seconds = _number(record.get("bytes")), _number(record.get("elapsed_ms")) / 1000
    figures.records += 1
    figures.ok += not failed
    figures.failed += failed
    figures.size += int(size)
    if (at := parse_instant(record.get("fetched_at"))) is not None:
        figures.timeline.add(at, failed, int(size))
    figures.latency.add(seconds)
    index = next((n for n, edge in enumerate(LATENCY_EDGES) if seconds <= edge), len(LATENCY_EDGES))
    figures.latency_classes[index] += 1
    figures.statuses.add(str(record.get("status") or "no response"))
    figures.kinds.add(str(record.get("kind"))[:20])
    if failed:
        word = str(error)[:40] if error != "http" else f"http {record.get('status')}"
        figures.errors.add(word)
        if word in figures.errors.counts and len(kept := figures.examples.setdefault(word, [])) < MAX_EXAMPLES:
            kept.append(url)
    depth = min(MAX_DEPTH, max(0, int(_number(record.get("depth")))))
    figures.depths[depth] = figures.depths.get(depth, 0) + 1
    figures.content_types.add(str(record.get("content_type") or "none").partition(";")[0].strip().lower()[:60])
    host = _host(figures, url)
    host.ok += not failed
    host.failed += failed
    host.size += int(size)
    host.seconds += seconds
    _keep_largest(figures.slowest, (seconds, -number, url))
    _keep_largest(figures.largest, (int(size), -number, url))


def _count_example(counts: dict[tuple[str, str], list[Any]], words: tuple[str, str], url: object) -> None:
    found = counts.get(words)
    if found is not None:
        found[0] += 1
    elif len(counts) < MAX_RULES:
        counts[words] = [1, str(url)[:ADDRESS_CHARS]]


def _host(figures: RunFigures, url: str) -> HostFigures:
    name = url.partition("//")[2].partition("/")[0].partition("?")[0]
    if name not in figures.hosts and len(figures.hosts) >= MAX_HOSTS:
        name = OTHERS_KEY
    return figures.hosts.setdefault(name, HostFigures())


def _keep_largest(heap: list[Any], entry: tuple[Any, ...]) -> None:
    if len(heap) < MAX_TOP_PAGES:
        heapq.heappush(heap, entry)
    elif entry > heap[0]:
        heapq.heapreplace(heap, entry)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError:
        return


def _records(path: Path) -> Iterator[dict[str, Any]]:
    for line in _lines(path):
        if (record := _parse_record(line)) is not None:
            yield record


def _parse_record(line: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:  # the incomplete last line of a running crawl
        return None
    return record if isinstance(record, dict) else None


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def parse_instant(text: object) -> float | None:
    """An ISO 8601 text as epoch seconds; None when it is invalid."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None


def _value_text(value: object) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= VALUE_CHARS else text[: VALUE_CHARS - 1] + "…"
