"""summary.json: what a run did, and why it ended.

Totals (`pages`, `items`, `bytes`, `hosts`) are of the whole run, over all its sessions: they come from the frontier.
`session`, the times and the rates are of the session that just ended: they come from its events.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from scraper.report.stats import StatsSnapshot, is_failure
from scraper.report.text.formatting import instant_text
from scraper.rundir.disk_errors import write_error

# Hosts with an entry of their own in summary.json; the others are one sum.
MAX_TOP_HOSTS = 100
# Kinds of URLs besides pages. They are the prefixes of outcome codes: `sitemap_ok`, `file_http_404`.
OTHER_KINDS = ("sitemap", "file")


def build_summary(
    stats: StatsSnapshot,
    *,
    outcomes: Mapping[str, int],
    hosts: Mapping[str, Mapping[str, int]],
    items: int,
    size: int,
    waiting: int,
    outputs: Mapping[str, str] | None = None,
    skipped: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The contents of summary.json.

    `outcomes`, `hosts` (outcomes by host), `items`, `size` (wire bytes) and `waiting` (URLs still queued or delayed)
    are the frontier's counts of the whole run; `outputs` are paths by name. `skipped` counts by reason, of the whole
    run when it is given, else of the session. In the result `pages` counts every record of pages.jsonl; its `kinds`
    tell pages from sitemaps and files.
    """
    duration = stats.duration
    return {
        "name": stats.name,
        "folder": stats.folder,
        "why": stats.why,
        "detail": stats.detail,
        "resumed": stats.resumed,
        "started_at": instant_text(stats.started_at),
        "ended_at": instant_text(stats.last_at),
        "duration_s": round(duration, 3),
        "pages": {
            **outcome_sums(outcomes),
            "waiting": waiting,
            "outcomes": _sorted_by_count(outcomes),
            "kinds": _sums_by_kind(outcomes),
        },
        "items": items,
        "bytes": size,
        "rate": {
            "pages_per_s": round(stats.settled / duration, 2) if duration else 0.0,
            "bytes_per_s": round(stats.size / duration) if duration else 0,
        },
        "session": _session_values(stats),
        "breaker_openings": {"total": stats.openings, "hosts": dict(_largest(stats.breakers))},
        "breaker_steps": [step.to_json_values() for step in stats.breaker_transitions],
        "skipped": _sorted_by_count(stats.skipped if skipped is None else skipped),
        **_host_values(hosts),
        "outputs": dict(outputs or {}),
    }


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write `summary` to `path` completely or not at all. Blocks on the disk; raises `SinkError`."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(orjson.dumps(summary, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise write_error(path, error) from error


def outcome_sums(outcomes: Mapping[str, int]) -> dict[str, int]:
    """The number of settled URLs, and how many of them are ok and failed."""
    failed = sum(count for outcome, count in outcomes.items() if is_failure(outcome))
    settled = sum(outcomes.values())
    return {"settled": settled, "ok": settled - failed, "failed": failed}


def _sums_by_kind(outcomes: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """`outcome_sums` for each kind of URL that occurs: page, sitemap, file."""
    kinds: dict[str, dict[str, int]] = {}
    for outcome, count in outcomes.items():
        # Codes without such a prefix are of pages.
        kind = next((kind for kind in OTHER_KINDS if outcome.startswith(f"{kind}_")), "page")
        kinds.setdefault(kind, {})[outcome] = count
    return {kind: outcome_sums(kinds[kind]) for kind in ("page", *OTHER_KINDS) if kind in kinds}


def _sorted_by_count(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _largest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return heapq.nsmallest(MAX_TOP_HOSTS, counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _session_values(stats: StatsSnapshot) -> dict[str, Any]:
    return {
        "settled": stats.settled,
        "fetches": stats.fetches,
        "bytes": stats.size,
        "retries": stats.retries,
        "items": stats.items,
        "items_rejected": stats.rejected,
        "hosts_parked": stats.parked,
        "fetchers_replaced": stats.replaced,
        "warnings": stats.warnings,
        "statuses": _sorted_by_count(stats.statuses),
        "errors": _sorted_by_count(stats.errors),
        "robots": _sorted_by_count(stats.robots),
        "latency_s": {name: round(value, 4) for name, value in stats.latency.items()},
    }


def _host_values(hosts: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """The busiest hosts in full, the others as one sum."""
    totals = {host: sum(outcomes.values()) for host, outcomes in hosts.items()}
    # A crawl may have a million hosts: only the largest are written one by one.
    top = [host for host, _ in _largest(totals)]
    others: dict[str, int] = {}
    for host in hosts.keys() - set(top):
        for outcome, count in hosts[host].items():
            others[outcome] = others.get(outcome, 0) + count
    return {
        "hosts": {host: {**outcome_sums(hosts[host]), "outcomes": _sorted_by_count(hosts[host])} for host in top},
        "other_hosts": {"count": len(hosts) - len(top), **outcome_sums(others), "outcomes": _sorted_by_count(others)},
    }
