"""One run, from the first lease to the last settlement.

    frontier --lease--> dispatcher --jobs--> N workers --results--> recorder --settle--> frontier
                            ^                    |
                            '---- park <---------'       (one instant per host: when may it be requested again?)

All tasks are children of one TaskGroup. Both queues are bounded, so a slow disk slows the recorder, the recorder slows
the workers, and the dispatcher takes leases only for idle workers: memory use does not grow with the run.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

from scraper.clock import Clock
from scraper.engine.connection_slots import ConnectionSlots
from scraper.engine.dispatcher import Dispatcher
from scraper.engine.extraction_pool import ExtractionPool
from scraper.engine.gate_cache import GateCache
from scraper.engine.hook_chain import HookChain
from scraper.engine.host_registry import HostRegistry
from scraper.engine.link_filter import LinkFilter
from scraper.engine.mirror_routing import MirrorPolicy, MirrorRouter
from scraper.engine.monitor import Monitor
from scraper.engine.outcome_policy import OutcomePolicy
from scraper.engine.outcomes import counts_as_page
from scraper.engine.recorder import Outputs, Recorder
from scraper.engine.robots_service import Disallowed, RobotsService
from scraper.engine.run_context import RunContext, RunRules
from scraper.engine.run_state import RunState, StopReason
from scraper.engine.session import PROGRESS_CHECKPOINT
from scraper.engine.settings import EngineSettings
from scraper.engine.workers import WorkerPool
from scraper.errors import FrontierError, ScraperError
from scraper.events import CrawlEnded, EventBus
from scraper.extract.interface import Extractor
from scraper.fetch.interface import Fetcher
from scraper.frontier.interface import Frontier, FrontierView
from scraper.hooks.interface import Hook
from scraper.model import Release, Request, Result, Settlement, Skip, StopKind
from scraper.politeness.retry import RetryPolicy
from scraper.urls.progress import UrlProgress


class Engine:
    """Runs one crawl over ports it was given; it opens and closes none of them.

    `frontier_view` answers questions about the frontier's queues (an embedded frontier is its own view). `on_result`
    is awaited for every result once it is settled: a slow consumer slows the crawl. `mirror_policy` knows the mirrors
    of requests. `rng` is for jitter.
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
        rng = rng or random.Random()  # noqa: S311  jitter, not secrets
        self.state = RunState.create(settings.concurrency)
        self._settings, self._frontier, self._frontier_view = settings, frontier, frontier_view
        self._bus, self._clock = bus, clock
        gates = GateCache(rules.politeness.for_host, settings.max_active_hosts, settings.max_dormant_hosts)
        self._mirrors = MirrorRouter(mirror_policy, gates, frontier_view, clock)
        self._hosts = HostRegistry(gates, bus, rng, frontier.park, self._mirrors)
        context = RunContext(
            settings, rules, self.state, frontier, frontier_view, self._hosts, self._mirrors, bus, clock
        )
        hook_chain = HookChain(hooks)
        self._robots = RobotsService(context, fetcher)
        self._progress = UrlProgress(rules.scope.settings.traps)
        self._dispatcher = Dispatcher(context, self._robots, self._progress)
        self._workers = WorkerPool(context, self._dispatcher, fetcher, self._robots, hook_chain)
        self._extraction = ExtractionPool(
            extractor, settings.extract_thread_from_bytes, settings.extract_process_from_bytes, clock
        )
        policy = OutcomePolicy(
            RetryPolicy(rules.retry), rules.scope, rules.key_rules, settings.max_redirects, self._mirrors, rng
        )
        link_filter = LinkFilter(settings.max_sitemap_depth, settings.recent_links, self._progress)
        self._recorder = Recorder(context, outputs, self._extraction, hook_chain, policy, link_filter, on_result)
        self._monitor = Monitor(context)
        # For fetchers that download a file in segments.
        self.connection_slots = ConnectionSlots(self.state, self._hosts, frontier_view, clock)

    def stop(self, reason: StopReason) -> None:
        """Ask for a clean end."""
        self.state.stop(reason)

    def robots_rule_against(self, request: Request) -> str | None:
        """The line of robots.txt that forbids `request`; None also while robots.txt is unknown."""
        decision = self._robots.check(request, None, self._clock.now())
        return decision.rule if isinstance(decision, Disallowed) else None

    def delay_of(self, host: str) -> float:
        """Seconds between requests to `host` at present."""
        return self._hosts.get_or_restore(host).delay_seconds

    def skip_for_unfetched(self, request: Request, stop: StopReason) -> Skip:
        """Why a request was not sent that is still queued after the run ended."""
        host, origin, now = request.url.host, request.url.origin, self._clock.now()
        gate = self._hosts.gates.peek(host)
        if stop.kind is StopKind.MAX_PAGES:
            reason, rule = "budget", f"limits.max_pages: {self._settings.max_pages}"
        elif origin in self.state.robots_unreachable:
            reason, rule = "robots_unreachable", f"robots.txt cannot be read: {self.state.robots_unreachable[origin]}"
        elif gate is not None and (given_up := gate.gave_up_reason_of(origin)):
            reason, rule = given_up, gate.wait_reason_of(origin, now) or given_up
        elif gate is not None and gate.long_wait(now):
            reason, rule = "deferred", gate.wait_reason(now)
        else:
            reason, rule = "waiting", f"the run ended before its turn: {stop.kind}"
        return Skip(request.url, request.parent, reason, rule)

    async def run(self, seeds: Sequence[Request], feed: AsyncIterator[Sequence[Request]] | None = None) -> StopReason:
        """Fetch `seeds`, what `feed` brings and what the frontier still holds; return why it ended.

        `feed` is read as its requests are needed; the run does not end before it does.

        Raises `SinkError` or `FrontierError` when outputs or state cannot be written; what was settled stays.
        """
        counts = await self._frontier.counts()
        self.state.pages_settled = sum(n for code, n in counts.outcomes.items() if counts_as_page(code))
        if (progress := counts.checkpoints.get(PROGRESS_CHECKPOINT)) is not None:
            self._progress.restore(progress)
        await self._frontier.add(seeds)
        stop = StopReason(StopKind.BUG, "the run ended without a reason")
        self.state.feed_open = feed is not None
        try:
            async with asyncio.TaskGroup() as group:
                recorder = group.create_task(self._recorder.run(), name="recorder")
                self._workers.start(group)
                monitor = group.create_task(self._monitor.run(), name="monitor")
                feeder = group.create_task(self._read_feed(feed), name="feeder")
                stop = await self._dispatcher.run()
                # In the direction of the data: nothing is put into a queue whose reader has ended.
                feeder.cancel()
                await self._wait_for_workers()
                self._workers.cancel()
                self._recorder.finish()
                await self._wait_for_recorder(recorder, stop)
                monitor.cancel()
        except* ScraperError as errors:
            # Any of them ends the run in the same way. The first is the cause; the others followed from it.
            raise _first_error(errors) from None
        finally:
            await self._extraction.aclose()
            await self._release_leases()
        self._bus.emit(CrawlEnded(self._clock.now(), stop.kind, stop.detail))
        return stop

    async def _read_feed(self, feed: AsyncIterator[Sequence[Request]] | None) -> None:
        """Queue the batches of `feed`, each when it is needed."""
        poll = self._settings.feed_poll_seconds
        try:
            if feed is not None:
                async for batch in feed:
                    requests = self._mirrors.reroute_new(batch)
                    await self._frontier.add(requests)
                    self._hosts.move_to_mirrors(requests)
                    self.state.dispatcher_wakeup.set()
                    poll = poll / 2 if await self._wait_until_feed_needed(poll) else self._settings.feed_poll_seconds
        finally:
            self.state.feed_open = False
            self.state.dispatcher_wakeup.set()

    async def _wait_until_feed_needed(self, poll: float) -> bool:
        """Return when the next batch is needed: False when few requests are queued, True when workers are idle.

        So a list of any length stays in its file and not in the queue, and slow hosts do not hold up what comes after
        them in the list. `poll` is the length of the first poll in seconds.
        """
        state = self.state
        state.leases_until_refill = max(0, self._frontier_view.depths().waiting - self._settings.feed_low_water)
        state.feed_needed.clear()
        while before := state.leases_until_refill:
            with suppress(TimeoutError):
                async with asyncio.timeout(poll):
                    await state.feed_needed.wait()
            taken = before - state.leases_until_refill
            if state.no_lease_available and taken < self._settings.min_leases_per_poll:
                state.leases_until_refill = 0
                return True
            poll = self._settings.feed_poll_seconds  # the workers are busy: no short polls
        return False

    async def _release_leases(self) -> None:
        """Return the leases that were not settled: the next session, or another process, takes them."""
        unsettled, self.state.unsettled = self.state.unsettled, {}
        if unsettled:
            # A frontier that cannot be written releases them by itself when it is opened again.
            with suppress(FrontierError):
                await self._frontier.settle([Settlement(lease, Release()) for lease in unsettled.values()])

    async def _wait_for_workers(self) -> None:
        """After a stop, wait for requests in flight, at most `shutdown_timeout` seconds.

        A resumed run repeats those that take longer.
        """
        state = self.state
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.shutdown_timeout):
                while state.in_flight or not state.jobs.empty():
                    state.dispatcher_wakeup.clear()
                    await state.dispatcher_wakeup.wait()

    async def _wait_for_recorder(self, recorder: asyncio.Task[None], stop: StopReason) -> None:
        """Wait until everything fetched is settled; after an interrupt at most `recorder_timeout` seconds.

        A page that takes long to extract, or a consumer that takes no more results, must not hold up an end that was
        asked for: a resumed run fetches again what is not settled by then.
        """
        timeout = None if stop.kind.is_final else self._settings.recorder_timeout
        await asyncio.wait([recorder], timeout=timeout)
        if not recorder.done():
            recorder.cancel()
            await asyncio.wait([recorder])


def _first_error(errors: BaseExceptionGroup[ScraperError]) -> ScraperError:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, ScraperError)
    return found
