"""The dispatcher: takes leases for idle workers, checks them against the rules, and hands out jobs.

It never waits for a host. A lease whose host must wait goes back to the frontier. A lease whose robots.txt is unknown
becomes a `RobotsJob` while its host stays closed, so robots.txt is fetched once without a lock. The worker, not the
dispatcher, counts the start of a request on its host: counted when it is queued, requests would leave closer together
than the rate allows whenever the loop is busy in between.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

from scraper.engine.robots_service import Allowed, Deferred, Disallowed, RobotsNeeded, RobotsService
from scraper.engine.run_context import RunContext
from scraper.engine.run_state import FetchJob, FetchResult, Job, RobotsJob, StopReason
from scraper.frontier.interface import NEVER, Drained, Granted, Wait
from scraper.model import Denied, ErrorKind, Lease, Priority, Release, Retry, Settlement, StopKind
from scraper.politeness.host_gate import HostGate
from scraper.rundir.layout import SKIPPED_FILE
from scraper.urls.progress import UrlProgress
from scraper.urls.traps import TrapSettings

# When the page budget is spent, only leases below this priority are taken: files, and with `all_sitemaps` sitemaps too.
FILES_ONLY_BELOW = int(Priority.SITEMAP)
SITEMAPS_TOO_BELOW = Priority.SITEMAP + 1
HOSTS_LEFT_DETAIL = f"some hosts could not be asked: {SKIPPED_FILE} says which and why"
# How long requests wait for the probe of their origin, when the other origin of their host keeps the host open.
PROBE_POLL_SECONDS = 5.0


class Dispatcher:
    """Hands out jobs until nothing is left to fetch or the run is told to stop."""

    def __init__(self, context: RunContext, robots: RobotsService, progress: UrlProgress | None = None) -> None:
        self._settings = context.settings
        self._state = context.state
        self._frontier = context.frontier
        self._frontier_view = context.frontier_view
        self._hosts = context.hosts
        self._mirrors = context.mirrors
        self._clock = context.clock
        self._robots = robots
        self._progress = progress or UrlProgress(TrapSettings(max_unproductive=None))
        # Decided without a fetch, not stored yet; see `_settle_undispatched`.
        self._released: list[Settlement] = []
        self._denied: list[FetchResult] = []
        # How many requests were put aside until which instant because their origin was given up, or has no robots.txt
        # that can be read, while the other origin of their host works. They do not keep the run open.
        self._put_aside_until: Counter[float] = Counter()

    async def run(self) -> StopReason:
        """Dispatch until the run ends; return why."""
        state = self._state
        while not state.stopping.is_set():
            # Cleared before looking: what happens from here on wakes the wait below.
            state.dispatcher_wakeup.clear()
            await self._settle_undispatched()
            if self._hosts.newly_unhealthy:
                await self._find_other_origins()
            wanted = state.free_slots - state.jobs.qsize()
            below = self._priority_limit()
            if wanted <= 0:
                await state.dispatcher_wakeup.wait()
                continue
            if below is None:
                wanted = min(wanted, self._page_budget())
            # Three cases: leases, an empty frontier, or requests that must wait.
            # In the last two the run ends when nothing is leased and the feed is closed: nothing can be added then.
            match await self._frontier.lease(wanted, self._clock.now(), below):
                case Granted(leases):
                    state.no_lease_available = False
                    for lease in leases:
                        if (job := self._job_for(lease)) is not None:
                            state.jobs.put_nowait(job)
                    await self._settle_undispatched()
                    # The workers start now and reopen their hosts; before that the frontier would only say "wait".
                    await self._clock.yield_to_loop()
                case Drained():
                    if self._nothing_outstanding():
                        return self._end_reason(below)
                    await self._wait_until(NEVER)
                case Wait(until):
                    if self._nothing_outstanding() and (until == NEVER or self._only_unreachable_hosts_left()):
                        # Requests for an origin that works may have come in since its host got into trouble.
                        if await self._find_other_origins(again=True):
                            continue
                        return self._end_reason(below, HOSTS_LEFT_DETAIL)
                    await self._wait_until(until)
        return state.stop_reason or StopReason(StopKind.FINISHED)

    def next_job(self) -> Job | None:
        """A job for a worker that has just finished, if one is known without I/O; else it waits in line.

        No other task has to run for it: with files and small pages, a hand-over between tasks costs as much as the
        work itself.
        """
        state = self._state
        if state.stopping.is_set() or not state.jobs.empty():
            return None
        lease = self._frontier.try_lease(self._clock.now(), self._priority_limit())
        job = None if lease is None else self._job_for(lease)
        if self._released or self._denied:
            state.dispatcher_wakeup.set()
        return job

    def next_for_host(self, host: str, now: float) -> FetchJob | None:
        """Another request to `host`, which may be requested at `now`; the caller counts its start.

        Spares a busy host the way through the schedule, from which it would be popped again at once. None when another
        host is due.
        """
        state = self._state
        if self._robots.enabled or state.stopping.is_set() or not state.jobs.empty():
            return None
        lease = self._frontier.try_lease_same_host(host, now, self._priority_limit())
        if lease is None:
            return None
        state.lease_taken(lease)
        if (rule := self._progress.rule_against_queued(lease.request)) is not None:
            self._denied.append(FetchResult(lease, Denied(lease.request, ErrorKind.TRAP, rule)))
            state.dispatcher_wakeup.set()
            return None
        return FetchJob(lease, True)

    def _nothing_outstanding(self) -> bool:
        return not self._state.unsettled and not self._state.feed_open

    def _page_budget(self) -> int:
        """Pages that may still be leased. Unsettled ones count, so that the limit is never exceeded."""
        limit = self._settings.max_pages
        if limit is None:
            return self._settings.concurrency
        return limit - self._state.pages_settled - self._state.pages_leased

    def _priority_limit(self) -> int | None:
        """The priority below which requests may be leased; None while the page budget lasts."""
        if self._settings.max_pages is None or self._page_budget() > 0:
            return None
        return SITEMAPS_TOO_BELOW if self._settings.all_sitemaps else FILES_ONLY_BELOW

    def _end_reason(self, below: int | None, detail: str = "") -> StopReason:
        if below is not None:
            return StopReason(StopKind.MAX_PAGES, f"limits.max_pages: {self._settings.max_pages} reached")
        return StopReason(StopKind.FINISHED, detail)

    def _only_unreachable_hosts_left(self) -> bool:
        """Whether everything queued is for hosts whose robots.txt cannot be read, or that asked for a very long wait.

        They are tried as long as other hosts have work, but do not keep the run open.
        """
        now, gates = self._clock.now(), self._hosts.gates
        hosts = {host for host in self._hosts.long_waits if (gate := gates.peek(host)) and gate.long_wait(now)}
        for origin in self._state.robots_unreachable:
            host = origin.partition("://")[2]
            gate = gates.peek(host)
            if gate is None or not gate.is_mixed:  # on a mixed host such requests are put aside one by one
                hosts.add(host)
        for instant in [instant for instant in self._put_aside_until if instant <= now]:  # these are queued again
            del self._put_aside_until[instant]
        if not hosts and not self._put_aside_until:
            return False
        depths = self._frontier_view.depths()
        if depths.delayed != self._put_aside_until.total():
            return False
        return depths.waiting == sum(map(self._frontier_view.count_queued, hosts))

    async def _find_other_origins(self, *, again: bool = False) -> bool:
        """Let requests go on whose origin works, on hosts whose other origin is in trouble; whether there are any.

        Only hosts that got into trouble since the last call; with `again` all of them.
        """
        hosts, found = self._hosts, False
        hosts.unhealthy |= hosts.newly_unhealthy
        looked_at = set(hosts.unhealthy) if again else set(hosts.newly_unhealthy)
        hosts.newly_unhealthy.clear()
        for host in looked_at:
            gate = hosts.gates.peek(host)
            if gate is None or gate.is_mixed or not gate.origin:
                continue
            if await self._frontier_view.has_other_origin(host, gate.origin):
                found = True
                hosts.unhealthy.discard(host)
                gate.expect_other_origin()
                hosts.hold(gate)
        return found

    async def _wait_until(self, instant: float) -> None:
        state = self._state
        state.no_lease_available = True
        state.request_flush(if_idle=True)
        if instant == NEVER:  # the usual wait; a timeout would cost more than all the rest of it
            await state.dispatcher_wakeup.wait()
            return
        timeout = max(0.0, instant - self._clock.now())
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await state.dispatcher_wakeup.wait()

    def _job_for(self, lease: Lease) -> Job | None:
        """The job that `lease` becomes; None when it goes back to the frontier, or to the recorder as denied."""
        url, now = lease.request.url, self._clock.now()
        gate = self._hosts.get_or_restore(url.host, lease.host_state, now)
        self._state.lease_taken(lease)
        if url.origin != gate.origin:
            gate.meet(url.origin)
        # 1. The host must wait after all: a restored gate may know of a wait that the frontier does not know.
        if (ready := gate.ready_at()) > now:
            if lease.host_state:  # comes with the host's first lease only, and this one goes back
                self._robots.restore(lease.host_state)
                self._mirrors.rescan(url.host)
                self._hosts.note_trouble(gate, now)
            self._put_back(lease, gate, ready)
            return None
        # Or its origin must, while the other one keeps the host open.
        if gate.is_mixed and (healthy := gate.origin_ready_at(url.origin)) > now:
            self._put_aside(lease, gate, healthy)
            return None
        # 2. Its pattern was closed since it was queued.
        if (trap := self._progress.rule_against_queued(lease.request)) is not None:
            if lease.host_state:  # comes with the host's first lease only
                self._robots.restore(lease.host_state)
            self._hosts.hold(gate, ready)
            self._denied.append(FetchResult(lease, Denied(lease.request, ErrorKind.TRAP, trap)))
            return None
        match self._robots.check(lease.request, lease.host_state, now):
            # 3. It may be fetched.
            case Allowed():
                return FetchJob(lease)
            # 4. First its robots.txt. The host stays closed, so no second job is made for it.
            case RobotsNeeded():
                return RobotsJob(lease)
            # 5. It may never be fetched: the recorder writes the skip.
            case Disallowed(rule):
                self._hosts.hold(gate, ready)
                self._denied.append(FetchResult(lease, Denied(lease.request, ErrorKind.ROBOTS, rule)))
            # 6. Not before robots.txt can be read.
            case Deferred(until) if gate.is_mixed:
                self._put_aside(lease, gate, until)
            case Deferred(until):
                self._put_back(lease, gate, until)
        return None

    def _put_aside(self, lease: Lease, gate: HostGate, until: float) -> None:
        """Let a request wait by itself for its origin: the host goes on with those of its other origin."""
        self._hosts.hold(gate)
        request = self._mirrors.mirror_for(lease.request)
        if request is not None:
            self._released.append(Settlement(lease, Retry(self._clock.now(), request)))
            return
        origin = lease.request.url.origin
        if until == NEVER and not gate.gave_up_reason_of(origin):
            until = self._clock.now() + PROBE_POLL_SECONDS
        if until == NEVER or origin in self._state.robots_unreachable:
            self._put_aside_until[until] += 1
        self._released.append(Settlement(lease, Retry(until, lease.request)))

    def _put_back(self, lease: Lease, gate: HostGate, until: float) -> None:
        # Rerouted before the host is held: the last request of a scan ends it, and the host is closed again.
        rerouted = self._mirrors.reroute_leased(lease)
        self._hosts.hold(gate, until)
        self._released.append(rerouted or Settlement(lease, Release()))

    async def _settle_undispatched(self) -> None:
        """Send denied leases to the recorder, and the others that became no job back to the frontier."""
        denied, self._denied = self._denied, []
        for result in denied:
            await self._state.results.put(result)
        if self._released:
            released, self._released = self._released, []
            await self._frontier.settle(released)
            for settlement in released:
                self._state.lease_settled(settlement.lease)
