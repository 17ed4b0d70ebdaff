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

from scraper.engine.host_registry import HOST_STATE_GATE
from scraper.engine.redirects import is_redirect, redirect_request
from scraper.engine.run_context import RunContext
from scraper.events import RobotsFetched
from scraper.fetch.interface import Fetcher
from scraper.frontier.interface import NEVER
from scraper.model import ErrorKind, Failure, Lease, Outcome, OutOfScope, Request, Response, Url
from scraper.politeness.host_gate import HostGate
from scraper.politeness.retry_after import retry_after_of
from scraper.politeness.robots_cache import RobotsCache, RobotsEntry
from scraper.urls.canonicalize import BaseUrl, canonicalize

HOST_STATE_ROBOTS = "robots "
MAX_ROBOTS_REDIRECTS = 5
"""Redirects followed for a robots.txt: RFC 9309 section 2.3.1.2."""
MAX_SITEMAPS_PER_ROBOTS = 1000
"""Sitemap lines of one robots.txt that are looked at."""
DEFAULT_SITEMAP_PATHS = ("/sitemap.xml", "/sitemap_index.xml", "/sitemap.txt")
SITEMAP_PRIORITY = -10
EARLY_RETRY_SECONDS = (5.0, 30.0)
"""Seconds until the second and the third try of an unreachable robots.txt; after that its own, longer schedule."""
MAX_CACHED_ORIGINS = 50_000
"""Origins whose robots.txt is kept in memory; others are read again from the notes or the web."""


class Allowed(NamedTuple):
    """It may be asked for now."""


class RobotsNeeded(NamedTuple):
    """robots.txt must be read first."""


class Disallowed(NamedTuple):
    """robots.txt forbids it: the deciding line."""

    rule: str


class Deferred(NamedTuple):
    """Not before `instant` (epoch seconds)."""

    until: float


RobotsDecision = Allowed | RobotsNeeded | Disallowed | Deferred
_ALLOWED = Allowed()


