"""The benchmark on the bundled server: the loop, the engine at rising concurrency, then with politeness limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

from scraper.bench.findings import (
    explain_knee,
    gain_sentence,
    littles_law_sentence,
    polite_sentences,
    recommend_limits,
    reliability_warnings,
)
from scraper.bench.measure.engine_run import EngineBench, bench_config
from scraper.bench.measure.machine import busy_share, core_count, describe_machine, reserve_server_core
from scraper.bench.measure.plan import LATENCY_JITTER_SHARE, BenchPlan
from scraper.bench.measure.resource_meter import measure_timer_overhead
from scraper.bench.measure.result import Report, Row, Sample, Section
from scraper.bench.measure.rounds import Case, OnProgress, Rounds
from scraper.bench.measure.sequential import SequentialLoop
from scraper.bench.measure.statistics import expected_rate, littles_law
from scraper.bench.measure.target import HostSpec
from scraper.bench.measure.target_process import TargetProcess, measure_max_server_rate, start_target
from scraper.clock import Clock, wall_time
from scraper.report.text.formatting import instant_text

WARM_UP_PAGES = 64
# A level is assumed to be at most this much faster than the one before it. Decides how many pages it fetches.
MAX_SPEEDUP_PER_LEVEL = 2.2
FIRST_GUESS_RATE = 200.0
POLITE_SECONDS = 2.5
# (row key, label, concurrent requests per host, requests per second per host or None for no limit)
POLITE_CASES: tuple[tuple[str, str, int, float | None], ...] = (
    ("polite-8", "8 at once", 8, None),
    ("polite-20", "20/s", 8, 20.0),
    ("polite-2", "2/s, 4 at once (default)", 4, 2.0),
)

# Called with the function that stops the benchmark early.
RegisterStop = Callable[[Callable[[], None]], None]


async def bench_bundled(plan: BenchPlan, on_progress: OnProgress, register_stop: RegisterStop) -> Report:
    """Run the benchmark on the bundled server.

    Raises `ConfigError` if its port is in use, `ScraperError` if it does not start, and the errors of `Crawler`.
    """
    clock = Clock()
    async with AsyncExitStack() as stack:
        busy, count = await busy_share(clock), core_count()
        core = stack.enter_context(reserve_server_core())
        specs = [HostSpec(latency=plan.latency, jitter=LATENCY_JITTER_SHARE, port=plan.port), HostSpec()]
        site = await stack.enter_async_context(start_target(specs, core))
        lab = EngineBench(await measure_timer_overhead(clock), site, count)
        register_stop(lab.stop)
        total = plan.repeat * (1 + len(plan.levels)) + len(POLITE_CASES)
        contest = Rounds(total, on_progress, lambda: lab.stopped)
        contest.notify("warming up")
        most = await measure_max_server_rate(site.hosts[1], site.paths[0], clock)
        await warm_up(lab, site)
        main = await contest.measure("Sequential against concurrent", level_cases(plan, lab, site), plan.repeat)
        found, why = explain_knee(main.rows, most)
        contest.add_findings([s for s in (gain_sentence(main.rows), littles_law_sentence(main.rows), why) if s])
        await _measure_politeness(plan, contest, lab, site, main, found)
        return build_report(
            contest,
            lab,
            scenario="site",
            settings=plan_settings(plan),
            knee=found,
            recommended=recommend_limits(main.rows, found),
            max_server_rate=most,
            warnings=tuple(reliability_warnings(main.rows, most, busy, core is not None)),
        )


def plan_settings(plan: BenchPlan) -> dict[str, Any]:
    """The settings of a plan as stored in the report."""
    return {**asdict(plan), "levels": list(plan.levels), "jitter": LATENCY_JITTER_SHARE}


def build_report(rounds: Rounds, engine_bench: EngineBench, **values: Any) -> Report:
    """A report of what `contest` measured so far."""
    return Report(
        machine=describe_machine(type(asyncio.get_running_loop()).__module__, engine_bench.cores),
        sections=tuple(section for section in rounds.sections if section.rows),
        complete=not engine_bench.stopped,
        at=instant_text(wall_time()) or "",
        **values,
    )


async def warm_up(engine_bench: EngineBench, target: TargetProcess, host: int = 0) -> None:
    """Run loop and engine once without measuring, so that imports and caches are warm."""
    await SequentialLoop().run(target.urls(2, host))
    if not engine_bench.stopped:
        await engine_bench.measure(bench_config(target.urls(WARM_UP_PAGES, host), 16), 16)


def level_cases(plan: BenchPlan, engine_bench: EngineBench, target: TargetProcess, host: int = 0) -> list[Case]:
    """The cases to compare: the loop, and the engine at each level of the plan."""
    loop_rate = littles_law(1, plan.latency) if plan.latency else FIRST_GUESS_RATE
    loop = SequentialLoop()
    known: dict[int, float] = {}

    async def one_by_one() -> Sample | None:
        urls = target.urls(plan.pages_at(1, min(loop_rate, FIRST_GUESS_RATE * plan.seconds)), host)
        return await run_unless_stopped(engine_bench, loop.run(urls))

    def at_level(level: int) -> Callable[[], Awaitable[Sample | None]]:
        async def run() -> Sample | None:
            below = max((rate for other, rate in known.items() if other < level), default=FIRST_GUESS_RATE)
            guess = known.get(level) or min(littles_law(level, plan.latency), MAX_SPEEDUP_PER_LEVEL * below)
            done = await engine_bench.measure(
                bench_config(target.urls(plan.pages_at(level, guess), host), level), level
            )
            known[level] = done.sample.rate
            return None if done.interrupted else done.sample

        return run

    allowed = {level: littles_law(level, plan.latency) if plan.latency else None for level in (1, *plan.levels)}
    return [
        Case("sequential", "httpx loop", 0, one_by_one, allowed[1]),
        *(Case(f"engine-{n}", f"engine, {n}", n, at_level(n), allowed[n]) for n in plan.levels),
    ]


async def run_unless_stopped(engine_bench: EngineBench, work: Awaitable[Sample]) -> Sample | None:
    """Await `work`; return None if the benchmark is stopped first. `work` is cancelled then."""
    task = asyncio.ensure_future(work)
    while not engine_bench.stopped:
        done, _ = await asyncio.wait([task], timeout=0.1)
        if done:
            return task.result()
    task.cancel()
    await asyncio.wait([task])
    return None


async def _measure_politeness(
    plan: BenchPlan, contest: Rounds, lab: EngineBench, site: TargetProcess, main: Section, found: int | None
) -> None:
    """Measure the engine at its best level with per-host limits, from none to the defaults."""
    free = _row_at_knee(main.rows, found)
    if free is None or lab.stopped:
        return
    level = free.concurrency

    def under(at_once: int, rate: float | None) -> Callable[[], Awaitable[Sample | None]]:
        async def run() -> Sample | None:
            most = expected_rate(level, plan.latency, per_host=at_once, rate=rate) if plan.latency else rate
            pages = min(plan.pages, max(7, round((most or FIRST_GUESS_RATE) * min(POLITE_SECONDS, 2.5 * plan.seconds))))
            polite = {"per_host": {"rate": rate, "concurrency": at_once}, "adaptive": False}
            done = await lab.measure(bench_config(site.urls(pages), level, politeness=polite), 1 if rate else at_once)
            return None if done.interrupted else done.sample

        return run

    async def as_before() -> Sample | None:
        return free.sample

    cases = [Case("free", "no limit", level, as_before, free.expected)]
    for key, label, at_once, rate in POLITE_CASES:
        most = expected_rate(level, plan.latency, per_host=at_once, rate=rate) if plan.latency else rate
        cases.append(Case(key, label, min(level, at_once), under(at_once, rate), most))
    section = await contest.measure(f"The same with politeness on, {level} workers, one host", cases, 1)
    contest.add_findings(polite_sentences(section.rows))


def _row_at_knee(rows: Sequence[Row], found: int | None) -> Row | None:
    engine = [row for row in rows if row.concurrency > 0]
    at = [row for row in engine if row.concurrency == found]
    return at[0] if at else max(engine, key=lambda row: row.sample.rate, default=None)
