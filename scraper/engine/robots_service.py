"""robots.txt at work: what may be asked, and the errand that reads the file.

The dispatcher asks `judge` about every lease. When the origin's robots.txt is not known (or no longer good), a fetcher
runs the errand while the host stays closed in the frontier: so there is one request for it, whatever the concurrency,
and no lock. The lease that caused it goes back and is judged again. RFC 9309.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from scraper.engine.host_registry import GATE_NOTE
from scraper.engine.redirects import is_redirect, next_hop
from scraper.engine.run_context import Premises
from scraper.events import RobotsFetched
from scraper.fetch.interface import Fetcher
from scraper.frontier.interface import NEVER
from scraper.model import ErrorKind, Failure, Lease, Outcome, OutOfScope, Page, Request, Url
from scraper.politeness.host_gate import HostGate
from scraper.politeness.retry_after import wait_for
from scraper.politeness.robots_cache import RobotsBook, RobotsEntry
from scraper.urls.canonicalize import Base, canonicalise

NOTE_PREFIX = "robots "
MAX_HOPS = 5
"""Redirects followed for a robots.txt: RFC 9309 section 2.3.1.2."""
MAX_SITEMAPS = 1000
"""Sitemap lines of one robots.txt that are looked at."""
USUAL_PLACES = ("/sitemap.xml", "/sitemap_index.xml", "/sitemap.txt")
SITEMAP_PRIORITY = -10
SOONER = (5.0, 30.0)
"""Seconds until the second and the third try of an unreachable robots.txt; after that its own, longer schedule."""
BOOK_LIMIT = 50_000
"""Origins whose robots.txt is kept in memory; others are read again from the notes or the web."""


class Allowed(NamedTuple):
    """It may be asked for now."""


class Unknown(NamedTuple):
    """robots.txt must be read first."""


class Refused(NamedTuple):
    """robots.txt forbids it: the deciding line."""

    rule: str


class Later(NamedTuple):
    """Not before `instant` (epoch seconds)."""

    instant: float


Judgement = Allowed | Unknown | Refused | Later
_ALLOWED = Allowed()


class RobotsDesk:
    """Knows the robots.txt of every origin at work, and fetches those it does not know."""

    def __init__(self, premises: Premises, fetcher: Fetcher) -> None:
        self._settings = premises.settings
        self._robots = premises.rules.robots
        self._keys = premises.rules.keys
        self._floor = premises.floor
        self._fetcher = fetcher
        self._frontier = premises.frontier
        self._ledger = premises.ledger
        self._hosts = premises.hosts
        self._bus = premises.bus
        self._clock = premises.clock
        self._dice = premises.dice
        self._book = RobotsBook(BOOK_LIMIT)
        self.needed = self._robots.robots == "obey" or self._settings.sitemaps
        """Whether there is anything to judge."""

    def judge(self, request: Request, notes: Mapping[str, str] | None, now: float) -> Judgement:
        """Whether `request` may be asked for; `notes` are those of its lease."""
        if not self.needed:
            return _ALLOWED
        self.recall(notes)
        entry = self._book.get(request.url.origin, now)
        if entry is None:
            return Unknown()
        verdict = entry.judge(request.url.target)
        match verdict.decision:
            case "allow":
                return _ALLOWED
            case "deny":
                return Refused(verdict.rule)
            case "defer":
                return Later(entry.expires_at)

    def recall(self, notes: Mapping[str, str] | None) -> None:
        """Take over what earlier sessions knew of a host's robots.txt; `notes` are those of a lease."""
        for name, note in (notes or {}).items():
            if name.startswith(NOTE_PREFIX) and (known := RobotsEntry.from_note(note, self._robots.token)):
                # An unreachable robots.txt of an earlier session is tried again at once.
                self._book.put(name[len(NOTE_PREFIX) :], _expired(known) if known.kind == "unreachable" else known)

    async def run(self, lease: Lease) -> dict[str, dict[str, str]]:
        """Read the robots.txt that `lease` needs; return the notes to store, by host.

        The host is closed while this runs; it is open again from the instant its gate says when it returns.
        """
        url = lease.request.url
        gate = self._hosts.enter(url.host, None)
        place = canonicalise("/robots.txt", Base.of(url))
        assert isinstance(place, Url), "an origin that was canonical stays so"
        outcome = await self._ask_along(Request(place, kind="robots", depth=0))
        content = None
        if isinstance(outcome, Page) and outcome.body.path is not None:
            content = await asyncio.to_thread(outcome.body.read)
            outcome.body.discard()
        now = self._clock.now()
        previous = self._book.previous(url.origin)
        entry = RobotsEntry.from_outcome(outcome, now, self._robots, previous, content)
        entry = _sooner(entry, outcome, now)
        self._book.put(url.origin, entry)
        self._tell(lease, gate, entry, outcome, now)
        if self._settings.sitemaps and entry.kind != "unreachable":
            await self._frontier.add(self._sitemaps(lease.request, place, entry))
        self._frontier.park(url.host, gate.ready_at() if entry.kind != "unreachable" else entry.expires_at)
        return {url.host: {GATE_NOTE: gate.note(), NOTE_PREFIX + url.origin: entry.note(self._robots.token)}}

    async def _ask_along(self, request: Request) -> Outcome:
        """Ask for a robots.txt and follow its redirects, across hosts too; the rules stay those of the first origin."""
        while True:
            outcome = await self._ask(request)
            if not (isinstance(outcome, Page) and is_redirect(outcome)) or len(request.hops) >= MAX_HOPS:
                return outcome
            hop = next_hop(outcome, None, self._keys, MAX_HOPS)
            if isinstance(hop, Failure):
                return hop
            request = hop

    async def _ask(self, request: Request) -> Outcome:
        host, now = request.url.host, self._clock.now()
        # A redirect may lead to a host that has had no lease in this session: what is remembered of it still holds.
        gate = self._hosts.get(host) or self._hosts.enter(host, await self._ledger.notes(host), now)
        if (ready := gate.ready_at()) > self._clock.now() and ready != NEVER:
            await self._clock.sleep_until(ready)
        gate.on_start(self._clock.now())
        outcome: Outcome | None = None
        try:
            outcome = await self._fetcher.fetch(request)
        finally:
            ended = outcome or Failure(request, ErrorKind.OTHER, "given up", permanent=True)
            news = gate.on_finish(ended, self._clock.now(), self._dice.rng, self._dice.loop_lag)
        for event in news:
            self._bus.emit(event)
        return outcome

    def _tell(self, lease: Lease, gate: HostGate, entry: RobotsEntry, outcome: Outcome, now: float) -> None:
        origin, floor = lease.request.url.origin, self._floor
        for event in gate.set_crawl_delay(entry.crawl_delay, now):
            self._bus.emit(event)
        self._bus.emit(RobotsFetched(now, origin, entry.kind, entry.crawl_delay, entry.detail))
        if entry.kind != "unreachable":
            floor.unreachable.pop(lease.request.url.host, None)
            return
        permanent = isinstance(outcome, Failure) and outcome.permanent
        if permanent or entry.incidents >= self._settings.robots_tries:
            floor.unreachable[lease.request.url.host] = entry.detail

    def _sitemaps(self, request: Request, place: Url, entry: RobotsEntry) -> list[Request]:
        """The sitemaps that robots.txt names; without any, the usual places of a seed's origin."""
        named = [canonicalise(text, Base.of(place), self._keys) for text in entry.sitemaps[:MAX_SITEMAPS]]
        if not named and request.depth == 0 and not request.hops:
            named = [canonicalise(path, Base.of(place), self._keys) for path in USUAL_PLACES]
        return [
            Request(url, parent=place.href, kind="sitemap", priority=SITEMAP_PRIORITY)
            for url in named
            if not isinstance(url, OutOfScope)
        ]


def _sooner(entry: RobotsEntry, outcome: Outcome, now: float) -> RobotsEntry:
    """Try a robots.txt that could not be read again soon at first: most outages are short."""
    if entry.kind != "unreachable" or entry.incidents > len(SOONER):
        return entry
    if isinstance(outcome, Page | Failure) and wait_for(outcome, now) is not None:
        return entry
    return replace(entry, expires_at=now + SOONER[entry.incidents - 1])


def _expired(entry: RobotsEntry) -> RobotsEntry:
    return replace(entry, expires_at=0.0, incidents=0)
