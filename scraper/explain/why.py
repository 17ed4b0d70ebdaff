"""Which rule decides about one URL, and what became of it in a run: facts go in, one reason comes out.

What happened outranks what the rules say now: a URL that has a record was fetched, whatever the config says today.
Without a trace of it in a run, the rules are asked in the order in which a crawl asks them: address, scope, robots.txt,
what is known already, budget.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from scraper.config.schema import CrawlConfig
from scraper.engine.hosts import is_page_word
from scraper.explain.records import Traces, trace
from scraper.frontier.read import STATE_FILE, Queued, RunCounts, StateReader, working_pid
from scraper.model import OutOfScope, Skip, Url
from scraper.politeness.gate import HostGate
from scraper.politeness.robots import RobotsEntry, RobotsVerdict
from scraper.politeness.rule import span
from scraper.report.amounts import bytes_text, instant_text
from scraper.translate import politeness_settings, robots_settings
from scraper.urls.canonicalise import KeyRules
from scraper.urls.scope import Scope, Step

GATE_NOTE = "gate"
ROBOTS_NOTE = "robots "
WAIVED = ("scope.allow", "scope.max_depth")
"""Rules about pages, which do not bind files fetched along the way."""


class Decision(NamedTuple):
    """The one reason: a word, and the sentence that goes with it."""

    word: str
    text: str


@dataclass(frozen=True, slots=True)
class RobotsFact:
    """What robots.txt says about the URL, and where that was read; `verdict` is None when it is not obeyed."""

    verdict: RobotsVerdict | None
    source: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the run in `folder` knows about the URL. `pid` is the process at work there, if one is."""

    folder: Path
    counts: RunCounts
    traces: Traces
    pid: int | None = None
    skip: Skip | None = None
    queued: Queued | None = None
    known: bool = False
    gate: HostGate | None = None
    robots: RobotsEntry | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known about one URL. `depth` is None where only the seeds' distance could tell."""

    url: Url
    config: CrawlConfig
    scope: tuple[Step, ...]
    depth: int | None = None
    is_file: bool = False
    robots: RobotsFact | None = None
    run: RunFacts | None = None
    is_seed: bool = field(default=False)


def run_facts(folder: Path, url: Url, config: CrawlConfig, keys: KeyRules) -> RunFacts | None:
    """What the run in `folder` knows about `url`, or None when there is no run. Raises `FrontierError`."""
    if not (folder / STATE_FILE).is_file():
        return None
    with StateReader(folder) as state:
        notes = state.notes(url.host)
        gate = None
        if GATE_NOTE in notes:
            gate = HostGate.restore(politeness_settings(config).for_host(url.host), url.host, notes[GATE_NOTE])
        note = notes.get(ROBOTS_NOTE + url.origin)
        robots = RobotsEntry.from_note(note, robots_settings(config).token) if note is not None else None
        return RunFacts(
            folder,
            state.counts(),
            trace(folder, url, keys),
            working_pid(folder),
            state.skip(url),
            state.queued(url),
            state.knows(url),
            gate,
            robots,
        )


def depth_in(run: RunFacts | None) -> int | None:
    """How many links the run found the URL away from a seed, when it is known."""
    if run is None:
        return None
    if run.queued is not None:
        return run.queued.request.depth
    record = run.traces.record or run.traces.led_to or run.traces.same_record
    return int(record["depth"]) if record and isinstance(record.get("depth"), int) else None


def judge_scope(scope: Scope, config: CrawlConfig, url: Url, depth: int | None) -> tuple[tuple[Step, ...], bool]:
    """What every rule of the scope says, and whether the URL counts as a file to fetch along the way."""
    is_file = any(re.search(pattern, url.href) for pattern in config.files.match)
    steps = []
    for step in scope.explain(url, depth or 0):
        waived = is_file and step.verdict == "rejects" and step.rule.startswith(WAIVED)
        steps.append(Step(step.rule, "waived (a file)" if waived else step.verdict))
    return tuple(steps), is_file


def decide(facts: Facts, now: float) -> Decision:
    """The one reason that decides; `now` is epoch seconds."""
    run = facts.run
    if run is not None and (decision := _happened(facts, run, now)) is not None:
        return decision
    for step in facts.scope:
        if step.verdict == "rejects":
            return Decision(_scope_word(step.rule), step.rule)
    verdict = facts.robots.verdict if facts.robots else None
    if verdict is not None and not verdict.allowed:
        return Decision("robots" if verdict.decision == "deny" else "robots_unreachable", verdict.rule)
    if run is None:
        return Decision("allowed", "nothing forbids it: a crawl that finds it asks for it")
    if run.known:
        return Decision("known", "the run has taken it up; its record is not written yet")
    if (spent := _budget(facts, run)) is not None:
        return Decision("budget", spent)
    return Decision("not_found", "nothing forbids it, but no page, sitemap or seed of this run has named it")


def _happened(facts: Facts, run: RunFacts, now: float) -> Decision | None:
    traces, url = run.traces, facts.url
    if (record := traces.record) is not None:
        if record.get("duplicate_of"):
            return Decision("duplicate", f"it redirects to {record['duplicate_of']}, which has a record of its own")
        if record.get("error"):
            times = f" after {record['attempts']} attempts" if record.get("attempts", 1) > 1 else ""
            return Decision("failed", f"{record['error']}: {record.get('error_detail') or record.get('status')}{times}")
        if record.get("url") != url.href:
            return Decision("redirected", f"it was asked for and led to {record['url']} ({record.get('status')})")
        return Decision("fetched", f"it was asked for and answered {record.get('status')}")
    if traces.led_to is not None:
        return Decision("redirected", f"it is a step on the way to {traces.led_to['url']}")
    if run.queued is not None:
        return _waits(run, run.queued, now)
    if traces.same:
        return Decision("same", f"same as {traces.same[0]}, which was asked for: they share the key {url.key}")
    if run.skip is not None:
        return Decision(run.skip.reason, run.skip.rule)
    if traces.left is not None:
        return Decision(str(traces.left.get("reason")), str(traces.left.get("rule")))
    return None


