"""One run of the machine, from the first lease to the last settlement.

    frontier --lease--> dispatcher --jobs--> N fetchers --results--> recorder --settle--> frontier
                            ^                    |
                            '---- park <---------'       (one instant per host: when may it be asked again?)

All tasks are children of one TaskGroup. Both queues are bounded, so a slow disk slows the recorder, the recorder
slows the fetchers, and the dispatcher leases only for fetchers that are idle: memory stays flat.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

from scraper.clock import Clock
from scraper.engine.connection_slots import SparePlaces
from scraper.engine.dispatcher import Dispatcher
from scraper.engine.extraction_pool import PageReader
from scraper.engine.hook_chain import Hooks
from scraper.engine.host_registry import Dice, HostBook, is_page_word
from scraper.engine.mirror_routing import Alternatives, Detours
from scraper.engine.monitor import Monitor
from scraper.engine.recorder import Outputs, Recorder
from scraper.engine.robots_service import Refused, RobotsDesk
from scraper.engine.run_context import Premises, Rules
from scraper.engine.run_state import Floor, Stop
from scraper.engine.settings import EngineSettings
from scraper.engine.workers import Fetchers
from scraper.errors import FrontierError, ScraperError
from scraper.events import CrawlEnded, EventBus
from scraper.extract.interface import Extractor
from scraper.fetch.interface import Fetcher
from scraper.frontier.interface import Frontier, Ledger
from scraper.hooks.interface import Hook
from scraper.model import Release, Request, Result, Settlement, Skip

log = logging.getLogger("scraper.engine")


class Engine:
    """Runs one crawl over ports it was given; it opens and closes none of them.

    `ledger` answers questions about the frontier's depth (an embedded frontier is one itself). `on_result` is awaited
    for every result once it is settled: a slow taker slows the crawl. `alternatives` knows other places where the same
    may be asked for (mirrors).
    """

    def __init__(
        self,
        settings: EngineSettings,
        rules: Rules,
        frontier: Frontier,
        fetcher: Fetcher,
        extractor: Extractor,
        outputs: Outputs,
        bus: EventBus,
        clock: Clock,
        *,
        ledger: Ledger,
        hooks: Sequence[Hook] = (),
        rng: random.Random | None = None,
        on_result: Callable[[Result], Awaitable[None]] | None = None,
        alternatives: Alternatives | None = None,
    ) -> None:
        self.floor = Floor.make(settings.concurrency)
        self._settings, self._frontier, self._bus, self._clock = settings, frontier, bus, clock
        self._hosts = HostBook(rules.politeness.for_host, settings.active_hosts, settings.dormant_hosts)
        dice = Dice(rng or random.Random())  # noqa: S311  jitter, not secrets
        self._ledger = ledger
        self._detours = Detours(alternatives, self._hosts, ledger, clock)
        premises = Premises(settings, rules, self.floor, frontier, ledger, self._hosts, bus, clock, dice, self._detours)
        run_hooks = Hooks(hooks)
        self._robots = RobotsDesk(premises, fetcher)
        self._reader = PageReader(extractor, settings.medium_page, settings.large_page, clock)
        self._dispatcher = Dispatcher(premises, self._robots)
        self._fetchers = Fetchers(premises, self._dispatcher, fetcher, self._robots, run_hooks)
        self._recorder = Recorder(premises, outputs, self._reader, run_hooks, on_result)
        self._monitor = Monitor(premises)
        self.places = SparePlaces(premises)
        """Room for requests beside those that are leased: for fetchers that bring a file in segments."""

    def stop(self, reason: Stop) -> None:
        """Ask for a clean end."""
        self.floor.stop(reason)

    def refused_by(self, request: Request) -> str | None:
        """The line of robots.txt that forbids `request`, as far as robots.txt is known."""
        verdict = self._robots.judge(request, None, self._clock.now())
        return verdict.rule if isinstance(verdict, Refused) else None

    def delay_of(self, host: str) -> float:
        """Seconds between requests to `host`, as things stand."""
        return self._hosts.enter(host, None).delay

    def leftover(self, request: Request, stop: Stop) -> Skip:
        """Why a request that still waits after the run ended was not asked for."""
        host = request.url.host
        gate = self._hosts.get(host)
        if stop.why == "max_pages":
            reason, rule = "budget", f"limits.max_pages: {self._settings.max_pages}"
        elif host in self.floor.unreachable:
            reason, rule = "robots_unreachable", f"robots.txt cannot be read: {self.floor.unreachable[host]}"
        elif gate is not None and gate.ended:
            reason, rule = gate.ended, gate.why(self._clock.now()) or gate.ended
        else:
            reason, rule = "waiting", f"the run ended before its turn: {stop.why}"
        return Skip(request.url, request.parent, reason, rule)

    async def run(self, seeds: Sequence[Request], feed: AsyncIterator[Sequence[Request]] | None = None) -> Stop:
        """Crawl from `seeds`, what `feed` brings and what the frontier still holds; return why it ended.

        `feed` is read as fast as the frontier takes it, beside the fetches; the run does not end before it does.

        Raises `SinkError` or `FrontierError` when outputs or state cannot be written; what was settled stays.
        """
        counts = await self._frontier.counts()
        self.floor.pages_settled = sum(n for word, n in counts.outcomes.items() if is_page_word(word))
        await self._frontier.add(seeds)
        stop = Stop("bug", "the run ended without a reason")
        self.floor.feeding = feed is not None
        try:
            async with asyncio.TaskGroup() as group:
                recorder = group.create_task(self._recorder.run(), name="recorder")
                self._fetchers.start(group)
                monitor = group.create_task(self._monitor.run(), name="monitor")
                feeder = group.create_task(self._take_in(feed), name="feeder")
                stop = await self._dispatcher.run()
                feeder.cancel()
                await self._let_fetchers_finish()
                self._fetchers.cancel()
                self._recorder.finish()
                await self._let_recorder_finish(recorder, stop)
                monitor.cancel()
        except* ScraperError as errors:
            # Any of them ends the run in the same way; the first is the cause, the others followed from it.
            raise _first(errors) from None
        finally:
            await self._reader.aclose()
            await self._give_back()
        self._bus.emit(CrawlEnded(self._clock.now(), stop.why, stop.detail))
        return stop

    async def _take_in(self, feed: AsyncIterator[Sequence[Request]] | None) -> None:
        """Queue what comes from outside."""
        pause = self._settings.feed_pause
        try:
            if feed is not None:
                async for requests in feed:
                    diverted = self._detours.divert(requests)
                    await self._frontier.add(diverted)
                    for host in self._detours.stranded(diverted):
                        self._frontier.park(host, 0.0)
                    self.floor.wake.set()
                    pause = pause / 2 if await self._idled(pause) else self._settings.feed_pause
        finally:
            self.floor.feeding = False
            self.floor.wake.set()

    async def _idled(self, pause: float) -> bool:
        """Return when more should be taken in: False when little waits, True when fetchers find little to do in it.

        So a list of any length waits where it is and not in the queue, and hosts that are slow do not hold up what
        stands behind them.
        """
        floor = self.floor
        floor.leases_until_hungry = max(0, self._ledger.depths().waiting - self._settings.feed_ahead)
        floor.appetite.clear()
        while before := floor.leases_until_hungry:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await floor.appetite.wait()
            if floor.starving and before - floor.leases_until_hungry < self._settings.brisk:
                floor.leases_until_hungry = 0
                return True
            pause = self._settings.feed_pause  # they are at work: no reason for haste
        return False

    async def _give_back(self) -> None:
        """Return the leases that were not settled: the next session, or another process, takes them up."""
        taken, self.floor.taken = self.floor.taken, {}
        if taken:
            with suppress(FrontierError):  # a frontier that cannot be written gives them back by itself when reopened
                await self._frontier.settle([Settlement(lease, Release()) for lease in taken.values()])

    async def _let_fetchers_finish(self) -> None:
        """After a stop, wait for requests in flight, at most `grace` seconds; the rest is asked again on resume."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.grace):
                while self.floor.in_flight or not self.floor.jobs.empty():
                    self.floor.wake.clear()
                    await self.floor.wake.wait()

    async def _let_recorder_finish(self, recorder: asyncio.Task[None], stop: Stop) -> None:
        """Wait until all that was fetched is settled; after an interrupt at most `record_grace` seconds.

        A page that takes long to read, or a consumer that takes no more results, must not hold up an end that was
        asked for: what is not settled by then is asked again on resume.
        """
        patience = None if stop.why in ("finished", "max_pages") else self._settings.record_grace
        await asyncio.wait([recorder], timeout=patience)
        if not recorder.done():
            recorder.cancel()
            await asyncio.wait([recorder])


def _first(errors: BaseExceptionGroup[ScraperError]) -> ScraperError:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, ScraperError)
    return found
