"""The dispatcher: leases only for idle fetchers, asks the rules, and hands on what may be asked now.

It never waits for a host. A lease whose host must wait goes back with a date; a lease whose robots.txt is not known
becomes an errand for a fetcher while its host stays closed, which makes the robots.txt fetch single-flight without a
lock. Politeness is charged by the fetcher when the request starts, not here: charged at queueing, requests leave
closer together than promised when the loop is busy between the two.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from scraper.engine.robots_service import Allowed, Later, Refused, RobotsDesk, Unknown
from scraper.engine.run_context import Premises
from scraper.engine.run_state import FetchJob, Finding, Job, RobotsJob, Stop
from scraper.frontier.interface import NEVER, Drained, Granted, Wait
from scraper.model import Denied, ErrorKind, Lease, Release, Settlement

FILES_BELOW = -10
"""Entries with a priority below this are files: they are still fetched when the page budget is spent."""
SITEMAPS_BELOW = -9
"""And below this sitemaps too (`EngineSettings.all_sitemaps`)."""


class Dispatcher:
    """Feeds the fetchers until nothing is left to ask or the floor is told to stop."""

    def __init__(self, premises: Premises, robots: RobotsDesk) -> None:
        self._settings = premises.settings
        self._floor = premises.floor
        self._frontier = premises.frontier
        self._hosts = premises.hosts
        self._robots = robots
        self._clock = premises.clock
        self._ledger = premises.ledger
        self._detours = premises.detours
        self._returned: list[Settlement] = []
        self._denied: list[Finding] = []

    async def run(self) -> Stop:
        """Dispatch until the run ends; return why."""
        floor = self._floor
        while not floor.stopping.is_set():
            floor.wake.clear()
            await self._hand_over()
            room = floor.idle - floor.jobs.qsize()
            below = self._ceiling()
            if room <= 0:
                await floor.wake.wait()
                continue
            if below is None:
                room = min(room, self._page_budget())
            answer = await self._frontier.lease(room, self._clock.now(), below)
            match answer:
                case Granted(leases):
                    floor.starving = False
                    for lease in leases:
                        if (job := self._decide(lease)) is not None:
                            floor.jobs.put_nowait(job)
                    await self._hand_over()
                    # Now the fetchers start, and open their hosts again: asked before that, the frontier says "wait".
                    await self._clock.breathe()
                case Drained():
                    if not floor.taken and not floor.feeding:
                        return self._ended(below)
                    await self._wait_until(NEVER)
                case Wait(until):
                    if not floor.taken and not floor.feeding and (until == NEVER or self._only_given_up()):
                        return self._ended(below, "some hosts could not be asked: skipped.jsonl says which and why")
                    await self._wait_until(until)
        return floor.stop_reason or Stop("finished")

    def next_job(self) -> Job | None:
        """What a fetcher that has just finished may do next, if that is known at once; else it waits for its turn.

        What it takes here needs no other task to run: with files and small pages, handing work over costs as much
        as the work.
        """
        floor = self._floor
        if floor.stopping.is_set() or not floor.jobs.empty():
            return None
        below = self._ceiling()
        lease = self._frontier.lease_now(self._clock.now(), below)
        job = None if lease is None else self._decide(lease)
        if self._returned or self._denied:
            floor.wake.set()
        return job

    def next_of(self, host: str, now: float) -> FetchJob | None:
        """Another request to `host`, which may be asked at `now`, for the fetcher that has just ended one.

        Whoever takes it has charged its start already. It spares a busy host the way through the schedule, where it
        would be put in to be taken out at once; other hosts whose turn has come go first.
        """
        floor = self._floor
        if self._robots.needed or floor.stopping.is_set() or not floor.jobs.empty():
            return None
        lease = self._frontier.lease_again(host, now, self._ceiling())
        if lease is None:
            return None
        floor.took(lease)
        return FetchJob(lease, True)

    def _page_budget(self) -> int:
        limit = self._settings.max_pages
        if limit is None:
            return self._settings.concurrency
        return limit - self._floor.pages_settled - self._floor.pages_outstanding

    def _ceiling(self) -> int | None:
        """The priority below which may be leased: when the page budget is spent, only what does not count."""
        if self._settings.max_pages is None or self._page_budget() > 0:
            return None
        return SITEMAPS_BELOW if self._settings.all_sitemaps else FILES_BELOW

    def _ended(self, below: int | None, left: str = "") -> Stop:
        if below is not None:
            return Stop("max_pages", f"limits.max_pages: {self._settings.max_pages} reached")
        return Stop("finished", left)

    def _only_given_up(self) -> bool:
        """Whether all that waits belongs to hosts that cannot be reached: they are tried for as long as others work,
        but they do not keep the run open."""
        if not self._floor.unreachable:
            return False
        depths = self._ledger.depths()
        waiting = sum(self._ledger.waiting_at(host) for host in self._floor.unreachable)
        return depths.delayed == 0 and depths.waiting == waiting

    async def _wait_until(self, instant: float) -> None:
        floor = self._floor
        floor.starving = True
        floor.nudge(hungry=True)
        if instant == NEVER:  # most waits, and a timeout costs more than the rest of one
            await floor.wake.wait()
            return
        timeout = max(0.0, instant - self._clock.now())
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await floor.wake.wait()

    def _decide(self, lease: Lease) -> Job | None:
        """What a fetcher is to do about `lease`; None when it goes back or to the recorder."""
        floor, url = self._floor, lease.request.url
        now = self._clock.now()
        gate = self._hosts.enter(url.host, lease.notes, now)
        floor.took(lease)
        if (ready := gate.ready_at()) > now:  # a restored gate may know of a wait that the frontier does not
            self._robots.recall(lease.notes)  # notes come with a host's first lease only
            if lease.notes:
                self._detours.look_at(url.host)
            turned = self._detours.turn(lease) if gate.troubled(now) else None
            if turned is None:
                self._release(lease, ready)
            else:
                self._frontier.park(url.host, self._detours.instant(url.host, ready))
                self._returned.append(turned)
            return None
        verdict = self._robots.judge(lease.request, lease.notes, now)
        match verdict:
            case Allowed():
                return FetchJob(lease)
            case Unknown():
                return RobotsJob(lease)
            case Refused(rule):
                self._frontier.park(url.host, ready)
                self._denied.append(Finding(lease, Denied(lease.request, ErrorKind.ROBOTS, rule)))
            case Later(instant):
                self._release(lease, instant)
        return None

    def _release(self, lease: Lease, until: float) -> None:
        self._frontier.park(lease.request.url.host, until)
        self._returned.append(Settlement(lease, Release()))

    async def _hand_over(self) -> None:
        """What was decided without a fetch: denials go to the recorder, leases given back to the frontier."""
        denied, self._denied = self._denied, []
        for finding in denied:
            await self._floor.results.put(finding)
        if self._returned:
            returned, self._returned = self._returned, []
            await self._frontier.settle(returned)
            for settlement in returned:
                self._floor.gave(settlement.lease)
