"""One page, asked for as a crawl would ask: same fetcher, same robots.txt rules, same politeness, no state kept."""

from __future__ import annotations

import asyncio
import mimetypes
import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from xxhash import xxh3_128_hexdigest

from scraper.build import make_fetcher
from scraper.clock import Clock
from scraper.config.schema.crawl import CrawlConfig
from scraper.config_to_settings import politeness_settings, read_seeds, robots_settings, scope_for
from scraper.engine.redirects import is_redirect, next_hop
from scraper.engine.robots_service import MAX_HOPS
from scraper.errors import ScraperError
from scraper.events import EventBus
from scraper.fetch.page_fetcher import HttpFetcher
from scraper.model import Body, Denied, ErrorKind, Failure, Headers, NotModified, Outcome, Page, Request, Url
from scraper.politeness.host_gate import HostGate
from scraper.politeness.robots_cache import RobotsEntry, RobotsVerdict
from scraper.urls.canonicalize import Base, KeyRules, canonicalise
from scraper.urls.scope import Scope

STORED_BYTES = 50_000_000
"""Largest stored page that is read."""
OnRequest = Callable[[Request], Awaitable[Request | None]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides about URLs in one config: the keys and the scope around its seeds."""

    keys: KeyRules
    scope: Scope
    seeds: tuple[Url, ...]

    @classmethod
    def of(cls, config: CrawlConfig) -> Rules:
        """The rules of `config`; raises `ConfigError` when its seeds cannot be read."""
        keys = KeyRules(config.scope.strip_params, config.scope.sort_query)
        seeds = read_seeds(config, keys)
        return cls(keys, scope_for(config, seeds), tuple(seeds))


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a chain of redirects: what robots.txt says, and the answer (None when it was not asked for)."""

    request: Request
    robots: RobotsVerdict | None
    outcome: Outcome | None
    entry: RobotsEntry | None = None
    """What is known of the origin's robots.txt."""


class Asker:
    """Asks for single pages. Made by `asking`."""

    def __init__(
        self,
        config: CrawlConfig,
        rules: Rules,
        fetcher: HttpFetcher,
        clock: Clock,
        tell: Callable[[str], None],
        on_request: OnRequest | None = None,
    ) -> None:
        self._config, self._rules, self._fetcher, self._clock, self._tell = config, rules, fetcher, clock, tell
        self._on_request = on_request
        self._politeness, self._robots = politeness_settings(config), robots_settings(config)
        self._gates: dict[str, HostGate] = {}
        self._entries: dict[str, RobotsEntry] = {}
        self._rng = random.Random()  # noqa: S311  jitter, not secrets

    async def robots(self, url: Url) -> RobotsEntry:
        """What the robots.txt of the URL's origin means, read now; it is read once."""
        entry = self._entries.get(url.origin)
        if entry is None:
            place = canonicalise("/robots.txt", Base.of(url))
            assert isinstance(place, Url), "an origin that was canonical stays so"
            outcome = await self._polite(Request(place, kind="robots"))
            while isinstance(outcome, Page) and is_redirect(outcome) and len(outcome.request.hops) < MAX_HOPS:
                hop = next_hop(outcome, None, self._rules.keys, MAX_HOPS)
                outcome = hop if isinstance(hop, Failure) else await self._polite(hop)
            content = None
            if isinstance(outcome, Page) and outcome.body.path is not None:
                content = await asyncio.to_thread(outcome.body.read)
            entry = RobotsEntry.from_outcome(outcome, self._clock.now(), self._robots, None, content)
            self._entries[url.origin] = entry
            self._gate(url.host).set_crawl_delay(entry.crawl_delay, self._clock.now())
        return entry

    async def ask(self, url: Url) -> list[Step]:
        """Ask for `url` and follow its redirects; the last step is the answer, or the refusal."""
        steps: list[Step] = []
        request = Request(url)
        while True:
            verdict = entry = None
            if self._robots.robots == "obey":
                entry = await self.robots(request.url)
                verdict = entry.judge(request.url.target)
                if not verdict.allowed:
                    return [*steps, Step(request, verdict, None, entry)]
            asked = request if self._on_request is None else await self._on_request(request)
            if asked is None:
                denied = Denied(request, ErrorKind.OTHER, "hooks.on_request")
                return [*steps, Step(request, verdict, denied, entry)]
            # As in a crawl, a hook may change how we ask, not what is asked.
            outcome = await self._polite(replace(asked, url=request.url))
            steps.append(Step(request, verdict, outcome, entry))
            if not (isinstance(outcome, Page) and is_redirect(outcome)):
                return steps
            hop = next_hop(outcome, self._rules.scope, self._rules.keys, self._config.limits.max_redirects)
            if isinstance(hop, Failure):
                return [*steps, Step(request, verdict, hop, entry)]
            request = hop

    def _gate(self, host: str) -> HostGate:
        if host not in self._gates:
            self._gates[host] = HostGate(self._politeness.for_host(host), host)
        return self._gates[host]

    async def _polite(self, request: Request) -> Outcome:
        gate, clock = self._gate(request.url.host), self._clock
        wait = gate.ready_at() - clock.now()
        if wait == float("inf"):
            raise ScraperError(f"{request.url.host} may not be asked: {gate.why(clock.now())}")
        if wait > 2:
            self._tell(f"waiting {wait:.0f} s: {gate.why(clock.now())}")
        await clock.sleep_until(gate.ready_at())
        gate.on_start(clock.now())
        outcome = await self._fetcher.fetch(request)
        gate.on_finish(outcome, clock.now(), self._rng)
        return outcome


@asynccontextmanager
async def asking(
    config: CrawlConfig,
    rules: Rules,
    url: Url,
    tell: Callable[[str], None] = lambda _: None,
    on_request: OnRequest | None = None,
) -> AsyncIterator[Asker]:
    """A fetcher as `config` describes it. An address of this machine may be asked when `url` names it.

    `tell` is told of long waits. `on_request` may change a request for a page, or forbid it by None. Raises what making
    a fetcher raises.
    """
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="scrape-try-") as spool:
        async with EventBus() as bus:
            fetcher = make_fetcher(config, rules.scope, [*rules.seeds, url], clock, bus, Path(spool), concurrency=1)
            try:
                yield Asker(config, rules, fetcher, clock, tell, on_request)
            finally:
                await fetcher.aclose()


def in_memory(page: Page) -> Page:
    """`page` with its body in memory, for use when the spool is gone."""
    if page.body.path is None:
        return page
    return replace(page, body=replace(page.body, data=page.body.read(), path=None))


def stored_page(path: Path, url: Url) -> Page:
    """The file at `path` as if it had just been answered by `url`. Raises `ScraperError` when it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(STORED_BYTES + 1)
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > STORED_BYTES:
        raise UnreadableError(f"{path}: is larger than {STORED_BYTES:,} bytes")
    guessed = mimetypes.guess_type(path.name)[0] or "text/html"
    body = Body(len(data), len(data), f"xxh3:{xxh3_128_hexdigest(data)}", data)
    return Page(Request(url), 200, Headers([(b"content-type", guessed.encode())]), body)


class UnreadableError(ScraperError):
    """A file that the user named cannot be read."""

    exit_code = 2


def answer_text(outcome: Outcome) -> str:
    """How an outcome is told in a few words."""
    match outcome:
        case Page():
            kind = (outcome.headers.get("content-type") or "no content type")[:100]
            return f"{outcome.status} {kind}, {outcome.body.size:,} bytes"
        case Failure():
            return f"{outcome.error}: {outcome.detail}"
        case NotModified():
            return "304 not modified"
        case denied:
            return f"refused by {denied.rule}"
