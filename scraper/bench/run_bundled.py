"""The benchmark on the bundled server: the loop, the engine at rising concurrency, then the engine being polite."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

from scraper.bench.findings import (
    explain_knee,
    gain_sentence,
    littles_sentence,
    polite_sentences,
    recommend,
    warnings_of,
)
from scraper.bench.measure.engine_run import Laboratory, config
from scraper.bench.measure.machine import beside_the_server, busy_share, core_count, describe
from scraper.bench.measure.plan import JITTER, BenchPlan
from scraper.bench.measure.resource_meter import timer_overhead
from scraper.bench.measure.result import Report, Row, Sample, Section
from scraper.bench.measure.rounds import Case, Contest, Watch
from scraper.bench.measure.sequential import Loop
from scraper.bench.measure.statistics import expected_rate, littles_law
from scraper.bench.measure.target import HostSpec
from scraper.bench.measure.target_process import Stage, ceiling, stage
from scraper.clock import Clock, wall_time
from scraper.report.text.formatting import instant_text

WARM_UP_PAGES = 64
FASTER = 2.2
"""How much faster than the level before a level is expected to be at most: it decides how many pages it fetches."""
FIRST_GUESS = 200.0
POLITE_SECONDS = 2.5
POLITE: tuple[tuple[str, str, int, float | None], ...] = (
    ("polite-8", "8 at once", 8, None),
    ("polite-20", "20/s", 8, 20.0),
    ("polite-2", "2/s, 4 at once (default)", 4, 2.0),
)
"""Key, label, requests at once and requests per second for a host."""

OnStop = Callable[[Callable[[], None]], None]
"""Takes the function that breaks the benchmark off cleanly."""


async def bench_site(plan: BenchPlan, watch: Watch, on_stop: OnStop) -> Report:
    """Measure on the bundled server. Raises `ConfigError` when its port is taken, and the errors of `Crawler`."""
    clock = Clock()
    async with AsyncExitStack() as stack:
        busy, count = await busy_share(clock), core_count()
        core = stack.enter_context(beside_the_server())
        specs = [HostSpec(latency=plan.latency, jitter=JITTER, port=plan.port), HostSpec()]
        site = await stack.enter_async_context(stage(specs, core))
        lab = Laboratory(await timer_overhead(clock), site, count)
        on_stop(lab.stop)
        total = plan.repeat * (1 + len(plan.levels)) + len(POLITE)
        contest = Contest(total, watch, lambda: lab.stopped)
        contest.tell("warming up")
        most = await ceiling(site.hosts[1], site.paths[0], clock)
        await warm_up(lab, site)
        main = await contest.measure("Sequential against concurrent", level_cases(plan, lab, site), plan.repeat)
        found, why = explain_knee(main.rows, most)
        contest.conclude([s for s in (gain_sentence(main.rows), littles_sentence(main.rows), why) if s])
        await _polite(plan, contest, lab, site, main, found)
        return report(
            contest,
            lab,
            scenario="site",
            settings=settings_of(plan),
            knee=found,
            recommended=recommend(main.rows, found),
            ceiling=most,
            warnings=tuple(warnings_of(main.rows, most, busy, core is not None)),
        )


def settings_of(plan: BenchPlan) -> dict[str, Any]:
    """The plan as it stands in a report."""
    return {**asdict(plan), "levels": list(plan.levels), "jitter": JITTER}


def report(contest: Contest, lab: Laboratory, **values: Any) -> Report:
    """A report of what `contest` measured so far."""
    return Report(
        machine=describe(type(asyncio.get_running_loop()).__module__, lab.cores),
        sections=tuple(section for section in contest.sections if section.rows),
        complete=not lab.stopped,
        at=instant_text(wall_time()) or "",
        **values,
    )


async def warm_up(lab: Laboratory, site: Stage, host: int = 0) -> None:
    """Run both once without counting: imports, caches and connections are then as they will be."""
    await Loop().run(site.urls(2, host))
    if not lab.stopped:
        await lab.measure(config(site.urls(WARM_UP_PAGES, host), 16), 16)


def level_cases(plan: BenchPlan, lab: Laboratory, site: Stage, host: int = 0) -> list[Case]:
    """The loop, and the engine at each level of the plan."""
    loop_rate = littles_law(1, plan.latency) if plan.latency else FIRST_GUESS
    loop = Loop()
    known: dict[int, float] = {}

    async def one_by_one() -> Sample | None:
        urls = site.urls(plan.pages_at(1, min(loop_rate, FIRST_GUESS * plan.seconds)), host)
        return await unless_stopped(lab, loop.run(urls))

    def at_level(level: int) -> Callable[[], Awaitable[Sample | None]]:
        async def run() -> Sample | None:
            below = max((rate for other, rate in known.items() if other < level), default=FIRST_GUESS)
            guess = known.get(level) or min(littles_law(level, plan.latency), FASTER * below)
            done = await lab.measure(config(site.urls(plan.pages_at(level, guess), host), level), level)
            known[level] = done.sample.rate
            return None if done.interrupted else done.sample

        return run

    allowed = {level: littles_law(level, plan.latency) if plan.latency else None for level in (1, *plan.levels)}
    return [
        Case("sequential", "httpx loop", 0, one_by_one, allowed[1]),
        *(Case(f"engine-{n}", f"engine, {n}", n, at_level(n), allowed[n]) for n in plan.levels),
    ]


async def unless_stopped(lab: Laboratory, work: Awaitable[Sample]) -> Sample | None:
    """The sample, or None when the benchmark is stopped before it is there."""
    task = asyncio.ensure_future(work)
    while not lab.stopped:
        done, _ = await asyncio.wait([task], timeout=0.1)
        if done:
            return task.result()
    task.cancel()
    await asyncio.wait([task])
    return None


async def _polite(
    plan: BenchPlan, contest: Contest, lab: Laboratory, site: Stage, main: Section, found: int | None
) -> None:
    """The same engine under the limits for one host, from free to the default."""
    free = _row_at(main.rows, found)
    if free is None or lab.stopped:
        return
    level = free.concurrency

    def under(at_once: int, rate: float | None) -> Callable[[], Awaitable[Sample | None]]:
        async def run() -> Sample | None:
            most = expected_rate(level, plan.latency, per_host=at_once, rate=rate) if plan.latency else rate
            pages = min(plan.pages, max(7, round((most or FIRST_GUESS) * min(POLITE_SECONDS, 2.5 * plan.seconds))))
            polite = {"per_host": {"rate": rate, "concurrency": at_once}, "adaptive": False}
            done = await lab.measure(config(site.urls(pages), level, politeness=polite), 1 if rate else at_once)
            return None if done.interrupted else done.sample

        return run

    async def as_before() -> Sample | None:
        return free.sample

    cases = [Case("free", "no limit", level, as_before, free.expected)]
    for key, label, at_once, rate in POLITE:
        most = expected_rate(level, plan.latency, per_host=at_once, rate=rate) if plan.latency else rate
        cases.append(Case(key, label, min(level, at_once), under(at_once, rate), most))
    section = await contest.measure(f"The same with politeness on, {level} fetchers, one host", cases, 1)
    contest.conclude(polite_sentences(section.rows))


def _row_at(rows: Sequence[Row], found: int | None) -> Row | None:
    engine = [row for row in rows if row.concurrency > 0]
    at = [row for row in engine if row.concurrency == found]
    return at[0] if at else max(engine, key=lambda row: row.sample.rate, default=None)
