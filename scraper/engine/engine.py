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
from scraper.engine.connection_slots import ConnectionSlots
from scraper.engine.dispatcher import Dispatcher
from scraper.engine.extraction_pool import ExtractionPool
from scraper.engine.hook_chain import HookChain
from scraper.engine.host_registry import Dice, HostRegistry, counts_as_page
from scraper.engine.mirror_routing import MirrorPolicy, MirrorRouter
from scraper.engine.monitor import Monitor
from scraper.engine.recorder import Outputs, Recorder
from scraper.engine.robots_service import Disallowed, RobotsService
from scraper.engine.run_context import RunContext, RunRules
from scraper.engine.run_state import RunState, StopReason
from scraper.engine.settings import EngineSettings
from scraper.engine.workers import WorkerPool
from scraper.errors import FrontierError, ScraperError
from scraper.events import CrawlEnded, EventBus
from scraper.extract.interface import Extractor
from scraper.fetch.interface import Fetcher
from scraper.frontier.interface import Frontier, FrontierView
from scraper.hooks.interface import Hook
from scraper.model import Release, Request, Result, Settlement, Skip

log = logging.getLogger("scraper.engine")


class Engine:
    """Runs one crawl over ports it was given; it opens and closes none of them.

    `frontier_view` answers questions about the frontier's depth (an embedded frontier is one itself). `on_result` is
    awaited
    for every result once it is settled: a slow taker slows the crawl. `alternatives` knows other places where the same
    may be asked for (mirrors).
    """

    def __init__(
        self,
        settings: EngineSettings,
        rules: RunRules,
        frontier: Frontier,
        fetcher: Fetcher,
        extractor: Extractor,
        outputs: Outputs,
        bus: EventBus,
        clock: Clock,
        *,
        frontier_view: FrontierView,
        hooks: Sequence[Hook] = (),
        rng: random.Random | None = None,
        on_result: Callable[[Result], Awaitable[None]] | None = None,
        mirror_policy: MirrorPolicy | None = None,
    ) -> None:
        self.state = RunState.create(settings.concurrency)
        self._settings, self._frontier, self._bus, self._clock = settings, frontier, bus, clock
        self._hosts = HostRegistry(rules.politeness.for_host, settings.max_active_hosts, settings.max_dormant_hosts)
        dice = Dice(rng or random.Random())  # noqa: S311  jitter, not secrets
        self._frontier_view = frontier_view
        self._mirrors = MirrorRouter(mirror_policy, self._hosts, frontier_view, clock)
        premises = RunContext(
            settings, rules, self.state, frontier, frontier_view, self._hosts, bus, clock, dice, self._mirrors
        )
        run_hooks = HookChain(hooks)
        self._robots = RobotsService(premises, fetcher)
        self._extraction = ExtractionPool(
            extractor, settings.extract_thread_from_bytes, settings.extract_process_from_bytes, clock
        )
        self._dispatcher = Dispatcher(premises, self._robots)
        self._workers = WorkerPool(premises, self._dispatcher, fetcher, self._robots, run_hooks)
        self._recorder = Recorder(premises, outputs, self._extraction, run_hooks, on_result)
        self._monitor = Monitor(premises)
        self.connection_slots = ConnectionSlots(premises)
        """Room for requests beside those that are leased: for fetchers that bring a file in segments."""

    def stop(self, reason: StopReason) -> None:
        """Ask for a clean end."""
        self.state.stop(reason)

    def robots_rule_against(self, request: Request) -> str | None:
        """The line of robots.txt that forbids `request`, as far as robots.txt is known."""
        verdict = self._robots.check(request, None, self._clock.now())
        return verdict.rule if isinstance(verdict, Disallowed) else None

    def delay_of(self, host: str) -> float:
        """Seconds between requests to `host`, as things stand."""
        return self._hosts.get_or_restore(host, None).delay_seconds

    def skip_for_unfetched(self, request: Request, stop: StopReason) -> Skip:
        """Why a request that still waits after the run ended was not asked for."""
        host = request.url.host
        gate = self._hosts.peek(host)
        if stop.kind == "max_pages":
            reason, rule = "budget", f"limits.max_pages: {self._settings.max_pages}"
        elif host in self.state.robots_unreachable:
            reason, rule = "robots_unreachable", f"robots.txt cannot be read: {self.state.robots_unreachable[host]}"
        elif gate is not None and gate.gave_up_reason:
            reason, rule = gate.gave_up_reason, gate.wait_reason(self._clock.now()) or gate.gave_up_reason
        else:
            reason, rule = "waiting", f"the run ended before its turn: {stop.kind}"
        return Skip(request.url, request.parent, reason, rule)

    async def run(self, seeds: Sequence[Request], feed: AsyncIterator[Sequence[Request]] | None = None) -> StopReason:
        """Crawl from `seeds`, what `feed` brings and what the frontier still holds; return why it ended.

        `feed` is read as fast as the frontier takes it, beside the fetches; the run does not end before it does.

        Raises `SinkError` or `FrontierError` when outputs or state cannot be written; what was settled stays.
        """
        counts = await self._frontier.counts()
        self.state.pages_settled = sum(n for word, n in counts.outcomes.items() if counts_as_page(word))
        await self._frontier.add(seeds)
        stop = StopReason("bug", "the run ended without a reason")
        self.state.feed_open = feed is not None
        try:
            async with asyncio.TaskGroup() as group:
                recorder = group.create_task(self._recorder.run(), name="recorder")
                self._workers.start(group)
                monitor = group.create_task(self._monitor.run(), name="monitor")
                feeder = group.create_task(self._read_feed(feed), name="feeder")
                stop = await self._dispatcher.run()
                feeder.cancel()
                await self._wait_for_workers()
                self._workers.cancel()
                self._recorder.finish()
                await self._wait_for_recorder(recorder, stop)
                monitor.cancel()
        except* ScraperError as errors:
            # Any of them ends the run in the same way; the first is the cause, the others followed from it.
            raise _first_error(errors) from None
        finally:
            await self._extraction.aclose()
            await self._release_leases()
        self._bus.emit(CrawlEnded(self._clock.now(), stop.kind, stop.detail))
        return stop

    async def _read_feed(self, feed: AsyncIterator[Sequence[Request]] | None) -> None:
        """Queue what comes from outside."""
        pause = self._settings.feed_poll_seconds
        try:
            if feed is not None:
                async for requests in feed:
                    diverted = self._mirrors.reroute_new(requests)
                    await self._frontier.add(diverted)
                    for host in self._mirrors.hosts_to_rescan(diverted):
                        self._frontier.park(host, 0.0)
                    self.state.dispatcher_wakeup.set()
                    pause = pause / 2 if await self._wait_until_feed_needed(pause) else self._settings.feed_poll_seconds
        finally:
            self.state.feed_open = False
            self.state.dispatcher_wakeup.set()

    async def _wait_until_feed_needed(self, pause: float) -> bool:
        """Return when more should be taken in: False when little waits, True when fetchers find little to do in it.

        So a list of any length waits where it is and not in the queue, and hosts that are slow do not hold up what
        stands behind them.
        """
        floor = self.state
        floor.leases_until_refill = max(0, self._frontier_view.depths().waiting - self._settings.feed_low_water)
        floor.feed_needed.clear()
        while before := floor.leases_until_refill:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await floor.feed_needed.wait()
            if floor.no_lease_available and before - floor.leases_until_refill < self._settings.min_leases_per_poll:
                floor.leases_until_refill = 0
                return True
            pause = self._settings.feed_poll_seconds  # they are at work: no reason for haste
        return False

    async def _release_leases(self) -> None:
        """Return the leases that were not settled: the next session, or another process, takes them up."""
        taken, self.state.unsettled = self.state.unsettled, {}
        if taken:
            with suppress(FrontierError):  # a frontier that cannot be written gives them back by itself when reopened
                await self._frontier.settle([Settlement(lease, Release()) for lease in taken.values()])

    async def _wait_for_workers(self) -> None:
        """After a stop, wait for requests in flight, at most `shutdown_timeout` seconds; the rest is asked again on
        resume."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.shutdown_timeout):
                while self.state.in_flight or not self.state.jobs.empty():
                    self.state.dispatcher_wakeup.clear()
                    await self.state.dispatcher_wakeup.wait()

    async def _wait_for_recorder(self, recorder: asyncio.Task[None], stop: StopReason) -> None:
        """Wait until all that was fetched is settled; after an interrupt at most `recorder_timeout` seconds.

        A page that takes long to read, or a consumer that takes no more results, must not hold up an end that was
        asked for: what is not settled by then is asked again on resume.
        """
        patience = None if stop.kind in ("finished", "max_pages") else self._settings.recorder_timeout
        await asyncio.wait([recorder], timeout=patience)
        if not recorder.done():
            recorder.cancel()
            await asyncio.wait([recorder])


def _first_error(errors: BaseExceptionGroup[ScraperError]) -> ScraperError:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, ScraperError)
    return found
