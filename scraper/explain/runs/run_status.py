"""The status of a run, read from its folder: while it is running, after a crash, or when it has ended.

The rate is computed from the end of pages.jsonl, so that a single read is enough. The time left is at least what the
slowest host needs at its own rate: a parked host delays the end of the run however fast the others are.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from scraper.config.reading.load import config_from_mapping
from scraper.config.reading.yaml import read_yaml
from scraper.config.schema.crawl import CrawlConfig
from scraper.config_to_settings import politeness_settings
from scraper.errors import ConfigError
from scraper.explain.runs.record_search import parse_record
from scraper.frontier.inspect import RunCounts, RunInspector, running_pid
from scraper.model import StopKind
from scraper.politeness.host_gate import HOST_STATE_GATE, GateSettings, HostGate
from scraper.report.stats import is_failure
from scraper.report.text.eta import HostEstimate, time_left
from scraper.rundir.layout import RunLayout

# Hosts whose gate is restored from the state: those with most waiting, then most settled URLs.
MAX_HOSTS_READ = 200
TAIL_BYTES = 256 * 1024
# The rate counts records of this last period.
RATE_WINDOW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One host: URLs by state. `delay` is seconds between request starts, `ready_at` the next start (epoch seconds).

    `wait_reason` says why it must wait now, `gave_up_reason` why it is not requested any more; both may be empty.
    """

    host: str
    waiting: int
    ok: int
    failed: int
    delay: float
    breaker: str
    ready_at: float
    wait_reason: str
    gave_up_reason: str


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The status of a run at `now` (epoch seconds).

    `rate` is pages per second over the last minute, `eta` seconds to the end; None when unknown or not running.
    `hosts` are at most `MAX_HOSTS_READ` of the `total_hosts`.
    """

    folder: Path
    name: str
    state: str
    pid: int | None
    counts: RunCounts
    hosts: tuple[HostStatus, ...]
    total_hosts: int
    max_pages: int | None
    rate: float | None
    eta: float | None
    now: float

    @property
    def settled(self) -> int:
        """URLs with a final outcome."""
        return sum(self.counts.outcomes.values())

    @property
    def failures(self) -> dict[str, int]:
        """Failed URLs by kind, the most frequent first."""
        failed = ((outcome, n) for outcome, n in self.counts.outcomes.items() if is_failure(outcome))
        return dict(sorted(failed, key=lambda pair: -pair[1]))

    @property
    def waiting(self) -> int:
        """URLs queued or delayed."""
        return self.counts.queued + self.counts.delayed

    def to_json_values(self) -> dict[str, Any]:
        """The status as JSON values: what `scrape status --json` prints."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "state": self.state,
            "pid": self.pid,
            "settled": self.settled,
            "ok": self.settled - sum(self.failures.values()),
            "failed": self.failures,
            "waiting": self.counts.queued,
            "delayed": self.counts.delayed,
            "items": self.counts.items,
            "bytes": self.counts.wire_size,
            "rate": self.rate,
            "eta_s": self.eta,
            "hosts": {
                h.host: {
                    "waiting": h.waiting,
                    "ok": h.ok,
                    "failed": h.failed,
                    "delay_s": round(h.delay, 3),
                    "breaker": h.breaker,
                    "next_in_s": None if h.ready_at == math.inf else round(max(0.0, h.ready_at - self.now), 1),
                    "why": h.wait_reason or h.gave_up_reason,
                }
                for h in self.hosts
            },
            "other_hosts": self.total_hosts - len(self.hosts),
        }


def read_saved_config(folder: Path) -> CrawlConfig | None:
    """Name, limits and politeness of the latest session of the run in `folder`; None without a readable copy.

    The rest of the saved config is not read: it lacks passwords, and its environment variables may not be set here.
    """
    try:
        path = RunLayout(folder).config
        values = read_yaml(path.read_text("utf-8"), path.name).value
        if not isinstance(values, dict):
            return None
        needed = {key: values[key] for key in ("name", "limits", "politeness") if key in values}
        # A config is invalid without seeds; this one is never fetched.
        return config_from_mapping({"seeds": ["https://nobody.invalid/"], **needed})
    except (OSError, UnicodeDecodeError, ConfigError):
        return None


