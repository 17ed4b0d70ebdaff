"""An engine on fakes and virtual time, with everything a test may want to look at."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scraper.clock import Clock
from scraper.engine.engine import Engine
from scraper.engine.run_context import RunRules
from scraper.engine.run_state import StopReason
from scraper.engine.settings import EngineSettings
from scraper.events import Event, EventBus
from scraper.hooks.interface import Hook
from scraper.model import Link, Request, Result
from scraper.politeness.host_gate import GateSettings
from scraper.politeness.host_overrides import PolitenessSettings
from scraper.politeness.retry import RetrySettings
from scraper.politeness.robots_cache import RobotsSettings
from scraper.testing.fakes import FakeExtractor, FakeFetcher, FakeSink, make_url
from scraper.testing.memory_frontier import MemoryFrontier
from scraper.urls.canonicalize import KeyRules
from scraper.urls.scope import Scope, ScopeSettings

EPOCH = 1_700_000_000.0
NO_LIMITS = GateSettings(rate=None, concurrency=None, adaptive=False)


class SingleSink:
    """One sink where the recorder expects all of them."""

    def __init__(self, sink: FakeSink) -> None:
        self.sink = sink

    def write(self, result: Result) -> None:
        self.sink.write(result)

    async def flush(self) -> Mapping[str, str]:
        return {self.sink.name: await self.sink.flush()}


@dataclass
class EngineHarness:
    """What a run needs; `run` makes a new engine each time, as a new process would."""

    fetcher: FakeFetcher
    found: Mapping[str, Sequence[str | Mapping[str, Any] | Link]] = field(default_factory=dict)
    settings: EngineSettings = field(default_factory=lambda: EngineSettings(sitemaps=False, concurrency=8))
    gate: GateSettings = NO_LIMITS
    scope: ScopeSettings = field(default_factory=lambda: ScopeSettings(mode="any"))
    retry: RetrySettings = field(default_factory=RetrySettings)
    robots: RobotsSettings = field(default_factory=lambda: RobotsSettings(policy="ignore"))
    frontier: MemoryFrontier = field(default_factory=MemoryFrontier)
    sink: FakeSink = field(default_factory=FakeSink)
    hooks: Sequence[Hook] = ()
    events: list[Event] = field(default_factory=list)
    engine: Engine | None = None

    async def run(
        self,
        *seeds: str,
        results: list[Result] | None = None,
        feed: AsyncIterator[Sequence[Request]] | None = None,
    ) -> StopReason:
        """Crawl from `seeds`, and what `feed` brings, on what is left of earlier runs."""
        checkpoints = (await self.frontier.counts()).checkpoints
        await self.sink.open(checkpoints.get(self.sink.name))
        urls = [make_url(seed) for seed in seeds]
        rules = RunRules(Scope(self.scope, urls), KeyRules(), PolitenessSettings(self.gate), self.retry, self.robots)

        async def keep(result: Result) -> None:
            if results is not None:
                results.append(result)

        async with EventBus([self.events.append]) as bus:
            self.engine = Engine(
                self.settings,
                rules,
                self.frontier,
                self.fetcher,
                FakeExtractor(self.found),
                SingleSink(self.sink),
                bus,
                # A later run goes on from the last instant that the frontier was asked about.
                Clock(max(EPOCH, self.frontier._schedule.now)),
                frontier_view=self.frontier,
                hooks=self.hooks,
                rng=random.Random(1),
                on_result=keep,
            )
            return await self.engine.run([Request(url) for url in urls], feed)

    def events_of(self, kind: type[Event]) -> list[Any]:
        """The events of one type, in order."""
        return [event for event in self.events if isinstance(event, kind)]
