"""The fetchers and their supervisor.

A fetcher is a task that takes one job after the other; it never sleeps for politeness and never retries. What it
cannot foresee (a hook that raises, a bug) ends that one fetcher: its URL gets a record, and the supervisor puts a new
fetcher in its place. Too many such deaths in a row mean that something is wrong with the run itself: it then stops
cleanly with its state saved.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from scraper.engine.dispatcher import Dispatcher
from scraper.engine.hook_chain import HookChain
from scraper.engine.robots_service import RobotsService
from scraper.engine.run_context import RunContext
from scraper.engine.run_state import FetchJob, FetchResult, Job, StopReason
from scraper.errors import ScraperError
from scraper.events import Event, FetcherReplaced, FetchFinished, FetchStarted
from scraper.fetch.interface import Fetcher
from scraper.model import Denied, ErrorKind, Failure, Lease, Outcome, Release, Response, Settlement
from scraper.politeness.host_gate import HostGate

log = logging.getLogger("scraper.engine")


class WorkerPool:
    """N fetcher tasks under one supervisor, all children of the run's TaskGroup."""

    def __init__(
        self, premises: RunContext, dispatcher: Dispatcher, fetcher: Fetcher, robots: RobotsService, hooks: HookChain
    ) -> None:
        self._settings = premises.settings
        self._state = premises.state
        self._frontier = premises.frontier
        self._fetcher = fetcher
        self._hosts = premises.hosts
        self._robots = robots
        self._hooks = hooks
        self._bus = premises.bus
        self._clock = premises.clock
        self._mirrors = premises.mirrors
        self._dice = premises.dice
        self._dispatcher = dispatcher
        self._consecutive_crashes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._task_group: asyncio.TaskGroup | None = None

    def start(self, group: asyncio.TaskGroup) -> None:
        """Put `concurrency` fetchers to work as children of `group`."""
        self._task_group = group
        for number in range(self._settings.concurrency):
            self._spawn(f"fetcher-{number:02d}")

    def cancel(self) -> None:
        """Send the fetchers home; what they were at work on is given back to the frontier."""
        for task in self._tasks:
            task.cancel()

    def _spawn(self, name: str) -> None:
        assert self._task_group is not None
        task = self._task_group.create_task(self._run_worker(name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_worker(self, name: str) -> None:
        floor, job = self._state, None
        while True:
            job = job or self._dispatcher.next_job() or await self._wait_for_job()
            lease = job.lease
            floor.in_flight[lease.id] = lease
            try:
                job = await (self._fetch(job, name) if isinstance(job, FetchJob) else self._read_robots(lease))
                self._consecutive_crashes = 0
            except ScraperError:
                raise
            except Exception as error:  # noqa: BLE001  a hook, an odd page, a bug: this fetcher is replaced, the run goes on
                await self._record_crash(name, lease, error)
                return
            finally:
                floor.in_flight.pop(lease.id, None)

    async def _wait_for_job(self) -> Job:
        floor = self._state
        floor.free_slots += 1
        floor.dispatcher_wakeup.set()
        try:
            return await floor.jobs.get()
        finally:
            floor.free_slots -= 1

    async def _read_robots(self, lease: Lease) -> None:
        notes = await self._robots.fetch(lease)
        await self._frontier.settle([Settlement(lease, Release())], None, notes)
        self._state.lease_settled(lease)

    async def _fetch(self, job: FetchJob, name: str) -> FetchJob | None:
        """Fetch and hand over to the recorder; return the next job, when it is known already."""
        lease, charged = job
        request, bus, clock = lease.request, self._bus, self._clock
        host = request.url.host
        gate = self._hosts.get_or_restore(host, None)
        if self._hooks.has_on_request:
            changed = await self._hooks.on_request(request)
            if changed is None:
                self._frontier.park(host, gate.ready_at())
                await self._send_to_recorder(lease, Denied(request, ErrorKind.OTHER, "hooks.on_request"))
                return None
            # A hook may change how we ask, not what is asked: the entry's identity and host stay its own.
            request = replace(
                changed, url=request.url, content=request.content, failed_attempts=request.failed_attempts
            )
        started = clock.now()
        if not charged:
            self._frontier.park(host, self._mirrors.release_time(host, gate.on_start(started)))
            self._state.wake_dispatcher()
        if bus.listening:
            bus.emit(FetchStarted(started, request.url.href, host, request.attempt, name))
        try:
            outcome = await self._fetcher.fetch(request)
        except BaseException:
            # Also when the fetch was cancelled or died: a gate that never hears of the end would count it for ever.
            given_up = Failure(request, ErrorKind.OTHER, "given up", started_at=started, permanent=True)
            self._finish_on_host(gate, given_up, clock.now())
            self._unpark(gate, gate.ready_at())
            raise
        now = clock.now()
        news = self._finish_on_host(gate, outcome, now)
        if bus.listening:
            for event in news:
                bus.emit(event)
            bus.emit(finished_event(outcome, now, host))
        try:
            self._state.results.put_nowait(FetchResult(lease, outcome))
        except asyncio.QueueFull:
            self._unpark(gate, gate.ready_at())
            await self._send_to_recorder(lease, outcome)
            return None
        # Nothing is waited for from here to the next request: what is charged now starts now.
        return self._next_on_same_host(gate, now)

    async def _send_to_recorder(self, lease: Lease, outcome: Outcome) -> None:
        await self._state.results.put(FetchResult(lease, outcome))

    def _finish_on_host(self, gate: HostGate, outcome: Outcome, now: float) -> tuple[Event, ...]:
        news = gate.on_finish(outcome, now, self._dice.rng, self._dice.loop_lag)
        if news:
            self._mirrors.on_events(gate.host, news)
        return news

    def _next_on_same_host(self, gate: HostGate, now: float) -> FetchJob | None:
        """The next request to the same host, its start charged, or None; either way the host is open when it may be."""
        ready, following = gate.ready_at(), None
        if ready <= now and not self._hooks.has_on_request:  # a hook may refuse what was charged
            following = self._dispatcher.next_for_host(gate.host, now)
            if following is not None:
                ready = gate.on_start(now)
        self._unpark(gate, ready)
        return following

    def _unpark(self, gate: HostGate, ready: float) -> None:
        self._frontier.park(gate.host, self._mirrors.release_time(gate.host, ready))
        self._state.wake_dispatcher()

    async def _record_crash(self, name: str, lease: Lease, error: Exception) -> None:
        """Record the death of a fetcher on the URL that caused it, and hire another one."""
        log.error("%s died on %s", name, lease.request.url.href, exc_info=error)
        self._consecutive_crashes += 1
        request = lease.request
        detail = f"{type(error).__name__}: {error}"
        self._bus.emit(FetcherReplaced(self._clock.now(), name, request.url.href, detail))
        failure = Failure(request, ErrorKind.OTHER, detail, started_at=self._clock.now(), permanent=True)
        gate = self._hosts.get_or_restore(request.url.host, None)
        self._frontier.park(request.url.host, gate.ready_at())
        await self._state.results.put(FetchResult(lease, failure))
        if self._consecutive_crashes >= self._settings.max_consecutive_crashes:
            self._state.stop(
                StopReason("bug", f"{self._consecutive_crashes} fetchers died in a row; the last of {detail}")
            )
        else:
            self._spawn(name)


def finished_event(outcome: Outcome, now: float, host: str) -> FetchFinished:
    """The event that tells how a fetch ended."""
    request = outcome.request
    match outcome:
        case Response(status=status, elapsed=elapsed, body=body):
            error, detail, size = ("http" if status >= 400 else None), "", body.wire_size
        case Failure(status=status, error=kind, detail=detail, elapsed=elapsed, received=size):
            error = str(kind)
        case Denied(reason=reason, rule=detail):
            status, error, elapsed, size = None, str(reason), 0.0, 0
        case _:
            status, error, detail, elapsed, size = 304, None, "", outcome.elapsed, 0
    return FetchFinished(now, request.url.href, host, status, error, detail, elapsed, size, request.kind)
