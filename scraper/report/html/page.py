"""Render the report of a run as one HTML file: no scripts, no network, bounded in size for any number of pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scraper.report.html.breaker_chart import breaker_chart, find_sessions, parse_transitions
from scraper.report.html.charts import address_rows, bar_table, table, throughput_chart, utc_text
from scraper.report.html.figures import LATENCY_EDGES, MAX_DEPTH, HostFigures, RunFigures, parse_instant
from scraper.report.html.markup import Markup, link, tag
from scraper.report.html.style import STYLE
from scraper.report.text.formatting import bytes_text, duration_text, latency_text, rate_text
from scraper.rundir.layout import ITEMS_JSONL

# The report may load nothing. Should hostile text escape into the markup, it still could not run or fetch anything.
CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
HOSTS_SHOWN = 60
TYPES_SHOWN = 15
RULES_SHOWN = 40
COLUMNS_SHOWN = 12
MAX_ITEM_TABLES = 3
ROWS_SHOWN = 12
CONFIG_CHARS = 200_000


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """The contents of a report.

    `figures` come from the record files, `status` are the values of `scrape status --json`, `summary` those of
    summary.json (empty while the run is running), `config` is the effective config as YAML, `made_at` epoch seconds.
    `breakers` are the transitions of circuit breakers over all sessions, as `read_transitions` returns them.
    """

    figures: RunFigures
    status: Mapping[str, Any]
    summary: Mapping[str, Any] = field(default_factory=dict)
    config: str = ""
    made_at: float = 0.0
    breakers: Sequence[Mapping[str, Any]] = ()


def render_report(facts: ReportFacts) -> str:
    """The whole file."""
    title = f"{facts.status.get('name') or 'crawl'}: report of a crawl"
    # In the order of what a reader wants first: totals, rates, failures, details.
    sections = [
        ("summary", "Summary", _summary(facts)),
        ("time", "Throughput", throughput_chart(facts.figures.timeline)),
        ("latency", "Latency", _latency(facts.figures)),
        ("outcomes", "Responses and errors", _outcomes(facts.figures)),
        ("hosts", "Hosts", _hosts(facts)),
        ("content", "Depth and content types", _content(facts.figures)),
        ("extremes", "Slowest and largest", _extremes(facts.figures)),
        ("skipped", "Skipped", _skipped(facts.figures)),
        ("items", "Items", _items(facts.figures)),
        ("config", "Config", _config(facts.config)),
    ]
    links = tag("ul", [tag("li", tag("a", heading, href=f"#{name}")) for name, heading, _ in sections])
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=CONTENT_SECURITY_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )
    state = str(facts.summary.get("detail") or facts.status.get("state"))
    body = tag(
        "body",
        tag("header", tag("h1", title), tag("p", state), tag("nav", links, aria_label="Sections")),
        tag("main", [_section(*section) for section in sections]),
        tag("footer", tag("p", f"Made {utc_text(facts.made_at)} from {facts.status.get('folder')}. Times are UTC.")),
    )
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def _section(name: str, heading: str, content: Markup) -> Markup:
    return tag("section", tag("h2", heading, id=f"{name}-h"), content, id=name, aria_labelledby=f"{name}-h")


def _summary(facts: ReportFacts) -> Markup:
    figures, summary, status = facts.figures, facts.summary, facts.status
    took = float(summary.get("duration_s") or 0.0)
    pace = summary.get("rate") or {}
    tiles: list[tuple[str, str, str]] = [
        ("URLs done", f"{figures.records:,}", ""),
        ("ok", f"{figures.ok:,}", "ok"),
        ("failed", f"{figures.failed:,}", "failed"),
        ("waiting", f"{int(status.get('waiting') or 0) + int(status.get('delayed') or 0):,}", ""),
        ("items", f"{int(status.get('items') or 0):,}", ""),
        ("received", bytes_text(float(status.get("bytes") or 0)), ""),
        ("median latency", latency_text(figures.latency.quantile(0.5)), ""),
        ("99 % within", latency_text(figures.latency.quantile(0.99)), ""),
    ]
    # The summary is of the latest session only, while the other numbers are of the whole run.
    if took:
        which = "the latest session" if summary.get("resumed") else "it"
        tiles += [(f"{which} took", duration_text(took), "")]
        tiles += [
            (f"{'its ' if summary.get('resumed') else ''}pages/s", rate_text(float(pace.get("pages_per_s") or 0)), "")
        ]
    cells = [tag("div", tag("dt", name), tag("dd", value), class_=style or None) for name, value, style in tiles]
    lines = []
    if (start := parse_instant(summary.get("started_at"))) is not None:
        resumed = " (the latest session of a resumed run)" if summary.get("resumed") else ""
        end = parse_instant(summary.get("ended_at"))
        until = f" to {utc_text(end)}" if end is not None else ""
        lines.append(tag("p", f"{utc_text(start)}{until} UTC{resumed}", class_="dim"))
    return tag("div", tag("dl", cells, class_="tiles"), lines)


def _latency(figures: RunFigures) -> Markup:
    names = [f"up to {latency_text(edge)}" for edge in LATENCY_EDGES] + [f"over {latency_text(LATENCY_EDGES[-1])}"]
    used = [n for n, number in enumerate(figures.latency_classes) if number]
    if not used:
        return tag("p", "No fetches yet.", class_="dim")
    rows = [(names[n], figures.latency_classes[n]) for n in range(used[0], used[-1] + 1)]
    shares = ", ".join(
        f"{share} % within {latency_text(figures.latency.quantile(share / 100))}" for share in (50, 90, 99)
    )
    slowest = latency_text(figures.latency.largest)
    return tag("div", tag("p", f"{shares}; the slowest took {slowest}."), bar_table("Fetches by time", "time", rows))


def _outcomes(figures: RunFigures) -> Markup:
    statuses = _by_count(figures.statuses.counts)
    errors = _by_count(figures.errors.counts)
    rows = [
        tag("tr", tag("th", word, scope="row"), tag("td", link(url), class_="url"))
        for word, _ in errors[:TYPES_SHOWN]
        for url in figures.examples.get(word, ())
    ]
    examples = table("Examples of failures", ("error", "address"), rows) if rows else None
    bars = tag(
        "div",
        tag("div", bar_table("Status codes", "status", statuses[:TYPES_SHOWN], style=_status_style)),
        tag("div", bar_table("Errors", "error", errors[:TYPES_SHOWN], style="failed")),
        class_="two",
    )
    return tag("div", bars, examples)


def _status_style(status: str) -> str:
    return "ok" if status[:1] in "123" else "failed"


def _hosts(facts: ReportFacts) -> Markup:
    figures, states = facts.figures, facts.status.get("hosts") or {}
    # "blocked" is an opening without an end.
    openings = Counter(step["host"] for step in facts.breakers if step["state"] in ("open", "blocked"))
    # Hosts that never responded have no record yet, but their state is what the reader needs to see.
    idle = HostFigures()
    requested_of = {name: own.ok + own.failed for name, own in figures.hosts.items()}
    names = sorted(figures.hosts.keys() | states.keys(), key=lambda host: (-requested_of.get(host, 0), host))
    rows = []
    for name in names[:HOSTS_SHOWN]:
        own, state = figures.hosts.get(name, idle), states.get(name) or {}
        requested = own.ok + own.failed
        cells = (
            f"{requested:,}",
            f"{own.ok:,}",
            f"{own.failed:,}",
            f"{int(state['waiting']):,}" if state else "-",
            bytes_text(own.size),
            latency_text(own.seconds / requested) if requested else "-",
            latency_text(float(state["delay_s"])) if state else "-",
            f"{openings[name]:,}",
        )
        numbers = [tag("td", cell, class_="num") for cell in cells]
        rows.append(tag("tr", tag("th", name, scope="row"), numbers, tag("td", str(state.get("breaker") or "-"))))
    heads = (
        "host",
        ">requested",
        ">ok",
        ">failed",
        ">waiting",
        ">size",
        ">mean time",
        ">delay",
        ">openings",
        "breaker",
    )
    more = len(names) - HOSTS_SHOWN
    rest = tag("p", f"and {more:,} more hosts", class_="dim") if more > 0 else None
    return tag("div", table("The busiest hosts", heads, rows, class_="hosts"), rest, _breakers(facts))


def _breakers(facts: ReportFacts) -> Markup:
    changes = parse_transitions(facts.breakers)
    if not any(change.host for change in changes):
        return tag("p", "No circuit breaker opened.", class_="dim")
    at_work = facts.status.get("pid") is not None
    return breaker_chart(changes, find_sessions(changes, facts.figures.timeline, facts.made_at if at_work else None))


def _content(figures: RunFigures) -> Markup:
    depths = [(f"{MAX_DEPTH} and more" if d == MAX_DEPTH else str(d), n) for d, n in sorted(figures.depths.items())]
    return tag(
        "div",
        tag("div", bar_table("URLs by links from a seed", "depth", depths)),
        tag("div", bar_table("Content types", "type", _by_count(figures.content_types.counts)[:TYPES_SHOWN])),
        class_="two",
    )


def _extremes(figures: RunFigures) -> Markup:
    slow = [(latency_text(seconds), url) for seconds, _, url in sorted(figures.slowest, reverse=True)]
    large = [(bytes_text(size), url) for size, _, url in sorted(figures.largest, reverse=True)]
    return tag(
        "div",
        tag("div", table("Slowest", (">time", "address"), address_rows(slow))),
        tag("div", table("Largest", (">size", "address"), address_rows(large))),
        class_="two",
    )


def _skipped(figures: RunFigures) -> Markup:
    if not figures.skipped.counts:
        return tag("p", "Nothing was skipped, or the run has not ended.", class_="dim")
    reasons = bar_table("URLs seen and not requested", "reason", _by_count(figures.skipped.counts), style="dimmed")
    rules = _example_rows(figures.skip_rules)
    return tag("div", reasons, table("Which rule decided", (">count", "reason", "rule", "for example"), rules))


def _example_rows(counts: Mapping[tuple[str, str], Sequence[Any]]) -> list[Markup]:
    """Rows of a count, two words and an example URL, the most frequent first."""
    return [
        tag(
            "tr",
            tag("td", f"{number:,}", class_="num"),
            tag("th", first, scope="row"),
            tag("td", second, class_="url"),
            tag("td", link(url), class_="url"),
        )
        for (first, second), (number, url) in sorted(counts.items(), key=lambda pair: -pair[1][0])[:RULES_SHOWN]
    ]


def _items(figures: RunFigures) -> Markup:
    rejected = None
    if figures.rejected:
        heads = (">count", "field", "reason", "for example")
        rejected = table("Values that could not be read", heads, _example_rows(figures.rejected))
    if not figures.item_samples:
        return tag("div", tag("p", f"No items in {ITEMS_JSONL}.", class_="dim"), rejected)
    shapes: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for item in figures.item_samples:
        # Items of different rules have different fields: one table for each set of columns.
        shapes.setdefault(tuple(item)[:COLUMNS_SHOWN], []).append(item)
    tables = []
    for columns, items in sorted(shapes.items(), key=lambda pair: -len(pair[1]))[:MAX_ITEM_TABLES]:
        rows = [tag("tr", [_cell(item[name]) for name in columns]) for item in items[:ROWS_SHOWN]]
        tables.append(table("A sample of items", columns, rows))
    return tag("div", tag("p", f"{figures.items:,} in {ITEMS_JSONL}."), tables, rejected)


def _cell(text: str) -> Markup:
    if text == "null":
        return tag("td", "–", class_="dim")
    return tag("td", link(text), class_="url") if text.startswith(("http://", "https://")) else tag("td", text)


def _config(text: str) -> Markup:
    if not text:
        return tag("p", "The run's folder holds no copy of its config.", class_="dim")
    # A config with a long list of seeds would dwarf the report.
    cut = text if len(text) <= CONFIG_CHARS else text[:CONFIG_CHARS] + "\n..."
    return tag("pre", tag("code", cut), tabindex="0", role="region", aria_label="The effective config")


def _by_count(counts: Mapping[str, int]) -> Sequence[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
