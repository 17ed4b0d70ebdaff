"""The table of scenarios, and `bench_scenario`, which runs one of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

from scraper.bench.findings import reliability_warnings
from scraper.bench.measure.engine_run import EngineBench
from scraper.bench.measure.machine import busy_share, core_count, reserve_server_core
from scraper.bench.measure.plan import LATENCY_JITTER_SHARE, BenchPlan
from scraper.bench.measure.resource_meter import measure_timer_overhead
from scraper.bench.measure.result import Report
from scraper.bench.measure.rounds import OnProgress, Rounds
from scraper.bench.measure.target import HostSpec
from scraper.bench.measure.target_process import start_target
from scraper.bench.run_bundled import RegisterStop, build_report, plan_settings, warm_up
from scraper.bench.scenarios.context import ScenarioContext
from scraper.bench.scenarios.cost import LATENCIES_SECONDS, cpu, latency
from scraper.bench.scenarios.hosts import (
    HERD_REQUESTS_PER_WINDOW,
    HOST_COUNTS,
    QUICK_HOST_COUNT,
    SLOW_LATENCY_SECONDS,
    errors,
    large_files,
    many_hosts,
    slow_host,
)
from scraper.bench.scenarios.names import Scenario
from scraper.clock import Clock


async def bench_scenario(
    scenario: Scenario, plan: BenchPlan, on_progress: OnProgress, register_stop: RegisterStop
) -> Report:
    """Run one scenario on the bundled server. Raises the errors of `bench_bundled`."""
    specs, cases, play = SCENARIOS[scenario]
    clock = Clock()
    async with AsyncExitStack() as stack:
        busy, count = await busy_share(clock), core_count()
        core = stack.enter_context(reserve_server_core())
        given = specs(plan)
        site = await stack.enter_async_context(start_target([replace(given[0], port=plan.port), *given[1:]], core))
        lab = EngineBench(await measure_timer_overhead(clock), site, count)
        register_stop(lab.stop)
        contest = Rounds(cases * plan.repeat, on_progress, lambda: lab.stopped)
        contest.notify("warming up")
        if given[0].kind == "shop":
            await warm_up(lab, site)
        await play(ScenarioContext(plan, lab, site, contest))
        rows = [row for section in contest.sections for row in section.rows]
        warnings = reliability_warnings(rows, None, busy, core is not None)
        return build_report(
            contest, lab, scenario=str(scenario), settings=plan_settings(plan), warnings=tuple(warnings)
        )


def _error_hosts(plan: BenchPlan) -> list[HostSpec]:
    return [
        HostSpec(latency=0.02, jitter=LATENCY_JITTER_SHARE),
        HostSpec("silent"),
        HostSpec("fragile", 0.02, limit=HERD_REQUESTS_PER_WINDOW),
    ]


# For each scenario: the hosts of the target server, the number of cases (for the progress), and its function.
SCENARIOS: dict[
    Scenario, tuple[Callable[[BenchPlan], list[HostSpec]], int, Callable[[ScenarioContext], Awaitable[None]]]
] = {
    Scenario.LATENCY: (
        lambda _: [HostSpec(latency=n, jitter=LATENCY_JITTER_SHARE) for n in LATENCIES_SECONDS],
        9,
        latency,
    ),
    Scenario.CPU: (lambda _: [HostSpec(), HostSpec(latency=0.02, jitter=LATENCY_JITTER_SHARE)], 7, cpu),
    Scenario.ERRORS: (_error_hosts, 5, errors),
    Scenario.SLOW_HOST: (
        lambda _: [
            *(HostSpec(latency=0.02, jitter=LATENCY_JITTER_SHARE) for _ in range(QUICK_HOST_COUNT)),
            HostSpec(latency=SLOW_LATENCY_SECONDS),
        ],
        2,
        slow_host,
    ),
    Scenario.LARGE_FILES: (lambda _: [HostSpec("large")], 2, large_files),
    Scenario.MANY_HOSTS: (
        lambda plan: [HostSpec(latency=plan.latency, jitter=LATENCY_JITTER_SHARE) for _ in range(max(HOST_COUNTS))],
        3,
        many_hosts,
    ),
}
