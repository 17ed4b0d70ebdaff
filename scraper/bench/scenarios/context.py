"""What every scenario works with: the server, the engine, and the code that it is set beside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scraper.bench.measure.engine_run import EngineRun, Laboratory
from scraper.bench.measure.naive import Naive, NaiveRun
from scraper.bench.measure.plan import BenchPlan
from scraper.bench.measure.result import Row, Sample
from scraper.bench.measure.rounds import Case, Contest
from scraper.bench.measure.sequential import Loop
from scraper.bench.measure.target_process import Stage
from scraper.bench.run_bundled import unless_stopped

Run = Callable[[], Awaitable[Sample | None]]


@dataclass(slots=True)
class Scene:
    """What a scenario works with."""

    plan: BenchPlan
    lab: Laboratory
    site: Stage
    contest: Contest

    async def compare(self, title: str, cases: Sequence[Case]) -> dict[str, Row]:
        """Measure `cases` as a section; the rows by their keys."""
        section = await self.contest.measure(title, cases, self.plan.repeat)
        return {row.key: row for row in section.rows}

    def engine(self, values: dict[str, Any], ramp: int, see: Callable[[EngineRun], Sample] | None = None) -> Run:
        """Runs the engine on `values`; `see` may look at the run for another sample than its own."""

        async def run() -> Sample | None:
            done = await self.lab.measure(values, ramp)
            if done.interrupted:
                return None
            return see(done) if see else done.sample

        return run

    def naive(self, urls: Sequence[str], see: Callable[[NaiveRun], Sample] | None = None, **how: Any) -> Run:
        """Runs plain httpx code; `how` are the settings of `Naive`."""

        async def work() -> Sample:
            done = await Naive(overhead=self.lab.overhead, **how).run(urls)
            return see(done) if see else done.sample

        async def run() -> Sample | None:
            return await unless_stopped(self.lab, work())

        return run

    def loop(self, urls: Sequence[str], *, fresh_client: bool = False) -> Run:
        """Runs the plain loop."""

        async def run() -> Sample | None:
            return await unless_stopped(self.lab, Loop(fresh_client=fresh_client).run(urls))

        return run


def times(more: float, less: float) -> str:
    """How many times `more` is of `less`, as words."""
    return f"{more / less:,.1f} times" if less > 0 else "many times"
