"""The facts about one URL as lines for people and as JSON values: the output of `scrape why`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Any

from scraper.engine.outcomes import counts_as_page
from scraper.explain.runs.attempt_table import AttemptRow, attempts_of_record, attempts_of_request, table_lines
from scraper.explain.runs.record_search import posted_text
from scraper.explain.runs.why import RunFacts, UrlFacts, decide
from scraper.model import Request
from scraper.report.text.formatting import bytes_text, instant_text
from scraper.sinks.records import abbreviate_body

# Other requests to the same URL that are listed.
MAX_OTHERS_SHOWN = 5
# Characters shown of the content that each of them posted.
OTHER_BODY_CHARS = 60


def fact_lines(facts: UrlFacts, now: float) -> Iterator[tuple[str, str]]:
    """The facts as pairs of label and text, in the order in which a crawl applies them; the last is the reason."""
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
        verdict_text = "not obeyed" if verdict is None else f"{verdict.decision:<8} {verdict.rule}"
        yield "robots", f"{verdict_text} ({facts.robots.source})"
    if facts.run is not None:
        yield from _run_lines(facts, facts.run, now)
    else:
        yield "run", f"none in {facts.config.output.folder}"
    decision = decide(facts, now)
    yield "reason", f"{decision.reason}: {decision.detail}"


def _run_lines(facts: UrlFacts, run: RunFacts, now: float) -> Iterator[tuple[str, str]]:
    records, limits = run.records, facts.config.limits
    yield "run", f"{run.folder}" + (f", process {run.pid} is running" if run.pid else "")
    host = facts.url.host
    # Limits count pages only, without sitemaps, files and duplicates.
    settled, here = (
        sum(count for word, count in outcomes.items() if counts_as_page(word))
        for outcomes in (run.counts.outcomes, run.counts.hosts.get(host, {}))
    )
    max_pages, max_pages_here = limits.max_pages or "no limit", limits.max_pages_per_host or "no limit"
    yield "budget", f"{settled:,} pages settled of {max_pages}; {here:,} of {host} of {max_pages_here}"
    for same_key_url in records.same_key_urls:
        yield "dedupe", f"same key as {same_key_url}"
    if run.gate is not None and (wait_reason := run.gate.gave_up_reason or run.gate.wait_reason(now)):
        yield "host", wait_reason
    if records.found_via:
        yield "found on", " < ".join(records.found_via)
    record = records.record or records.redirect_record or records.same_key_record
    if record is not None:
        yield from _record_lines(record)
    if run.queued is not None:
        request = run.queued.request
        yield "found on", request.parent or "it is a seed"
        if request.content is not None:
            yield "posted", abbreviate_body(request.content)
        yield "attempts", f"{request.attempt} failed, {request.slowdowns} told to retry later"
    if run.skip is not None and record is None:
        if run.skip.parent is None:
            yield "found on", "it is a seed"
        yield "skipped", f"{run.skip.reason}: {run.skip.rule}"
    yield from _other_request_lines(run)
    # The label is printed beside the first line of the table only.
    yield from zip(chain(["tries"], repeat("")), table_lines(attempts_of(facts)), strict=False)
    for item in records.items:
        fields = ", ".join(f"{name}={value!r:.60}" for name, value in item.items() if name != "url")
        yield "item", fields


def _other_request_lines(run: RunFacts) -> Iterator[tuple[str, str]]:
    """Other requests to the same URL: a GET, or POSTs with other contents."""
    others = [
        (_record_request_text(record), f": {record.get('status') or record.get('error')}")
        for record in run.records.other_records
    ]
    others += [(_queued_request_text(one.request), " queued") for one in run.other_queued]
    for request_text, outcome in others[:MAX_OTHERS_SHOWN]:
        yield "also requested", request_text + outcome
    if len(others) > MAX_OTHERS_SHOWN:
        yield (
            "also requested",
            f"and {len(others) - MAX_OTHERS_SHOWN} more; --body TEXT selects the one that contains the text",
        )


def _record_request_text(record: dict[str, object]) -> str:
    text = posted_text(record)
    return "GET" if text is None else f"POST {text:.{OTHER_BODY_CHARS}}".rstrip()


def _queued_request_text(request: Request) -> str:
    return "GET" if request.content is None else f"POST {abbreviate_body(request.content):.{OTHER_BODY_CHARS}}".rstrip()


def attempts_of(facts: UrlFacts) -> list[AttemptRow]:
    """Every known attempt at the URL when there was more than one, from its record or its queued request."""
    if facts.run is None:
        return []
    # A record has all attempts of a settled URL; a queued request those so far.
    record = facts.run.records.record or facts.run.records.redirect_record
    if record is not None:
        return attempts_of_record(record)
    return attempts_of_request(facts.run.queued.request) if facts.run.queued is not None else []


def facts_as_json(facts: UrlFacts, now: float) -> dict[str, Any]:
    """The facts as JSON values: what `scrape why --json` prints."""
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
    for redirect in _dict_members(record.get("redirects")):
        yield "redirect", f"{redirect.get('status')} from {redirect.get('url')}"
    if record.get("parent") is None:
        yield "found on", "it is a seed"
    size = record.get("bytes")
    took = f"{record.get('elapsed_ms')} ms, {bytes_text(size) if isinstance(size, int) else '?'}"
    yield "requested", f"{record.get('fetched_at')}: {record.get('status') or record.get('error')}, {took}"
    if record.get("error"):
        yield "error", f"{record['error']}: {record.get('error_detail')}"
    if (text := posted_text(record)) is not None:
        yield "posted", text or "content not recorded: a redirect changed the method to GET"
    yield "attempts", str(record.get("attempts"))
    if record.get("items"):
        yield "items", str(record["items"])
    for bad in _dict_members(record.get("rejected")):
        yield "rejected", f"{bad.get('field')}: {bad.get('reason')}"
    # Fields that most records lack.
    for name, label in (
        ("canonical_url", "rel=canonical"),
        ("noindex", "noindex"),
        ("problem", "problem"),
        ("path", "file"),
    ):
        if record.get(name):
            yield label, str(record[name])


def _dict_members(value: object) -> Sequence[dict[str, object]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []
