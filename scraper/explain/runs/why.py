"""Decide why a URL was or was not fetched: all facts about it go in, one reason comes out.

What happened outranks what the rules say now: a URL with a record was fetched, whatever the config says today. For a
URL that the run does not know, the rules are evaluated in the order of a crawl: scope, robots.txt, known URLs, budget.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from scraper.config.schema.crawl import CrawlConfig
from scraper.config_to_settings import politeness_settings, robots_settings
from scraper.engine.outcomes import counts_as_page
from scraper.explain.runs.record_search import UrlRecords, posted_text, search_records
from scraper.frontier.inspect import QueuedRequest, RunCounts, RunInspector, running_pid
from scraper.model import Skip, Url
from scraper.politeness.host_gate import HOST_STATE_GATE, HostGate
from scraper.politeness.robots_cache import HOST_STATE_ROBOTS, RobotsEntry, RobotsVerdict
from scraper.politeness.rule import format_duration
from scraper.report.text.formatting import instant_text
from scraper.rundir.layout import RunLayout
from scraper.sinks.records import abbreviate_body
from scraper.urls.canonicalize import KeyRules
from scraper.urls.scope import RuleVerdict, Scope

# Scope rules that apply to pages only, not to files (`files.match`) that pages link to.
WAIVED_FOR_FILES = ("scope.allow", "scope.max_depth")


class Decision(NamedTuple):
    """The reason (one of the words in docs/explain.md) and the details: a rule, or what happened."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class RobotsFact:
    """The verdict of robots.txt on the URL, and where robots.txt was read; `verdict` is None when it is not obeyed."""

    verdict: RobotsVerdict | None
    source: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the run in `folder` knows about the URL. `pid` is the process of the run, if it is running.

    `body_text` is the text that the POST in question must contain. `queued` is the request in question if it is still
    queued; `other_queued` are other queued requests to the same URL. `known` says that the run has seen the URL.
    """

    folder: Path
    counts: RunCounts
    records: UrlRecords
    pid: int | None = None
    skip: Skip | None = None
    queued: QueuedRequest | None = None
    known: bool = False
    gate: HostGate | None = None
    robots: RobotsEntry | None = None
    other_queued: tuple[QueuedRequest, ...] = ()
    body_text: str | None = None


@dataclass(frozen=True, slots=True)
class UrlFacts:
    """All that is known about one URL. `depth` is None when no run has found it: it depends on the links to it."""

    url: Url
    config: CrawlConfig
    scope: tuple[RuleVerdict, ...]
    depth: int | None = None
    is_file: bool = False
    robots: RobotsFact | None = None
    run: RunFacts | None = None
    is_seed: bool = field(default=False)


def read_run_facts(
    folder: Path, url: Url, config: CrawlConfig, keys: KeyRules, body: str | None = None
) -> RunFacts | None:
    """What the run in `folder` knows about `url`, or None when there is no run; `body` as for `search_records`.

    Raises `FrontierError`.
    """
    # Without a state file there was no run. Opening one would fail, or create it.
    if not RunLayout(folder).frontier.is_file():
        return None
    with RunInspector(folder) as state:
        host_state = state.host_state(url.host)
        gate = None
        if HOST_STATE_GATE in host_state:
            gate_settings = politeness_settings(config).for_host(url.host)
            gate = HostGate.from_json(gate_settings, url.host, host_state[HOST_STATE_GATE])
        robots_values = host_state.get(HOST_STATE_ROBOTS + url.origin)
        token = robots_settings(config).product_token
        robots = RobotsEntry.from_json(robots_values, token) if robots_values is not None else None
        waiting = state.find_queued(url)
        records, queued = _choose_request(waiting, search_records(folder, url, keys, body), body)
        return RunFacts(
            folder,
            state.counts(),
            records,
            running_pid(folder),
            state.find_skip(url),
            queued,
            state.is_known(url),
            gate,
            robots,
            tuple(other for other in waiting if other is not queued),
            body,
        )


def _choose_request(
    waiting: Sequence[QueuedRequest], records: UrlRecords, body: str | None
) -> tuple[UrlRecords, QueuedRequest | None]:
    """Which of several requests to one URL is explained: the recorded or the queued one, a GET rather than a POST.

    There are three cases:
    1. `body` is given: the record or queued POST whose content contains it.
    2. Only POSTs have a record and a GET is queued: the GET, and the record counts among the others.
    3. Else the record, or without one the first queued request.
    """
    record = records.record
    if body is not None:
        wait_reason = (
            one for one in waiting if one.request.content is not None and body in abbreviate_body(one.request.content)
        )
        return records, None if record is not None else next(wait_reason, None)
    first = next(iter(waiting), None)
    if record is None:
        return records, first
    if first is not None and first.request.content is None and posted_text(record) is not None:
        return replace(records, record=None, other_records=(*records.other_records, record)), first
    return records, None


def recorded_depth(run: RunFacts | None) -> int | None:
    """The number of links between a seed and the URL, as the run recorded it; None when unknown."""
    if run is None:
        return None
    if run.queued is not None:
        return run.queued.request.depth
    record = run.records.record or run.records.redirect_record or run.records.same_key_record
    return int(record["depth"]) if record and isinstance(record.get("depth"), int) else None


def explain_scope(
    scope: Scope, config: CrawlConfig, url: Url, depth: int | None
) -> tuple[tuple[RuleVerdict, ...], bool]:
    """The verdict of every scope rule, and whether the URL is a file (`files.match`), for which some are waived."""
    is_file = any(re.search(pattern, url.href) for pattern in config.files.match)
    steps = []
    for step in scope.explain(url, depth or 0):
        # Files are fetched from wherever pages link to, as far as other rules allow.
        waived = is_file and step.verdict == "rejects" and step.rule.startswith(WAIVED_FOR_FILES)
        steps.append(RuleVerdict(step.rule, "waived (a file)" if waived else step.verdict))
    return tuple(steps), is_file


def decide(facts: UrlFacts, now: float) -> Decision:
    """The one reason that decides about the URL; `now` is epoch seconds."""
    run = facts.run
    # Four questions, in this order; the first that applies decides.
    # 1. What happened in the run.
    if run is not None and (decision := _decide_by_run(facts, run, now)) is not None:
        return decision
    # 2. The scope.
    for step in facts.scope:
        if step.verdict == "rejects":
            return Decision(_scope_reason(step.rule), step.rule)
    # 3. robots.txt.
    verdict = facts.robots.verdict if facts.robots else None
    if verdict is not None and not verdict.allowed:
        return Decision("robots" if verdict.decision == "deny" else "robots_unreachable", verdict.rule)
    # 4. Nothing excludes it: is it known, is there budget left?
    if run is None:
        return Decision("allowed", "it would be fetched if discovered")
    if run.known:
        return Decision("known", "the run knows it, but its record is not written yet")
    if (spent := _budget_reason(facts, run)) is not None:
        return Decision("budget", spent)
    return Decision("not_found", "it is allowed, but no seed, page or sitemap of this run led to it")


def _decide_by_run(facts: UrlFacts, run: RunFacts, now: float) -> Decision | None:
    records, url = run.records, facts.url
    if run.body_text is not None and run.queued is None and records.record is None:
        return Decision("not_found", f"no POST to it contains {run.body_text!r:.60}")
    if (record := records.record) is not None:
        # A redirect to a URL that has a record of its own: its page is not recorded twice.
        if record.get("duplicate_of"):
            return Decision("duplicate", f"it redirects to {record['duplicate_of']}, which has a record of its own")
        if record.get("error"):
            times = f" after {record['attempts']} attempts" if record.get("attempts", 1) > 1 else ""
            return Decision("failed", f"{record['error']}: {record.get('error_detail') or record.get('status')}{times}")
        if record.get("url") != url.href:
            return Decision(
                "redirected", f"it was requested and redirected to {record['url']} ({record.get('status')})"
            )
        return Decision("fetched", f"it was requested, the response was {record.get('status')}")
    if records.redirect_record is not None:
        return Decision("redirected", f"it is part of a redirect chain to {records.redirect_record['url']}")
    if run.queued is not None:
        return _waiting_decision(run, run.queued, now)
    if records.same_key_urls:
        same = records.same_key_urls[0]
        return Decision("same", f"same as {same}, which was requested: they have the same key {url.key}")
    if run.skip is not None:
        return Decision(run.skip.reason, run.skip.rule)
    if records.skip_record is not None:
        return Decision(str(records.skip_record.get("reason")), str(records.skip_record.get("rule")))
    return None


def _waiting_decision(run: RunFacts, queued: QueuedRequest, now: float) -> Decision:
    skip_record = run.records.skip_record
    if skip_record is not None and run.pid is None:
        return Decision(str(skip_record.get("reason")), str(skip_record.get("rule")))
    if queued.due is not None and queued.due > now:
        tried = queued.request.attempt + queued.request.slowdowns
        return Decision("waiting", f"it failed {tried} times, the next attempt is at {instant_text(queued.due)}")
    gate = run.gate
    wait_reason = (gate.gave_up_reason or gate.wait_reason(now)) if gate is not None else ""
    if wait_reason:
        return Decision("waiting", f"it is queued, and its host must wait: {wait_reason}")
    return Decision("waiting", "it is queued" if run.pid is not None else "it is queued until the run is resumed")


def _budget_reason(facts: UrlFacts, run: RunFacts) -> str | None:
    limits = facts.config.limits
    pages = sum(n for word, n in run.counts.outcomes.items() if counts_as_page(word))
    if limits.max_pages is not None and pages >= limits.max_pages:
        return f"limits.max_pages: {limits.max_pages}"
    # politeness.per_host or limits.max_pages_per_host: the gate knows which.
    if run.gate is not None and run.gate.budget_used:
        return run.gate.wait_reason(0.0)
    return None


def _scope_reason(rule: str) -> str:
    return "trap" if rule.startswith("traps") else "depth" if rule.startswith("scope.max_depth") else "scope"


def robots_source_text(entry: RobotsEntry, now: float) -> str:
    """Where a robots.txt in the run's state comes from, in words."""
    return f"the run's copy, {format_duration(max(0.0, now - entry.fetched_at))} old, {entry.detail}"
