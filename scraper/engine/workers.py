"""The workers and their supervisor.

A worker is a task that does one job after the other; it never sleeps for politeness and never retries. An error it
cannot foresee (a hook that raises, a bug) ends that one worker: its URL gets a record, and a new worker takes its
place. Too many such crashes in a row mean that something is wrong with the run itself: it then stops cleanly with its
state saved.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from scraper.engine.dispatcher import Dispatcher
from scraper.engine.hook_chain import HookChain, is_cancellation_of
from scraper.engine.robots_service import RobotsService
from scraper.engine.run_context import RunContext
from scraper.engine.run_state import FetchJob, FetchResult, Job, StopReason
from scraper.errors import ScraperError
from scraper.events import FetcherReplaced, FetchFinished, FetchStarted
from scraper.fetch.interface import Fetcher
from scraper.model import Denied, ErrorKind, Failure, Lease, Outcome, Release, Request, Response, Settlement, StopKind
from scraper.politeness.host_gate import HostGate

log = logging.getLogger("scraper.engine")


class WorkerPool:
    """`EngineSettings.concurrency` worker tasks under one supervisor, all children of the run's TaskGroup."""

    def __init__(
        self, context: RunContext, dispatcher: Dispatcher, fetcher: Fetcher, robots: RobotsService, hooks: HookChain
    ) -> None:
        self._settings = context.settings
        self._state = context.state
        self._frontier = context.frontier
        self._hosts = context.hosts
        self._bus = context.bus
        self._clock = context.clock
        self._dispatcher = dispatcher
        self._fetcher = fetcher
        self._robots = robots
        self._hooks = hooks
        self._consecutive_crashes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._task_group: asyncio.TaskGroup | None = None

    def start(self, group: asyncio.TaskGroup) -> None:
        """Start the workers as children of `group`."""
        self._task_group = group
        for number in range(self._settings.concurrency):
            self._spawn(f"fetcher-{number:02d}")

    def cancel(self) -> None:
        """Cancel all workers; `Engine` releases their leases."""
        for task in self._tasks:
            task.cancel()

    def _spawn(self, name: str) -> None:
        assert self._task_group is not None
        task = self._task_group.create_task(self._run_worker(name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_worker(self, name: str) -> None:
        state, job, task = self._state, None, asyncio.current_task()
        while True:
            job = job or self._dispatcher.next_job() or await self._wait_for_job()
            lease = job.lease
            state.in_flight[lease.id] = lease
            try:
                job = await (self._fetch(job, name) if isinstance(job, FetchJob) else self._fetch_robots(lease))
                self._consecutive_crashes = 0
            except (ScraperError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                # A CancelledError that nobody asked for (user code awaited a cancelled future) is a crash like any
                # other. Let through, it would end this worker alone, and the run would wait for its lease for ever.
                if not isinstance(error, Exception) and is_cancellation_of(task):
                    raise
                await self._record_crash(name, lease, error)
                return
            finally:
                state.in_flight.pop(lease.id, None)

    async def _wait_for_job(self) -> Job:
        state = self._state
        state.free_slots += 1
        state.dispatcher_wakeup.set()
        try:
            return await state.jobs.get()
        finally:
            state.free_slots -= 1

    async def _fetch_robots(self, lease: Lease) -> None:
        host_state = await self._robots.fetch(lease)
        await self._frontier.settle([Settlement(lease, Release())], None, host_state)
        self._state.lease_settled(lease)

    async def _fetch(self, job: FetchJob, name: str) -> FetchJob | None:
        """Fetch, and send the outcome to the recorder; return the next job if it is known already."""
        lease, charged = job
        request, bus, clock = lease.request, self._bus, self._clock
        host = request.url.host
        gate = self._hosts.get_or_restore(host)
        if self._hooks.has_on_request:
            changed = await self._changed_by_hooks(request)
            if changed is None:
                self._hosts.hold(gate)
                await self._state.results.put(FetchResult(lease, Denied(request, ErrorKind.OTHER, "hooks.on_request")))
                return None
            request = changed
        started = clock.now()
        if not charged:
            self._hosts.start(gate, started, request.url.origin)
            self._state.wake_dispatcher()
        if bus.listening:
            bus.emit(FetchStarted(started, request.url.href, host, request.attempt, name))
        try:
            outcome = await self._fetcher.fetch(request)
        except BaseException:
            # Also when the fetch was cancelled or crashed: the gate would count the request as in flight for ever.
            given_up = Failure(request, ErrorKind.OTHER, "given up", started_at=started, permanent=True)
            self._hosts.finish(gate, given_up, clock.now())
            self._state.wake_dispatcher()
            raise
        now = clock.now()
        self._hosts.finish(gate, outcome, now, reopen=False)
        if bus.listening:
            bus.emit(finished_event(outcome, now, host))
        try:
            self._state.results.put_nowait(FetchResult(lease, outcome))
        except asyncio.QueueFull:
            self._hosts.hold(gate)
            self._state.wake_dispatcher()
            await self._state.results.put(FetchResult(lease, outcome))
            return None
        # Nothing is awaited between here and the next request: what is counted as started now does start now.
        return self._next_on_same_host(gate, now)

    async def _changed_by_hooks(self, request: Request) -> Request | None:
        """`request` as the hooks want it sent, or None.

        A hook may change how it is sent, not what is requested: URL and content identify the queue entry.
        """
        changed = await self._hooks.on_request(request)
        if changed is None:
            return None
        return replace(changed, url=request.url, content=request.content, failed_attempts=request.failed_attempts)

    def _next_on_same_host(self, gate: HostGate, now: float) -> FetchJob | None:
        """The next request to the host, counted as started, or None; either way the host is parked again."""
        ready, job = gate.ready_at(), None
        # A hook may refuse what was counted already, and of two origins one may be in trouble.
        if ready <= now and not self._hooks.has_on_request and not gate.is_mixed:
            job = self._dispatcher.next_for_host(gate.host, now)
        if job is None:
            self._hosts.hold(gate, ready)
        else:
            self._hosts.start(gate, now, job.lease.request.url.origin)
        self._state.wake_dispatcher()
        return job

    async def _record_crash(self, name: str, lease: Lease, error: BaseException) -> None:
        """Record the crash as a failure of its URL, and start a replacement worker."""
        log.error("%s died on %s", name, lease.request.url.href, exc_info=error)
        self._consecutive_crashes += 1
        request = lease.request
        detail = f"{type(error).__name__}: {error}"
        self._bus.emit(FetcherReplaced(self._clock.now(), name, request.url.href, detail))
        failure = Failure(request, ErrorKind.OTHER, detail, started_at=self._clock.now(), permanent=True)
        self._hosts.hold(self._hosts.get_or_restore(request.url.host))
        await self._state.results.put(FetchResult(lease, failure))
        if self._consecutive_crashes >= self._settings.max_consecutive_crashes:
            crashes = self._consecutive_crashes
            self._state.stop(StopReason(StopKind.BUG, f"{crashes} workers crashed in a row; the last with {detail}"))
        else:
            self._spawn(name)


def finished_event(outcome: Outcome, now: float, host: str) -> FetchFinished:
    """The event `fetch_finished` for `outcome`."""
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
