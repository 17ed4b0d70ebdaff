"""Fetch single pages as a crawl would: same fetcher, robots.txt rules and politeness, but no state on disk."""

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
from scraper.engine.gate_cache import GateCache
from scraper.engine.host_registry import HostRegistry
from scraper.engine.redirects import is_redirect, redirect_request
from scraper.engine.robots_service import MAX_ROBOTS_REDIRECTS
from scraper.errors import ScraperError
from scraper.events import EventBus
from scraper.fetch.page_fetcher import HttpFetcher
from scraper.model import Body, Denied, ErrorKind, Failure, Headers, NotModified, Outcome, Request, Response, Url
from scraper.politeness.robots_cache import RobotsEntry, RobotsVerdict
from scraper.urls.canonicalize import BaseUrl, KeyRules, canonicalize
from scraper.urls.scope import Scope

# Largest file that is read as a stored page.
MAX_STORED_BYTES = 50_000_000
OnRequest = Callable[[Request], Awaitable[Request | None]]


@dataclass(frozen=True, slots=True)
class UrlRules:
    """How one config identifies and selects URLs: the rules for keys, the seeds, and the scope around them."""

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
    """One request of a redirect chain. `outcome` is None when robots.txt forbids it.

    `robots_entry` is the robots.txt of the request's origin; None, like the verdict, when robots.txt is not obeyed.
    """

    request: Request
    robots_verdict: RobotsVerdict | None
    outcome: Outcome | None
    robots_entry: RobotsEntry | None = None


class PageFetcher:
    """Fetches single pages, one at a time. Made by `open_page_fetcher`."""

    def __init__(
        self,
        config: CrawlConfig,
        rules: UrlRules,
        fetcher: HttpFetcher,
        clock: Clock,
        notify: Callable[[str], None],
        on_request: OnRequest | None = None,
    ) -> None:
        self._config, self._rules, self._fetcher, self._clock, self._notify = config, rules, fetcher, clock, notify
        self._on_request = on_request
        self._politeness, self._robots = politeness_settings(config), robots_settings(config)
        # Without a frontier to park hosts in, and without listeners, the registry only counts requests on the gates.
        gates = GateCache(self._politeness.for_host, max_active=1_000, max_dormant=10_000)
        self._hosts = HostRegistry(gates, EventBus(), random.Random())  # noqa: S311  jitter, not secrets
        self._entries: dict[str, RobotsEntry] = {}

    async def fetch_robots(self, url: Url) -> RobotsEntry:
        """The robots.txt of the URL's origin, fetched on the first call for that origin."""
        entry = self._entries.get(url.origin)
        if entry is None:
            robots_url = canonicalize("/robots.txt", BaseUrl.of(url))
            assert isinstance(robots_url, Url), "an origin that was canonical stays so"
            outcome = await self._fetch_politely(Request(robots_url, kind="robots"))
            while (
                isinstance(outcome, Response)
                and is_redirect(outcome)
                and len(outcome.request.redirects) < MAX_ROBOTS_REDIRECTS
            ):
                next_request = redirect_request(outcome, None, self._rules.keys, MAX_ROBOTS_REDIRECTS)
                outcome = (
                    next_request if isinstance(next_request, Failure) else await self._fetch_politely(next_request)
                )
            # A large robots.txt is on disk: read it in a thread, so that the event loop is not blocked.
            content = None
            if isinstance(outcome, Response) and outcome.body.path is not None:
                content = await asyncio.to_thread(outcome.body.read)
            entry = RobotsEntry.from_outcome(outcome, self._clock.now(), self._robots, None, content)
            # Kept also when it could not be fetched, so that it is tried once per origin.
            self._entries[url.origin] = entry
            self._hosts.get_or_restore(url.host).set_crawl_delay(entry.crawl_delay, self._clock.now())
        return entry

    async def fetch(self, url: Url) -> list[RequestStep]:
        """Fetch `url` and follow its redirects; the last step has the final outcome, or the robots.txt refusal."""
        steps: list[RequestStep] = []
        request = Request(url)
        while True:
            verdict = entry = None
            if self._robots.policy == "obey":
                entry = await self.fetch_robots(request.url)
                verdict = entry.check(request.url.target)
                if not verdict.allowed:
                    return [*steps, RequestStep(request, verdict, None, entry)]
            sent = request if self._on_request is None else await self._on_request(request)
            if sent is None:
                denied = Denied(request, ErrorKind.OTHER, "hooks.on_request")
                return [*steps, RequestStep(request, verdict, denied, entry)]
            # As in a crawl, a hook may change the request's headers and content, but not its URL.
            outcome = await self._fetch_politely(replace(sent, url=request.url))
            steps.append(RequestStep(request, verdict, outcome, entry))
            if not (isinstance(outcome, Response) and is_redirect(outcome)):
                return steps
            next_request = redirect_request(
                outcome, self._rules.scope, self._rules.keys, self._config.limits.max_redirects
            )
            if isinstance(next_request, Failure):
                return [*steps, RequestStep(request, verdict, next_request, entry)]
            request = next_request

    async def _fetch_politely(self, request: Request) -> Outcome:
        gate, clock = self._hosts.get_or_restore(request.url.host), self._clock
        wait = gate.ready_at() - clock.now()
        # The gate has given the host up, or its page limit is reached.
        if wait == float("inf"):
            raise ScraperError(f"{request.url.host} must not be requested: {gate.wait_reason(clock.now())}")
        if wait > 2:  # shorter waits are normal politeness and not worth a message
            self._notify(f"waiting {wait:.0f} s: {gate.wait_reason(clock.now())}")
        await clock.sleep_until(gate.ready_at())
        self._hosts.start(gate, clock.now(), request.url.origin)
        outcome = await self._fetcher.fetch(request)
        self._hosts.finish(gate, outcome, clock.now())
        return outcome


