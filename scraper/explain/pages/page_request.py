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

from scraper.build.crawl_fetcher import make_fetcher
from scraper.clock import Clock
from scraper.config.schema.crawl import CrawlConfig
from scraper.config_to_settings import politeness_settings, read_seeds, robots_settings, scope_for
from scraper.engine.redirects import is_redirect, redirect_request
from scraper.engine.robots_service import MAX_ROBOTS_REDIRECTS
from scraper.errors import ScraperError
from scraper.events import EventBus
from scraper.fetch.page_fetcher import HttpFetcher
from scraper.model import Body, Denied, ErrorKind, Failure, Headers, NotModified, Outcome, Request, Response, Url
from scraper.politeness.host_gate import HostGate
from scraper.politeness.robots_cache import RobotsEntry, RobotsVerdict
from scraper.urls.canonicalize import BaseUrl, KeyRules, canonicalize
from scraper.urls.scope import Scope

MAX_STORED_BYTES = 50_000_000
"""Largest stored page that is read."""
OnRequest = Callable[[Request], Awaitable[Request | None]]


@dataclass(frozen=True, slots=True)
class UrlRules:
    """What decides about URLs in one config: the keys and the scope around its seeds."""

    keys: KeyRules
    scope: Scope
    seeds: tuple[Url, ...]

    @classmethod
    def from_config(cls, config: CrawlConfig) -> UrlRules:
        """The rules of `config`; raises `ConfigError` when its seeds cannot be read."""
        keys = KeyRules(config.scope.strip_params, config.scope.sort_query)
        seeds = read_seeds(config, keys)
        return cls(keys, scope_for(config, seeds), tuple(seeds))


@dataclass(frozen=True, slots=True)
class RequestStep:
    """One request of a chain of redirects: what robots.txt says, and the answer (None when it was not asked for)."""

    request: Request
    robots_verdict: RobotsVerdict | None
    outcome: Outcome | None
    robots_entry: RobotsEntry | None = None
    """What is known of the origin's robots.txt."""


class PageFetcher:
    """Asks for single pages. Made by `open_page_fetcher`."""

    def __init__(
        self,
        config: CrawlConfig,
        rules: UrlRules,
        fetcher: HttpFetcher,
        clock: Clock,
        notify: Callable[[str], None],
        on_request: OnRequest | None = None,
    ) -> None:
        self._config, self._rules, self._fetcher, self._clock, self._tell = config, rules, fetcher, clock, notify
        self._on_request = on_request
        self._politeness, self._robots = politeness_settings(config), robots_settings(config)
        self._gates: dict[str, HostGate] = {}
        self._entries: dict[str, RobotsEntry] = {}
        self._rng = random.Random()  # noqa: S311  jitter, not secrets

    async def fetch_robots(self, url: Url) -> RobotsEntry:
        """What the robots.txt of the URL's origin means, read now; it is read once."""
        entry = self._entries.get(url.origin)
        if entry is None:
            place = canonicalize("/robots.txt", BaseUrl.of(url))
            assert isinstance(place, Url), "an origin that was canonical stays so"
            outcome = await self._polite(Request(place, kind="robots"))
            while (
                isinstance(outcome, Response)
                and is_redirect(outcome)
                and len(outcome.request.redirects) < MAX_ROBOTS_REDIRECTS
            ):
                hop = redirect_request(outcome, None, self._rules.keys, MAX_ROBOTS_REDIRECTS)
                outcome = hop if isinstance(hop, Failure) else await self._polite(hop)
            content = None
            if isinstance(outcome, Response) and outcome.body.path is not None:
                content = await asyncio.to_thread(outcome.body.read)
            entry = RobotsEntry.from_outcome(outcome, self._clock.now(), self._robots, None, content)
            self._entries[url.origin] = entry
            self._gate(url.host).set_crawl_delay(entry.crawl_delay, self._clock.now())
        return entry

    async def fetch(self, url: Url) -> list[RequestStep]:
        """Ask for `url` and follow its redirects; the last step is the answer, or the refusal."""
        steps: list[RequestStep] = []
        request = Request(url)
        while True:
            verdict = entry = None
            if self._robots.policy == "obey":
                entry = await self.fetch_robots(request.url)
                verdict = entry.check(request.url.target)
                if not verdict.allowed:
                    return [*steps, RequestStep(request, verdict, None, entry)]
            asked = request if self._on_request is None else await self._on_request(request)
            if asked is None:
                denied = Denied(request, ErrorKind.OTHER, "hooks.on_request")
                return [*steps, RequestStep(request, verdict, denied, entry)]
            # As in a crawl, a hook may change how we ask, not what is asked.
            outcome = await self._polite(replace(asked, url=request.url))
            steps.append(RequestStep(request, verdict, outcome, entry))
            if not (isinstance(outcome, Response) and is_redirect(outcome)):
                return steps
            hop = redirect_request(outcome, self._rules.scope, self._rules.keys, self._config.limits.max_redirects)
            if isinstance(hop, Failure):
                return [*steps, RequestStep(request, verdict, hop, entry)]
            request = hop

    def _gate(self, host: str) -> HostGate:
        if host not in self._gates:
            self._gates[host] = HostGate(self._politeness.for_host(host), host)
        return self._gates[host]

    async def _polite(self, request: Request) -> Outcome:
        gate, clock = self._gate(request.url.host), self._clock
        wait = gate.ready_at() - clock.now()
        if wait == float("inf"):
            raise ScraperError(f"{request.url.host} may not be asked: {gate.wait_reason(clock.now())}")
        if wait > 2:
            self._tell(f"waiting {wait:.0f} s: {gate.wait_reason(clock.now())}")
        await clock.sleep_until(gate.ready_at())
        gate.on_start(clock.now())
        outcome = await self._fetcher.fetch(request)
        gate.on_finish(outcome, clock.now(), self._rng)
        return outcome