def read_run_status(folder: Path, now: float) -> RunStatus:
    """The status of the run in `folder` at `now` (epoch seconds). Raises `FrontierError` when there is no run."""
    config = read_saved_config(folder)
    with RunInspector(folder) as state:
        counts = state.counts()
        names = _hosts_to_read(counts)
        hosts = tuple(_host_status(state, name, counts, config, now) for name in names)
    pid = running_pid(folder)
    # Rate and time left make sense only while the run is running.
    rate = recent_rate(RunLayout(folder).pages, now) if pid is not None else None
    limit = config.limits.max_pages if config else None
    state_text = "at work" if pid is not None else _end_text(folder, counts)
    total_hosts = len(counts.hosts.keys() | counts.waiting.keys())
    name = config.name if config else folder.name
    pages_left = None if limit is None else max(0, limit - sum(counts.outcomes.values()))
    estimates = [HostEstimate(h.waiting, h.delay, h.ready_at - now, bool(h.gave_up_reason)) for h in hosts]
    eta = time_left(counts.queued + counts.delayed, pages_left, rate, estimates) if pid is not None else None
    return RunStatus(folder, name, state_text, pid, counts, hosts, total_hosts, limit, rate, eta, now)


def recent_rate(pages: Path, now: float) -> float | None:
    """URLs recorded per second over the last minute, from the end of pages.jsonl; None with fewer than two."""
    try:
        with pages.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            lines = file.read(TAIL_BYTES).split(b"\n")
    except OSError:
        return None
    instants = []
    # When the tail does not begin the file, its first line is cut off.
    for line in lines[1 if size > TAIL_BYTES else 0 :]:
        at = _parse_instant((parse_record(line) or {}).get("fetched_at"))
        if at is not None and now - at <= RATE_WINDOW_SECONDS:
            instants.append(at)
    if len(instants) < 2:
        return None
    # At least a second: a burst of records in the last milliseconds is no rate.
    return len(instants) / max(1.0, now - min(instants))


def _parse_instant(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None


def _hosts_to_read(counts: RunCounts) -> list[str]:
    totals = {host: sum(outcomes.values()) for host, outcomes in counts.hosts.items()}
    names = counts.hosts.keys() | counts.waiting.keys()
    return heapq.nlargest(MAX_HOSTS_READ, names, key=lambda h: (counts.waiting.get(h, 0), totals.get(h, 0), h))


def _host_status(
    state: RunInspector, name: str, counts: RunCounts, config: CrawlConfig | None, now: float
) -> HostStatus:
    # Without a readable config the defaults give at least the saved state of the gate.
    settings = politeness_settings(config).for_host(name) if config else GateSettings()
    gate_values = state.host_state(name).get(HOST_STATE_GATE)
    gate = HostGate.from_json(settings, name, gate_values) if gate_values is not None else HostGate(settings, name)
    outcomes = counts.hosts.get(name, {})
    failed = sum(n for outcome, n in outcomes.items() if is_failure(outcome))
    return HostStatus(
        name,
        counts.waiting.get(name, 0),
        sum(outcomes.values()) - failed,
        failed,
        gate.delay_seconds,
        gate.breaker_state,
        gate.ready_at(),
        gate.wait_reason(now),
        gate.gave_up_reason,
    )


def _end_text(folder: Path, counts: RunCounts) -> str:
    try:
        # summary.json is written at the end of a session; a run that was killed has none.
        summary = orjson.loads(RunLayout(folder).summary.read_bytes())
        why = str(summary["why"])
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return "stopped without a summary; the same command continues from here"
    if counts.queued + counts.delayed and why != StopKind.FINISHED:
        return f"ended: {why}; the same command continues from here"
    return f"ended: {why}"