@asynccontextmanager
async def open_page_fetcher(
    config: CrawlConfig,
    rules: UrlRules,
    url: Url,
    notify: Callable[[str], None] = lambda _: None,
    on_request: OnRequest | None = None,
) -> AsyncIterator[PageFetcher]:
    """A fetcher set up as `config` says. Private addresses are allowed when `url` itself names one.

    `notify` is called with a sentence before a wait of more than two seconds. `on_request` may change the request for
    a page, or return None to skip it. Raises `ScraperError` when the fetcher cannot be made.
    """
    clock = Clock()
    # Large bodies go to a folder of this call: no state survives it.
    with tempfile.TemporaryDirectory(prefix="scrape-try-") as spool:
        async with EventBus() as bus:
            fetcher = make_fetcher(config, rules.scope, [*rules.seeds, url], clock, bus, Path(spool), concurrency=1)
            try:
                yield PageFetcher(config, rules, fetcher, clock, notify, on_request)
            finally:
                await fetcher.aclose()


def with_body_in_memory(page: Response) -> Response:
    """`page` with its body in memory: a body on disk is deleted with the fetcher's temporary folder."""
    if page.body.path is None:
        return page
    return replace(page, body=replace(page.body, data=page.body.read(), path=None))


def read_stored_page(path: Path, url: Url) -> Response:
    """The file at `path` as if it were the response of `url`. Raises `UnreadableFileError`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_STORED_BYTES + 1)
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_STORED_BYTES:
        raise UnreadableFileError(f"{path}: is larger than {MAX_STORED_BYTES:,} bytes")
    # A file has no Content-Type header: use its extension.
    guessed = mimetypes.guess_type(path.name)[0] or "text/html"
    body = Body(len(data), len(data), f"xxh3:{xxh3_128_hexdigest(data)}", data)
    return Response(Request(url), 200, Headers([(b"content-type", guessed.encode())]), body)


class UnreadableFileError(ScraperError):
    """A file that the user named cannot be read."""

    exit_code = 2


def refusal_text(verdict: RobotsVerdict | None) -> str:
    """Why robots.txt kept a page from being fetched: it forbids it, or it could not be read and nobody knows."""
    if verdict is not None and verdict.decision == "defer":
        return "robots.txt could not be read, and until it is, nothing may be fetched"
    if verdict is not None and verdict.line_number is None:
        return f"{verdict.rule}, which the config takes for a refusal"
    return "robots.txt forbids it"


def outcome_text(outcome: Outcome) -> str:
    """An outcome in a few words: status, content type and size, or the error."""
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