@asynccontextmanager
async def open_page_fetcher(
    config: CrawlConfig,
    rules: UrlRules,
    url: Url,
    notify: Callable[[str], None] = lambda _: None,
    on_request: OnRequest | None = None,
) -> AsyncIterator[PageFetcher]:
    """A fetcher as `config` describes it. An address of this machine may be asked when `url` names it.

    `tell` is told of long waits. `on_request` may change a request for a page, or forbid it by None. Raises what making
    a fetcher raises.
    """
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="scrape-try-") as spool:
        async with EventBus() as bus:
            fetcher = make_fetcher(config, rules.scope, [*rules.seeds, url], clock, bus, Path(spool), concurrency=1)
            try:
                yield PageFetcher(config, rules, fetcher, clock, notify, on_request)
            finally:
                await fetcher.aclose()


def with_body_in_memory(page: Response) -> Response:
    """`page` with its body in memory, for use when the spool is gone."""
    if page.body.path is None:
        return page
    return replace(page, body=replace(page.body, data=page.body.read(), path=None))


def read_stored_page(path: Path, url: Url) -> Response:
    """The file at `path` as if it had just been answered by `url`. Raises `ScraperError` when it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_STORED_BYTES + 1)
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_STORED_BYTES:
        raise UnreadableFileError(f"{path}: is larger than {MAX_STORED_BYTES:,} bytes")
    guessed = mimetypes.guess_type(path.name)[0] or "text/html"
    body = Body(len(data), len(data), f"xxh3:{xxh3_128_hexdigest(data)}", data)
    return Response(Request(url), 200, Headers([(b"content-type", guessed.encode())]), body)


class UnreadableFileError(ScraperError):
    """A file that the user named cannot be read."""

    exit_code = 2


def outcome_text(outcome: Outcome) -> str:
    """How an outcome is told in a few words."""
    match outcome:
        case Response():
            kind = (outcome.headers.get("content-type") or "no content type")[:100]
            return f"{outcome.status} {kind}, {outcome.body.size:,} bytes"
        case Failure():
            return f"{outcome.error}: {outcome.detail}"
        case NotModified():
            return "304 not modified"
        case denied:
            return f"refused by {denied.rule}"