class RobotsService:
    """Knows the robots.txt of every origin at work, and fetches those it does not know."""

    def __init__(self, premises: RunContext, fetcher: Fetcher) -> None:
        self._settings = premises.settings
        self._robots = premises.rules.robots
        self._key_rules = premises.rules.key_rules
        self._state = premises.state
        self._fetcher = fetcher
        self._frontier = premises.frontier
        self._frontier_view = premises.frontier_view
        self._hosts = premises.hosts
        self._bus = premises.bus
        self._clock = premises.clock
        self._dice = premises.dice
        self._cache = RobotsCache(MAX_CACHED_ORIGINS)
        self.enabled = self._robots.policy == "obey" or self._settings.sitemaps
        """Whether there is anything to judge."""

    def check(self, request: Request, host_state: Mapping[str, str] | None, now: float) -> RobotsDecision:
        """Whether `request` may be asked for; `notes` are those of its lease."""
        if not self.enabled:
            return _ALLOWED
        self.restore(host_state)
        entry = self._cache.get(request.url.origin, now)
        if entry is None:
            return RobotsNeeded()
        verdict = entry.check(request.url.target)
        match verdict.decision:
            case "allow":
                return _ALLOWED
            case "deny":
                return Disallowed(verdict.rule)
            case "defer":
                return Deferred(entry.expires_at)

    def restore(self, host_state: Mapping[str, str] | None) -> None:
        """Take over what earlier sessions knew of a host's robots.txt; `notes` are those of a lease."""
        for name, note in (host_state or {}).items():
            if name.startswith(HOST_STATE_ROBOTS) and (
                known := RobotsEntry.from_json(note, self._robots.product_token)
            ):
                # An unreachable robots.txt of an earlier session is tried again at once.
                self._cache.put(
                    name[len(HOST_STATE_ROBOTS) :], _expire_now(known) if known.kind == "unreachable" else known
                )

    async def fetch(self, lease: Lease) -> dict[str, dict[str, str]]:
        """Read the robots.txt that `lease` needs; return the notes to store, by host.

        The host is closed while this runs; it is open again from the instant its gate says when it returns.
        """
        url = lease.request.url
        gate = self._hosts.get_or_restore(url.host, None)
        place = canonicalize("/robots.txt", BaseUrl.of(url))
        assert isinstance(place, Url), "an origin that was canonical stays so"
        outcome = await self._fetch_with_redirects(Request(place, kind="robots", depth=0))
        content = None
        if isinstance(outcome, Response) and outcome.body.path is not None:
            content = await asyncio.to_thread(outcome.body.read)
            outcome.body.discard()
        now = self._clock.now()
        previous = self._cache.peek(url.origin)
        entry = RobotsEntry.from_outcome(outcome, now, self._robots, previous, content)
        entry = _retry_soon(entry, outcome, now)
        self._cache.put(url.origin, entry)
        self._apply(lease, gate, entry, outcome, now)
        if self._settings.sitemaps and entry.kind != "unreachable":
            await self._frontier.add(self._sitemap_requests(lease.request, place, entry))
        self._frontier.park(url.host, gate.ready_at() if entry.kind != "unreachable" else entry.expires_at)
        return {
            url.host: {
                HOST_STATE_GATE: gate.to_json(),
                HOST_STATE_ROBOTS + url.origin: entry.to_json(self._robots.product_token),
            }
        }

    async def _fetch_with_redirects(self, request: Request) -> Outcome:
        """Ask for a robots.txt and follow its redirects, across hosts too; the rules stay those of the first origin."""
        while True:
            outcome = await self._fetch_once(request)
            if (
                not (isinstance(outcome, Response) and is_redirect(outcome))
                or len(request.redirects) >= MAX_ROBOTS_REDIRECTS
            ):
                return outcome
            hop = redirect_request(outcome, None, self._key_rules, MAX_ROBOTS_REDIRECTS)
            if isinstance(hop, Failure):
                return hop
            request = hop

    async def _fetch_once(self, request: Request) -> Outcome:
        host, now = request.url.host, self._clock.now()
        # A redirect may lead to a host that has had no lease in this session: what is remembered of it still holds.
        gate = self._hosts.peek(host) or self._hosts.get_or_restore(
            host, await self._frontier_view.host_state(host), now
        )
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

    def _apply(self, lease: Lease, gate: HostGate, entry: RobotsEntry, outcome: Outcome, now: float) -> None:
        origin, floor = lease.request.url.origin, self._state
        for event in gate.set_crawl_delay(entry.crawl_delay, now):
            self._bus.emit(event)
        self._bus.emit(RobotsFetched(now, origin, entry.kind, entry.crawl_delay, entry.detail))
        if entry.kind != "unreachable":
            floor.robots_unreachable.pop(lease.request.url.host, None)
            return
        permanent = isinstance(outcome, Failure) and outcome.permanent
        if permanent or entry.failures_in_a_row >= self._settings.robots_attempts:
            floor.robots_unreachable[lease.request.url.host] = entry.detail

    def _sitemap_requests(self, request: Request, place: Url, entry: RobotsEntry) -> list[Request]:
        """The sitemaps that robots.txt names; without any, the usual places of a seed's origin."""
        named = [
            canonicalize(text, BaseUrl.of(place), self._key_rules) for text in entry.sitemaps[:MAX_SITEMAPS_PER_ROBOTS]
        ]
        if not named and request.depth == 0 and not request.redirects:
            named = [canonicalize(path, BaseUrl.of(place), self._key_rules) for path in DEFAULT_SITEMAP_PATHS]
        return [
            Request(url, parent=place.href, kind="sitemap", priority=SITEMAP_PRIORITY)
            for url in named
            if not isinstance(url, OutOfScope)
        ]


def _retry_soon(entry: RobotsEntry, outcome: Outcome, now: float) -> RobotsEntry:
    """Try a robots.txt that could not be read again soon at first: most outages are short."""
    if entry.kind != "unreachable" or entry.failures_in_a_row > len(EARLY_RETRY_SECONDS):
        return entry
    if isinstance(outcome, Response | Failure) and retry_after_of(outcome, now) is not None:
        return entry
    return replace(entry, expires_at=now + EARLY_RETRY_SECONDS[entry.failures_in_a_row - 1])


def _expire_now(entry: RobotsEntry) -> RobotsEntry:
    return replace(entry, expires_at=0.0, failures_in_a_row=0)
