"""The scenarios about the cost of a page: `latency` and `cpu`."""

from __future__ import annotations

from scraper.bench.findings import millis_text, number_text
from scraper.bench.measure.engine_run import bench_config
from scraper.bench.measure.rounds import Case
from scraper.bench.measure.statistics import littles_law
from scraper.bench.scenarios.context import ScenarioContext, times_text

# latency: what waiting costs, and what a new connection for every request costs

LATENCIES_SECONDS = (0.01, 0.05, 0.2)


async def latency(context: ScenarioContext) -> None:
    """Compare loop and engine at three latencies; then a new connection per request with one that is kept."""
    site, cases = context.target, []
    for host, wait in enumerate(LATENCIES_SECONDS):
        pages = 10 if wait > 0.1 else 20
        name, most = millis_text(wait), littles_law(64, wait)
        cases.append(
            Case(f"loop-{name}", f"loop, {name}", 0, context.loop(site.urls(pages, host)), littles_law(1, wait))
        )
        values = bench_config(site.urls(context.plan.pages_at(64, min(most, 1200)), host), 64)
        cases.append(Case(f"engine-{name}", f"engine 64, {name}", 64, context.engine(values, 64), most))
    rows = await context.compare("The same pages behind different latencies", cases)
    gains = [
        f"{times_text(rows[f'engine-{n}'].sample.rate, rows[f'loop-{n}'].sample.rate)} at {n}"
        for n in map(millis_text, LATENCIES_SECONDS)
        if {f"engine-{n}", f"loop-{n}"} <= rows.keys()
    ]
    found = "The longer the wait, the more concurrency gives: " + ", ".join(gains) + " against the loop."
    context.rounds.add_findings([found] if gains else [])

    urls = site.urls(20)
    rows = await context.compare(
        f"A new connection for every request, or one that is kept ({millis_text(LATENCIES_SECONDS[0])} latency)",
        [
            Case("fresh", "httpx.get each time", 0, context.loop(urls, fresh_client=True)),
            Case("kept", "one httpx.Client", 0, context.loop(urls)),
            Case("engine", "engine, 1", 1, context.engine(bench_config(urls, 1), 1)),
        ],
    )
    if {"fresh", "kept"} <= rows.keys():
        fresh, kept = rows["fresh"].sample, rows["kept"].sample
        context.rounds.add_findings(
            [
                f"A new client for every request costs {millis_text(fresh.p50 - kept.p50)} more, and "
                f"{fresh.cpu_ms:.1f} ms "
                f"of CPU a page instead of {kept.cpu_ms:.1f}: the connection, and setting up TLS even for plain HTTP. "
                "The engine keeps one pool of connections for a whole run."
            ]
        )


# cpu: without latency there is nothing to wait for

CPU_FIELDS = {
    "title": "h1",
    "price": {"css": ".price_color", "type": "decimal"},
    "tags": {"css": ".tag", "many": True},
    "specs": {"css": "table.specs td", "many": True},
    "text": {"css": "p", "many": True},
}
CPU_PAGES = 600
TASK_PER_URL_PAGES = 400


async def cpu(context: ScenarioContext) -> None:
    """Measure concurrency without latency; then a task for every URL against a pool of workers."""
    site, cases = context.target, []
    for level in (1, 8, 64):
        values = bench_config(site.urls(CPU_PAGES), level, extract=[{"fields": CPU_FIELDS}])
        cases.append(Case(f"fields-{level}", f"engine {level}, 5 fields", level, context.engine(values, level)))
    bare = bench_config(site.urls(CPU_PAGES), 64)
    cases.append(Case("bare", "engine 64, no fields", 64, context.engine(bare, 64)))
    rows = await context.compare("No latency: the CPU is all there is", cases)
    if {"fields-8", "fields-64"} <= rows.keys():
        few, many = rows["fields-8"], rows["fields-64"]
        context.rounds.add_findings(
            [
                f"8 times the concurrency changed {number_text(few.sample.rate)} pages/s into "
                f"{number_text(many.sample.rate)}: "
                f"with nothing to wait for, a core at {many.sample.cpu_ms:.2f} ms a page is the limit, and requests "
                f"queue for it (99 of 100 came within {millis_text(many.sample.p99)} instead of "
                f"{millis_text(few.sample.p99)})."
            ]
        )

    urls = site.urls(TASK_PER_URL_PAGES, 1)
    rows = await context.compare(
        f"{TASK_PER_URL_PAGES} URLs: a task for each, or 64 workers (20 ms latency)",
        [
            Case("tasks", "httpx, a task a URL", TASK_PER_URL_PAGES, context.naive(urls)),
            Case("workers", "httpx, 64 workers", 64, context.naive(urls, workers=64)),
            Case("engine", "engine, 64", 64, context.engine(bench_config(urls, 64), 64)),
        ],
    )
    if {"tasks", "engine"} <= rows.keys():
        tasks, engine = rows["tasks"].sample, rows["engine"].sample
        context.rounds.add_findings(
            [
                f"A task for every URL starts them all at once: half of the responses took more than "
                f"{millis_text(tasks.p50)} "
                f"where 64 workers of the engine saw {millis_text(engine.p50)}, and a page cost {tasks.cpu_ms:.1f} ms "
                "of "
                f"CPU against {engine.cpu_ms:.2f}. Memory then grows with the list and not with the work."
            ]
        )
