"""What is known about one URL, told to people line by line, and to programs as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Any

from scraper.engine.host_registry import counts_as_page
from scraper.explain.runs.attempt_table import AttemptRow, attempts_of_record, attempts_of_request, table_lines
from scraper.explain.runs.record_search import posted_text
from scraper.explain.runs.why import RunFacts, UrlFacts, decide
from scraper.model import Request
from scraper.report.text.formatting import bytes_text, instant_text
from scraper.sinks.records import abbreviate_body

# Further requests to one URL that are listed.
MAX_OTHERS_SHOWN = 5
# Characters of what each of them posted.
OTHER_BODY_CHARS = 60


def fact_lines(facts: UrlFacts, now: float) -> Iterator[tuple[str, str]]:
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
    yield "reason", f"{decision.reason}: {decision.detail}"


def _run_lines(facts: UrlFacts, run: RunFacts, now: float) -> Iterator[tuple[str, str]]:
    traces, limits = run.records, facts.config.limits
    yield "run", f"{run.folder}" + (f", process {run.pid} is at work" if run.pid else "")
    host = facts.url.host
    settled, here = (
        sum(count for word, count in outcomes.items() if counts_as_page(word))
        for outcomes in (run.counts.outcomes, run.counts.hosts.get(host, {}))
    )
    most, most_here = limits.max_pages or "no limit", limits.max_pages_per_host or "no limit"
    yield "budget", f"{settled:,} pages settled of {most}; {here:,} of {host} of {most_here}"
    for same in traces.same_key_urls:
        yield "dedupe", f"same key as {same}"
    if run.gate is not None and (held := run.gate.gave_up_reason or run.gate.wait_reason(now)):
        yield "host", held
    if traces.found_via:
        yield "found on", " < ".join(traces.found_via)
    record = traces.record or traces.redirect_record or traces.same_key_record
    if record is not None:
        yield from _record_lines(record)
    if run.queued is not None:
        request = run.queued.request
        yield "found on", request.parent or "it is a seed"
        if request.content is not None:
            yield "posted", abbreviate_body(request.content)
        yield "attempts", f"{request.attempt} failed, {request.slowdowns} asked to come later"
    if run.skip is not None and record is None:
        if run.skip.parent is None:
            yield "found on", "it is a seed"
        yield "skipped", f"{run.skip.reason}: {run.skip.rule}"
    yield from _other_request_lines(run)
    yield from zip(chain(["tries"], repeat("")), table_lines(attempts_of(facts)), strict=False)
    for item in traces.items:
        fields = ", ".join(f"{name}={value!r:.60}" for name, value in item.items() if name != "url")
        yield "item", fields


def _other_request_lines(run: RunFacts) -> Iterator[tuple[str, str]]:
    """Further requests to the URL: it was posted to, with other contents."""
    told = [
        (_record_request_text(record), f": {record.get('status') or record.get('error')}")
        for record in run.records.other_records
    ]
    told += [(_queued_request_text(one.request), " waits") for one in run.other_queued]
    for way, fate in told[:MAX_OTHERS_SHOWN]:
        yield "also asked", way + fate
    if len(told) > MAX_OTHERS_SHOWN:
        yield (
            "also asked",
            f"and {len(told) - MAX_OTHERS_SHOWN} more; --body TEXT asks about the one that holds the text",
        )


def _record_request_text(record: dict[str, object]) -> str:
    text = posted_text(record)
    return "GET" if text is None else f"POST {text:.{OTHER_BODY_CHARS}}".rstrip()


def _queued_request_text(request: Request) -> str:
    return "GET" if request.content is None else f"POST {abbreviate_body(request.content):.{OTHER_BODY_CHARS}}".rstrip()


def attempts_of(facts: UrlFacts) -> list[AttemptRow]:
    """Every try of the URL that is known, when there was more than one: of its record, or of the request that waits."""
    if facts.run is None:
        return []
    record = facts.run.records.record or facts.run.records.redirect_record
    if record is not None:
        return attempts_of_record(record)
    return attempts_of_request(facts.run.queued.request) if facts.run.queued is not None else []


def facts_as_json(facts: UrlFacts, now: float) -> dict[str, Any]:
    """The facts as plain values: what `scrape why --json` prints."""
    run, decision, robots = facts.run, decide(facts, now), facts.robots
    return {
        "url": facts.url.href,
        "key": facts.url.key,
        "kind": "file" if facts.is_file else "page",
        "seed": facts.is_seed,
        "depth": facts.depth,
        "scope": [{"verdict": step.verdict, "rule": step.rule} for step in facts.scope],
        "robots": None
        if robots is None or robots.verdict is None
        else {"decision": robots.verdict.decision, "rule": robots.verdict.rule, "source": robots.source},
        "run": None if run is None else _run_as_json(run),
        "tries": attempts_of(facts),
        "reason": decision.reason,
        "detail": decision.detail,
    }


def _run_as_json(run: RunFacts) -> dict[str, Any]:
    queued = run.queued
    return {
        "folder": str(run.folder),
        "pid": run.pid,
        "record": run.records.record or run.records.redirect_record,
        "same": list(run.records.same_key_urls),
        "found_on": list(run.records.found_via),
        "waiting": None
        if queued is None
        else {
            "due": instant_text(queued.due),
            "method": queued.request.method,
            "failed": queued.request.attempt,
            "told_to_wait": queued.request.slowdowns,
            "parent": queued.request.parent,
        },
        "others": [_record_request_text(record) for record in run.records.other_records]
        + [_queued_request_text(one.request) for one in run.other_queued],
        "items": list(run.records.items),
    }


def _record_lines(record: dict[str, object]) -> Iterator[tuple[str, str]]:
    for hop in _dict_members(record.get("redirects")):
        yield "redirect", f"{hop.get('status')} from {hop.get('url')}"
    if record.get("parent") is None:
        yield "found on", "it is a seed"
    size = record.get("bytes")
    took = f"{record.get('elapsed_ms')} ms, {bytes_text(size) if isinstance(size, int) else '?'}"
    yield "asked", f"{record.get('fetched_at')}: {record.get('status') or record.get('error')}, {took}"
    if record.get("error"):
        yield "error", f"{record['error']}: {record.get('error_detail')}"
    if (text := posted_text(record)) is not None:
        yield "posted", text or "what it was is not in the record: a redirect led on with GET"
    yield "attempts", str(record.get("attempts"))
    if record.get("items"):
        yield "items", str(record["items"])
    for bad in _dict_members(record.get("rejected")):
        yield "rejected", f"{bad.get('field')}: {bad.get('reason')}"
    for name, label in (
        ("canonical_url", "calls itself"),
        ("noindex", "noindex"),
        ("problem", "problem"),
        ("path", "file"),
    ):
        if record.get(name):
            yield label, str(record[name])


def _dict_members(value: object) -> Sequence[dict[str, object]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []
