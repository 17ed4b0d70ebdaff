"""Scenarios by name: each shows one thing that the engine does, beside code that does without."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

from scraper.bench.findings import warnings_of
from scraper.bench.measure.engine_run import Laboratory
from scraper.bench.measure.machine import beside_the_server, busy_share, core_count
from scraper.bench.measure.plan import JITTER, BenchPlan
from scraper.bench.measure.resource_meter import timer_overhead
from scraper.bench.measure.result import Report
from scraper.bench.measure.rounds import Contest, Watch
from scraper.bench.measure.target import HostSpec
from scraper.bench.measure.target_process import stage
from scraper.bench.run_bundled import OnStop, report, settings_of, warm_up
from scraper.bench.scenarios.context import Scene
from scraper.bench.scenarios.cost import LATENCIES, cpu, latency
from scraper.bench.scenarios.hosts import (
    HERD_LIMIT,
    HOSTS,
    QUICK_HOSTS,
    SLOW_LATENCY,
    errors,
    large_files,
    many_hosts,
    slow_host,
)
from scraper.bench.scenarios.names import Scenario
from scraper.clock import Clock


async def bench_scenario(scenario: Scenario, plan: BenchPlan, watch: Watch, on_stop: OnStop) -> Report:
    """Measure one scenario. Raises what `bench_site` raises."""
    specs, cases, play = SCENES[scenario]
    clock = Clock()
    async with AsyncExitStack() as stack:
        busy, count = await busy_share(clock), core_count()
        core = stack.enter_context(beside_the_server())
        given = specs(plan)
        site = await stack.enter_async_context(stage([replace(given[0], port=plan.port), *given[1:]], core))
        lab = Laboratory(await timer_overhead(clock), site, count)
        on_stop(lab.stop)
        contest = Contest(cases * plan.repeat, watch, lambda: lab.stopped)
        contest.tell("warming up")
        if given[0].kind == "shop":
            await warm_up(lab, site)
        await play(Scene(plan, lab, site, contest))
        rows = [row for section in contest.sections for row in section.rows]
        warnings = warnings_of(rows, None, busy, core is not None)
        return report(contest, lab, scenario=str(scenario), settings=settings_of(plan), warnings=tuple(warnings))


def _fragile(plan: BenchPlan) -> list[HostSpec]:
    return [HostSpec(latency=0.02, jitter=JITTER), HostSpec("silent"), HostSpec("fragile", 0.02, limit=HERD_LIMIT)]


SCENES: dict[Scenario, tuple[Callable[[BenchPlan], list[HostSpec]], int, Callable[[Scene], Awaitable[None]]]] = {
    Scenario.LATENCY: (lambda _: [HostSpec(latency=n, jitter=JITTER) for n in LATENCIES], 9, latency),
    Scenario.CPU: (lambda _: [HostSpec(), HostSpec(latency=0.02, jitter=JITTER)], 7, cpu),
    Scenario.ERRORS: (_fragile, 5, errors),
    Scenario.SLOW_HOST: (
        lambda _: [
            *(HostSpec(latency=0.02, jitter=JITTER) for _ in range(QUICK_HOSTS)),
            HostSpec(latency=SLOW_LATENCY),
        ],
        2,
        slow_host,
    ),
    Scenario.LARGE_FILES: (lambda _: [HostSpec("large")], 2, large_files),
    Scenario.MANY_HOSTS: (
        lambda plan: [HostSpec(latency=plan.latency, jitter=JITTER) for _ in range(max(HOSTS))],
        3,
        many_hosts,
    ),
}
"""For each scenario its hosts, how many cases it measures, and what it does."""
