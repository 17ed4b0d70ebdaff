"""What all scenarios use: the target server, the engine, and the simple clients it is compared with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scraper.bench.measure.engine_run import EngineBench, EngineRun
from scraper.bench.measure.naive import NaiveClient, NaiveRun
from scraper.bench.measure.plan import BenchPlan
from scraper.bench.measure.result import Row, Sample
from scraper.bench.measure.rounds import Case, Rounds
from scraper.bench.measure.sequential import SequentialLoop
from scraper.bench.measure.target_process import TargetProcess
from scraper.bench.run_bundled import run_unless_stopped

MeasureOnce = Callable[[], Awaitable[Sample | None]]


@dataclass(slots=True)
class ScenarioContext:
    """The objects a scenario uses, and methods that make the `run` of a `Case`."""

    plan: BenchPlan
    engine_bench: EngineBench
    target: TargetProcess
    rounds: Rounds

    async def compare(self, title: str, cases: Sequence[Case]) -> dict[str, Row]:
        """Measure `cases` as a section; returns the rows by their keys. Rows are missing if the run was stopped."""
        section = await self.rounds.measure(title, cases, self.plan.repeat)
        return {row.key: row for row in section.rows}

    def engine(
        self, values: dict[str, Any], ramp: int, to_sample: Callable[[EngineRun], Sample] | None = None
    ) -> MeasureOnce:
        """A function that measures the engine with the config `values`; `to_sample` may derive another sample."""

        async def run() -> Sample | None:
            done = await self.engine_bench.measure(values, ramp)
            if done.interrupted:
                return None
            return to_sample(done) if to_sample else done.sample

        return run

    def naive(
        self, urls: Sequence[str], to_sample: Callable[[NaiveRun], Sample] | None = None, **how: Any
    ) -> MeasureOnce:
        """A function that measures concurrent httpx code; `how` are the fields of `NaiveClient`."""

        async def work() -> Sample:
            done = await NaiveClient(timer_overhead=self.engine_bench.timer_overhead, **how).run(urls)
            return to_sample(done) if to_sample else done.sample

        async def run() -> Sample | None:
            return await run_unless_stopped(self.engine_bench, work())

        return run

    def loop(self, urls: Sequence[str], *, fresh_client: bool = False) -> MeasureOnce:
        """A function that measures the sequential loop."""

        async def run() -> Sample | None:
            return await run_unless_stopped(self.engine_bench, SequentialLoop(fresh_client=fresh_client).run(urls))

        return run


def times_text(more: float, less: float) -> str:
    """The ratio of `more` to `less` as text: `2.5 times`."""
    return f"{more / less:,.1f} times" if less > 0 else "many times"
