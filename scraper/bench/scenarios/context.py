"""What every scenario works with: the server, the engine, and the code that it is set beside."""

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
    """What a scenario works with."""

    plan: BenchPlan
    engine_bench: EngineBench
    target: TargetProcess
    rounds: Rounds

    async def compare(self, title: str, cases: Sequence[Case]) -> dict[str, Row]:
        """Measure `cases` as a section; the rows by their keys."""
        section = await self.rounds.measure(title, cases, self.plan.repeat)
        return {row.key: row for row in section.rows}

    def engine(
        self, values: dict[str, Any], ramp: int, to_sample: Callable[[EngineRun], Sample] | None = None
    ) -> MeasureOnce:
        """Runs the engine on `values`; `see` may look at the run for another sample than its own."""

        async def run() -> Sample | None:
            done = await self.engine_bench.measure(values, ramp)
            if done.interrupted:
                return None
            return to_sample(done) if to_sample else done.sample

        return run

    def naive(
        self, urls: Sequence[str], to_sample: Callable[[NaiveRun], Sample] | None = None, **how: Any
    ) -> MeasureOnce:
        """Runs plain httpx code; `how` are the settings of `NaiveClient`."""

        async def work() -> Sample:
            done = await NaiveClient(timer_overhead=self.engine_bench.timer_overhead, **how).run(urls)
            return to_sample(done) if to_sample else done.sample

        async def run() -> Sample | None:
            return await run_unless_stopped(self.engine_bench, work())

        return run

    def loop(self, urls: Sequence[str], *, fresh_client: bool = False) -> MeasureOnce:
        """Runs the plain loop."""

        async def run() -> Sample | None:
            return await run_unless_stopped(self.engine_bench, SequentialLoop(fresh_client=fresh_client).run(urls))

        return run


def times_text(more: float, less: float) -> str:
    """How many times `more` is of `less`, as words."""
    return f"{more / less:,.1f} times" if less > 0 else "many times"