def _waits(run: RunFacts, queued: Queued, now: float) -> Decision:
    left = run.traces.left
    if left is not None and run.pid is None:
        return Decision(str(left.get("reason")), str(left.get("rule")))
    if queued.due is not None and queued.due > now:
        tried = queued.request.attempt + queued.request.slowdowns
        return Decision("waiting", f"it failed {tried} times and is asked again at {instant_text(queued.due)}")
    gate = run.gate
    held = (gate.ended or gate.why(now)) if gate is not None else ""
    if held:
        return Decision("waiting", f"it waits for its host: {held}")
    when = "its turn" if run.pid is not None else "the run to be resumed"
    return Decision("waiting", f"it waits for {when}")


def _budget(facts: Facts, run: RunFacts) -> str | None:
    limits = facts.config.limits
    pages = sum(n for word, n in run.counts.outcomes.items() if is_page_word(word))
    if limits.max_pages is not None and pages >= limits.max_pages:
        return f"limits.max_pages: {limits.max_pages}"
    if run.gate is not None and run.gate.spent:
        return run.gate.why(0.0)
    return None


def _scope_word(rule: str) -> str:
    return "trap" if rule.startswith("traps") else "depth" if rule.startswith("scope.max_depth") else "scope"


def lines(facts: Facts, now: float) -> Iterator[tuple[str, str]]:
    """The facts as pairs of a label and a text, in the order of the rules; the last one is the reason."""
    url = facts.url
    yield "canonical", url.href
    yield "key", url.key if url.key != url.href else "the same"
    kind = "file (files.match)" if facts.is_file else "page"
    yield "kind", kind + (", a seed" if facts.is_seed else "")
    yield "depth", "unknown, taken as 0" if facts.depth is None else str(facts.depth)
    for step in facts.scope:
        yield "scope", f"{step.verdict:<8} {step.rule}"
    if facts.robots is not None:
        verdict = facts.robots.verdict
        said = "not obeyed" if verdict is None else f"{verdict.decision:<8} {verdict.rule}"
        yield "robots", f"{said} ({facts.robots.source})"
    if facts.run is not None:
        yield from _run_lines(facts, facts.run, now)
    else:
        yield "run", f"none in {facts.config.output.folder}"
    decision = decide(facts, now)
    yield "reason", f"{decision.word}: {decision.text}"


def _run_lines(facts: Facts, run: RunFacts, now: float) -> Iterator[tuple[str, str]]:
    traces, limits = run.traces, facts.config.limits
    yield "run", f"{run.folder}" + (f", process {run.pid} is at work" if run.pid else "")
    settled = sum(run.counts.outcomes.values())
    host = facts.url.host
    here = sum(run.counts.hosts.get(host, {}).values())
    most, most_here = limits.max_pages or "no limit", limits.max_pages_per_host or "no limit"
    yield "budget", f"{settled:,} settled of {most}; {here:,} of {host} of {most_here}"
    for same in traces.same:
        yield "dedupe", f"same key as {same}"
    if run.gate is not None and (held := run.gate.ended or run.gate.why(now)):
        yield "host", held
    if traces.chain:
        yield "found on", " < ".join(traces.chain)
    record = traces.record or traces.led_to or traces.same_record
    if record is not None:
        yield from _record_lines(record)
    if run.queued is not None:
        request = run.queued.request
        yield "found on", request.parent or "it is a seed"
        yield "attempts", f"{request.attempt} failed, {request.slowdowns} asked to come later"
    if run.skip is not None and record is None:
        if run.skip.parent is None:
            yield "found on", "it is a seed"
        yield "skipped", f"{run.skip.reason}: {run.skip.rule}"
    for item in traces.items:
        fields = ", ".join(f"{name}={value!r:.60}" for name, value in item.items() if name != "url")
        yield "item", fields


def _record_lines(record: dict[str, object]) -> Iterator[tuple[str, str]]:
    for hop in _dicts(record.get("redirects")):
        yield "redirect", f"{hop.get('status')} from {hop.get('url')}"
    if record.get("parent") is None:
        yield "found on", "it is a seed"
    size = record.get("bytes")
    took = f"{record.get('elapsed_ms')} ms, {bytes_text(size) if isinstance(size, int) else '?'}"
    yield "asked", f"{record.get('fetched_at')}: {record.get('status') or record.get('error')}, {took}"
    if record.get("error"):
        yield "error", f"{record['error']}: {record.get('error_detail')}"
    yield "attempts", str(record.get("attempts"))
    if record.get("items"):
        yield "items", str(record["items"])
    for bad in _dicts(record.get("rejected")):
        yield "rejected", f"{bad.get('field')}: {bad.get('reason')}"
    for name, label in (
        ("canonical_url", "calls itself"),
        ("noindex", "noindex"),
        ("problem", "problem"),
        ("path", "file"),
    ):
        if record.get(name):
            yield label, str(record[name])


def _dicts(value: object) -> Sequence[dict[str, object]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def robots_source(entry: RobotsEntry, now: float) -> str:
    """When the rules were read, in words."""
    return f"the run's copy, {span(max(0.0, now - entry.fetched_at))} old, {entry.detail}"


def not_a_url(found: OutOfScope) -> Decision:
    """The reason for a text that is no URL."""
    return Decision(found.reason, found.rule)
