"""robots.txt in a running engine: what may be requested, and the fetch of the file (RFC 9309).

The dispatcher checks every lease here. When the origin's robots.txt is unknown or has expired, a worker fetches it
while the host stays closed in the frontier: so it is requested once, whatever the concurrency, without a lock. The
lease that needed it goes back and is checked again later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from scraper.engine.redirects import is_redirect, redirect_request
from scraper.engine.run_context import RunContext
from scraper.events import RobotsFetched
from scraper.fetch.interface import Fetcher
from scraper.frontier.interface import NEVER
from scraper.model import ErrorKind, Failure, Lease, Outcome, OutOfScope, Priority, Request, Response, Url
from scraper.politeness.host_gate import HOST_STATE_GATE, HostGate
from scraper.politeness.retry_after import retry_after_of
from scraper.politeness.robots_cache import HOST_STATE_ROBOTS, RobotsCache, RobotsEntry
from scraper.urls.canonicalize import BaseUrl, canonicalize

# RFC 9309 section 2.3.1.2: "at least five consecutive redirects".
MAX_ROBOTS_REDIRECTS = 5
# `Sitemap:` lines of one robots.txt that are used.
MAX_SITEMAPS_PER_ROBOTS = 1000
DEFAULT_SITEMAP_PATHS = ("/sitemap.xml", "/sitemap_index.xml", "/sitemap.txt")
# Until the second and the third attempt at an unreachable robots.txt: most outages are short. After that, the longer
# times of `RobotsEntry`.
EARLY_RETRY_SECONDS = (5.0, 30.0)
# Origins in memory. Others are read again, from the host's stored state or from the web.
MAX_CACHED_ORIGINS = 50_000


class Allowed(NamedTuple):
    """It may be requested now."""


class RobotsNeeded(NamedTuple):
    """robots.txt must be fetched first."""


class Disallowed(NamedTuple):
    """robots.txt forbids it: the deciding line."""

    rule: str


class Deferred(NamedTuple):
    """Not before `until` (epoch seconds)."""

    until: float


RobotsDecision = Allowed | RobotsNeeded | Disallowed | Deferred
_ALLOWED = Allowed()


class RobotsService:
    """Knows the robots.txt of every origin in use, and fetches those it does not know."""

    def __init__(self, context: RunContext, fetcher: Fetcher) -> None:
        self._settings = context.settings
        self._robots = context.rules.robots
        self._key_rules = context.rules.key_rules
        self._state = context.state
        self._frontier = context.frontier
        self._frontier_view = context.frontier_view
        self._hosts = context.hosts
        self._bus = context.bus
        self._clock = context.clock
        self._fetcher = fetcher
        self._cache = RobotsCache(MAX_CACHED_ORIGINS)
        # Whether robots.txt is read at all: for its rules, or for the sitemaps it names.
        self.enabled = self._robots.policy == "obey" or self._settings.sitemaps

    def check(self, request: Request, host_state: Mapping[str, str] | None, now: float) -> RobotsDecision:
        """Whether `request` may be sent at `now`; `host_state` is that of its lease."""
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
        """Take over what earlier sessions knew of robots.txt on a host; `host_state` is that of a lease."""
        for name, text in (host_state or {}).items():
            if name.startswith(HOST_STATE_ROBOTS) and (
                entry := RobotsEntry.from_json(text, self._robots.product_token)
            ):
                origin = name[len(HOST_STATE_ROBOTS) :]
                # A host that had nothing queued for a while brings its state again: this session knows better.
                if self._cache.peek(origin) is not None:
                    continue
                # A robots.txt that was unreachable in an earlier session is fetched again at once.
                self._cache.put(origin, _expire_now(entry) if entry.kind == "unreachable" else entry)

    async def fetch(self, lease: Lease) -> dict[str, dict[str, str]]:
        """Fetch the robots.txt that `lease` needs; return the state to store, by host and name.

        The host is closed meanwhile. When this returns it is parked: until its gate allows a request, or until an
        unreachable robots.txt is due for the next attempt.
        """
        url = lease.request.url
        gate = self._hosts.get_or_restore(url.host)
        robots_url = canonicalize("/robots.txt", BaseUrl.of(url))
        assert isinstance(robots_url, Url), "the origin of a canonical URL is canonical"
        outcome = await self._fetch_with_redirects(Request(robots_url, kind="robots", depth=0))
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
            await self._frontier.add(self._sitemap_requests(lease.request, robots_url, entry))
        # The other origin of the host may work: its requests need not wait.
        waits = entry.kind == "unreachable" and not gate.is_mixed
        self._hosts.hold(gate, entry.expires_at if waits else None)
        return {
            url.host: {
                HOST_STATE_GATE: gate.to_json(),
                HOST_STATE_ROBOTS + url.origin: entry.to_json(self._robots.product_token),
            }
        }

    async def _fetch_with_redirects(self, request: Request) -> Outcome:
        """Fetch a robots.txt and follow its redirects, also to other hosts. It is for the origin asked first."""
        while True:
            outcome = await self._fetch_once(request)
            if not (isinstance(outcome, Response) and is_redirect(outcome)):
                return outcome
            if len(request.redirects) >= MAX_ROBOTS_REDIRECTS:
                return outcome
            target = redirect_request(outcome, None, self._key_rules, MAX_ROBOTS_REDIRECTS)
            if isinstance(target, Failure):
                return target
            request = target

    async def _fetch_once(self, request: Request) -> Outcome:
        host, now = request.url.host, self._clock.now()
        gate = self._hosts.gates.peek(host)
        if gate is None:
            # A redirect may lead to a host without a lease in this session: its stored state holds all the same.
            gate = self._hosts.get_or_restore(host, await self._frontier_view.host_state(host), now)
        if (ready := gate.ready_at()) > self._clock.now() and ready != NEVER:
            await self._clock.sleep_until(ready)
        # The host stays closed: reopened before robots.txt is known, it would hand out a lease that needs it again.
        self._hosts.start(gate, self._clock.now(), request.url.origin, reopen=False)
        outcome: Outcome | None = None
        try:
            outcome = await self._fetcher.fetch(request)
        finally:
            ended = outcome or Failure(request, ErrorKind.OTHER, "given up", permanent=True)
            self._hosts.finish(gate, ended, self._clock.now(), reopen=False)
        return outcome

    def _apply(self, lease: Lease, gate: HostGate, entry: RobotsEntry, outcome: Outcome, now: float) -> None:
        """Take over the crawl delay, emit the events, and keep the list of origins whose robots.txt is unreachable."""
        url, unreachable = lease.request.url, self._state.robots_unreachable
        # Of two origins the one without a delay must not take back what the other has asked for.
        if entry.crawl_delay is not None or not gate.is_mixed:
            for event in gate.set_crawl_delay(entry.crawl_delay, now):
                self._bus.emit(event)
        self._bus.emit(RobotsFetched(now, url.origin, entry.kind, entry.crawl_delay, entry.detail))
        if entry.kind != "unreachable":
            unreachable.pop(url.origin, None)
            if gate.long_wait(now):
                self._hosts.note_trouble(gate, now)
            return
        self._hosts.note_trouble(gate, now)
        # A name that does not exist. If it did a moment ago it will again: that is an outage.
        permanent = isinstance(outcome, Failure) and outcome.permanent and not gate.has_answered(url.origin)
        if permanent or entry.failures_in_a_row >= self._settings.robots_attempts:
            unreachable[url.origin] = entry.detail

    def _sitemap_requests(self, request: Request, robots_url: Url, entry: RobotsEntry) -> list[Request]:
        """The sitemaps that robots.txt names; if it names none, the default paths on the origin of a seed."""
        base = BaseUrl.of(robots_url)
        urls = [canonicalize(text, base, self._key_rules) for text in entry.sitemaps[:MAX_SITEMAPS_PER_ROBOTS]]
        if all(isinstance(url, OutOfScope) for url in urls) and request.depth <= 0 and not request.redirects:
            urls = [canonicalize(path, base, self._key_rules) for path in DEFAULT_SITEMAP_PATHS]
        return [
            Request(url, parent=robots_url.href, kind="sitemap", priority=Priority.SITEMAP)
            for url in urls
            if not isinstance(url, OutOfScope)
        ]


def _retry_soon(entry: RobotsEntry, outcome: Outcome, now: float) -> RobotsEntry:
    """`entry`, expiring after one of `EARLY_RETRY_SECONDS` if it is unreachable and the server named no time."""
    if entry.kind != "unreachable" or entry.failures_in_a_row > len(EARLY_RETRY_SECONDS):
        return entry
    if isinstance(outcome, Response | Failure) and retry_after_of(outcome, now) is not None:
        return entry
    return replace(entry, expires_at=now + EARLY_RETRY_SECONDS[entry.failures_in_a_row - 1])


def _expire_now(entry: RobotsEntry) -> RobotsEntry:
    return replace(entry, expires_at=0.0, failures_in_a_row=0)
