"""The dispatcher: leases only for idle fetchers, asks the rules, and hands on what may be asked now.

It never waits for a host. A lease whose host must wait goes back with a date; a lease whose robots.txt is not known
becomes an errand for a fetcher while its host stays closed, which makes the robots.txt fetch single-flight without a
lock. Politeness is charged by the fetcher when the request starts, not here: charged at queueing, requests leave
closer together than promised when the loop is busy between the two.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from scraper.engine.robots_service import Allowed, Deferred, Disallowed, RobotsNeeded, RobotsService
from scraper.engine.run_context import RunContext
from scraper.engine.run_state import FetchJob, FetchResult, Job, RobotsJob, StopReason
from scraper.frontier.interface import NEVER, Drained, Granted, Wait
from scraper.model import Denied, ErrorKind, Lease, Release, Settlement
from scraper.rundir.layout import SKIPPED_FILE

FILES_BELOW = -10
"""Entries with a priority below this are files: they are still fetched when the page budget is spent."""
SITEMAPS_BELOW = -9
"""And below this sitemaps too (`EngineSettings.all_sitemaps`)."""


class Dispatcher:
    """Feeds the fetchers until nothing is left to ask or the floor is told to stop."""

    def __init__(self, premises: RunContext, robots: RobotsService) -> None:
        self._settings = premises.settings
        self._state = premises.state
        self._frontier = premises.frontier
        self._hosts = premises.hosts
        self._robots = robots
        self._clock = premises.clock
        self._frontier_view = premises.frontier_view
        self._mirrors = premises.mirrors
        self._released: list[Settlement] = []
        self._denied: list[FetchResult] = []

    async def run(self) -> StopReason:
        """Dispatch until the run ends; return why."""
        floor = self._state
        while not floor.stopping.is_set():
            floor.dispatcher_wakeup.clear()
            await self._settle_undispatched()
            room = floor.free_slots - floor.jobs.qsize()
            below = self._priority_limit()
            if room <= 0:
                await floor.dispatcher_wakeup.wait()
                continue
            if below is None:
                room = min(room, self._page_budget())
            answer = await self._frontier.lease(room, self._clock.now(), below)
            match answer:
                case Granted(leases):
                    floor.no_lease_available = False
                    for lease in leases:
                        if (job := self._job_for(lease)) is not None:
                            floor.jobs.put_nowait(job)
                    await self._settle_undispatched()
                    # Now the fetchers start, and open their hosts again: asked before that, the frontier says "wait".
                    await self._clock.yield_to_loop()
                case Drained():
                    if not floor.unsettled and not floor.feed_open:
                        return self._end_reason(below)
                    await self._wait_until(NEVER)
                case Wait(until):
                    if (
                        not floor.unsettled
                        and not floor.feed_open
                        and (until == NEVER or self._only_unreachable_hosts_left())
                    ):
                        return self._end_reason(
                            below, f"some hosts could not be requested: {SKIPPED_FILE} says which and why"
                        )
                    await self._wait_until(until)
        return floor.stop_reason or StopReason("finished")

    def next_job(self) -> Job | None:
        """What a fetcher that has just finished may do next, if that is known at once; else it waits for its turn.

        What it takes here needs no other task to run: with files and small pages, handing work over costs as much
        as the work.
        """
        floor = self._state
        if floor.stopping.is_set() or not floor.jobs.empty():
            return None
        below = self._priority_limit()
        lease = self._frontier.try_lease(self._clock.now(), below)
        job = None if lease is None else self._job_for(lease)
        if self._released or self._denied:
            floor.dispatcher_wakeup.set()
        return job

    def next_for_host(self, host: str, now: float) -> FetchJob | None:
        """Another request to `host`, which may be asked at `now`, for the fetcher that has just ended one.

        Whoever takes it has charged its start already. It spares a busy host the way through the schedule, where it
        would be put in to be taken out at once; other hosts whose turn has come go first.
        """
        floor = self._state
        if self._robots.enabled or floor.stopping.is_set() or not floor.jobs.empty():
            return None
        lease = self._frontier.try_lease_same_host(host, now, self._priority_limit())
        if lease is None:
            return None
        floor.lease_taken(lease)
        return FetchJob(lease, True)

    def _page_budget(self) -> int:
        limit = self._settings.max_pages
        if limit is None:
            return self._settings.concurrency
        return limit - self._state.pages_settled - self._state.pages_leased

    def _priority_limit(self) -> int | None:
        """The priority below which may be leased: when the page budget is spent, only what does not count."""
        if self._settings.max_pages is None or self._page_budget() > 0:
            return None
        return SITEMAPS_BELOW if self._settings.all_sitemaps else FILES_BELOW

    def _end_reason(self, below: int | None, left: str = "") -> StopReason:
        if below is not None:
            return StopReason("max_pages", f"limits.max_pages: {self._settings.max_pages} reached")
        return StopReason("finished", left)

    def _only_unreachable_hosts_left(self) -> bool:
        """Whether all that waits belongs to hosts that cannot be reached: they are tried for as long as others work,
        but they do not keep the run open."""
        if not self._state.robots_unreachable:
            return False
        depths = self._frontier_view.depths()
        waiting = sum(self._frontier_view.count_queued(host) for host in self._state.robots_unreachable)
        return depths.delayed == 0 and depths.waiting == waiting

    async def _wait_until(self, instant: float) -> None:
        floor = self._state
        floor.no_lease_available = True
        floor.request_flush(if_idle=True)
        if instant == NEVER:  # most waits, and a timeout costs more than the rest of one
            await floor.dispatcher_wakeup.wait()
            return
        timeout = max(0.0, instant - self._clock.now())
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await floor.dispatcher_wakeup.wait()

    def _job_for(self, lease: Lease) -> Job | None:
        """What a fetcher is to do about `lease`; None when it goes back or to the recorder."""
        floor, url = self._state, lease.request.url
        now = self._clock.now()
        gate = self._hosts.get_or_restore(url.host, lease.host_state, now)
        floor.lease_taken(lease)
        if (ready := gate.ready_at()) > now:  # a restored gate may know of a wait that the frontier does not
            self._robots.restore(lease.host_state)  # notes come with a host's first lease only
            if lease.host_state:
                self._mirrors.rescan(url.host)
            turned = self._mirrors.reroute_leased(lease) if gate.is_unhealthy(now) else None
            if turned is None:
                self._release(lease, ready)
            else:
                self._frontier.park(url.host, self._mirrors.release_time(url.host, ready))
                self._released.append(turned)
            return None
        verdict = self._robots.check(lease.request, lease.host_state, now)
        match verdict:
            case Allowed():
                return FetchJob(lease)
            case RobotsNeeded():
                return RobotsJob(lease)
            case Disallowed(rule):
                self._frontier.park(url.host, ready)
                self._denied.append(FetchResult(lease, Denied(lease.request, ErrorKind.ROBOTS, rule)))
            case Deferred(instant):
                self._release(lease, instant)
        return None

    def _release(self, lease: Lease, until: float) -> None:
        self._frontier.park(lease.request.url.host, until)
        self._released.append(Settlement(lease, Release()))

    async def _settle_undispatched(self) -> None:
        """What was decided without a fetch: denials go to the recorder, leases given back to the frontier."""
        denied, self._denied = self._denied, []
        for finding in denied:
            await self._state.results.put(finding)
        if self._released:
            returned, self._released = self._released, []
            await self._frontier.settle(returned)
            for settlement in returned:
                self._state.lease_settled(settlement.lease)
