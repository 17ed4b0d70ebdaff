"""The Python API: `crawl()` for a whole run, `Crawler` for its results as they come."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson

from scraper.build.crawl import CrawlParts, build_crawl
from scraper.build.parts import CustomParts, RunParts
from scraper.config.reading.load import config_from_mapping, load_config
from scraper.config.schema.crawl import CrawlConfig
from scraper.engine.run_state import StopReason
from scraper.events import Listener
from scraper.extract.interface import Extractor
from scraper.fetch.interface import Fetcher
from scraper.frontier.interface import InspectableFrontier
from scraper.hooks.interface import Hook
from scraper.model import Request, Skip, StopKind, Url
from scraper.report.stats import Stats
from scraper.report.summary import build_summary, write_summary
from scraper.run import Run
from scraper.rundir.layout import SKIPPED_FILE, SUMMARY_FILE, RunLayout
from scraper.sinks.interface import Sink
from scraper.sinks.skipped_file import SkippedFile
from scraper.urls.canonicalize import canonicalize

# Seeds without a response that the summary names, with the reason.
MAX_SEEDS_NAMED = 5
# Reasons of skips that are the hosts' trouble and not the user's rules: such URLs are asked for by a later session.
HOST_TROUBLE_REASONS = ("host_dead", "blocked", "robots_unreachable", "deferred")


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended. `values` is what summary.json holds; the properties are what most callers ask."""

    values: Mapping[str, Any]
    stop: StopReason
    folder: Path
    idle: bool = False
    """True when an earlier session had finished the run and nothing was asked for."""

    @property
    def why(self) -> str:
        """Why the run ended: finished, max_pages, max_time, interrupted or bug."""
        return self.stop.kind

    @property
    def ok(self) -> int:
        """URLs fetched successfully, over all sessions of the run."""
        return int(self.values["pages"]["ok"])

    @property
    def failed(self) -> int:
        """URLs recorded as failed."""
        return int(self.values["pages"]["failed"])

    @property
    def left(self) -> Mapping[str, int]:
        """How many URLs were left because of trouble with their hosts, by reason; a later session asks for them."""
        return {reason: count for reason, count in self.values["skipped"].items() if reason in HOST_TROUBLE_REASONS}

    @property
    def items(self) -> int:
        """Items extracted."""
        return int(self.values["items"])


class Crawler(Run[Summary]):
    """One run of one config. Use it once, as an async context manager or by `await Crawler.open(config)`.

    `config` is a path to a YAML file, a mapping written as the YAML would be, or a loaded `CrawlConfig`. `fresh`
    deletes what an earlier run left in the output folder. `all_sitemaps` are read to the last, also when
    `limits.max_pages` is reached. `retry_failed` asks again for what earlier sessions recorded as failed.

    `sinks` get every result beside the config's outputs, `hooks` may change requests, responses and items,
    `listeners` watch. `fetcher`, `extractor` and `frontier` take the place of those that the config describes. The run
    opens and closes what it is given; each object can be used for one run. See docs/extending.md.

    Errors: entering raises `ConfigError`, `HookError`, `RunLockedError` (another process is at work there),
    `FrontierError`, `SinkError`, `MissingExtraError`.
    """

    def __init__(
        self,
        config: CrawlConfig | Mapping[str, Any] | Path | str,
        *,
        fresh: bool = False,
        sinks: Sequence[Sink] = (),
        fetcher: Fetcher | None = None,
        extractor: Extractor | None = None,
        frontier: InspectableFrontier | None = None,
        hooks: Sequence[Hook] = (),
        listeners: Sequence[Listener] = (),
        base: Path | None = None,
        all_sitemaps: bool = False,
        retry_failed: bool = False,
    ) -> None:
        super().__init__()
        self._base = base or (Path(config).parent if isinstance(config, str | Path) else Path())
        if isinstance(config, str | Path):
            config = load_config(config)
        elif isinstance(config, Mapping):
            config = config_from_mapping(config)
        self.config = config
        self._fresh, self._all_sitemaps, self._retry_failed = fresh, all_sitemaps, retry_failed
        self._stats = Stats()
        self._custom = CustomParts(sinks, fetcher, extractor, frontier, hooks, (self._stats, *listeners))
        self._parts: CrawlParts | None = None

    @classmethod
    async def open(cls, config: CrawlConfig | Mapping[str, Any] | Path | str, **options: Any) -> Self:
        """A crawler that is ready to run; `options` are those of the class. Close it with `aclose`."""
        crawler = cls(config, **options)
        return await crawler.__aenter__()

    async def _build(self, stack: AsyncExitStack) -> RunParts:
        self._parts = await build_crawl(
            self.config,
            stack,
            self._custom,
            fresh=self._fresh,
            base=self._base,
            all_sitemaps=self._all_sitemaps,
            retry_failed=self._retry_failed,
            on_result=self._channel.put,
        )
        self._stats.log_breakers_to(RunLayout(self._parts.folder).breakers)
        return self._parts.run

    async def _run(self, parts: RunParts) -> Summary:
        crawl_parts = self._crawl_parts
        idle = await _nothing_to_do(crawl_parts)
        if idle:
            stop = StopReason(StopKind.FINISHED, "an earlier session had finished this run")
        else:
            stop = await parts.engine.run(crawl_parts.seeds)
        values = await self._write_summary(crawl_parts, stop, idle)
        return Summary(values, stop, crawl_parts.folder, idle)

    async def waiting(self) -> AsyncIterator[Request]:
        """What is known and has not been asked for, host by host."""
        async for request in self._opened.ports.frontier.waiting():
            yield request

    def refused_by(self, request: Request) -> str | None:
        """The line of robots.txt that forbids `request`; None when none does, or robots.txt has not been read yet."""
        return self._opened.engine.robots_rule_against(request)

    def delay_of(self, host: str) -> float:
        """Seconds between requests to `host` (as `Url.host`), as things stand."""
        return self._opened.engine.delay_of(host)

    @property
    def _crawl_parts(self) -> CrawlParts:
        self._opened  # noqa: B018  raises when the run is not open
        assert self._parts is not None
        return self._parts

    async def _write_summary(self, parts: CrawlParts, stop: StopReason, idle: bool) -> dict[str, Any]:
        """Write skipped.jsonl and summary.json, both in one piece."""
        skipped: Counter[str] = Counter()
        refused: list[str] = []
        layout = RunLayout(parts.folder)
        async with SkippedFile(layout.skipped) as file:
            async for skip in self._skips(parts, stop):
                skipped[skip.reason] += 1
                if skip.parent is None and len(refused) < MAX_SEEDS_NAMED:
                    refused.append(f"{skip.url.href}: {skip.rule}")
                await file.write(skip)
        counts = await parts.run.ports.frontier.counts()
        parts.run.ports.bus.flush()
        await asyncio.to_thread(parts.run.ports.bus.wait_delivered)
        values = build_summary(
            self._stats.snapshot(),
            outcomes=counts.outcomes,
            hosts=counts.hosts,
            items=counts.items,
            size=counts.wire_size,
            waiting=counts.waiting + counts.delayed,
            outputs={**parts.outputs, SKIPPED_FILE: str(layout.skipped), SUMMARY_FILE: str(layout.summary)},
            skipped=skipped,
        )
        values["why"], values["detail"] = stop.kind, stop.detail
        values["seeds_refused"] = refused
        if not (idle and _tells_the_end(layout.summary)):
            await asyncio.to_thread(write_summary, layout.summary, values)
        return values

    async def _skips(self, parts: CrawlParts, stop: StopReason) -> AsyncIterator[Skip]:
        async for skip in parts.run.ports.frontier.skips():
            yield skip
        if stop.kind.is_final:  # otherwise what waits is not skipped: the next session asks for it
            async for request in parts.run.ports.frontier.waiting():
                skip = parts.run.engine.skip_for_unfetched(request, stop)
                yield skip
                # A redirect that leads there was followed and has no record of its own: neither URL may be missing.
                if request.redirects and request.redirects[0].url != request.url.href:
                    yield _skip_of_redirect(request, skip)


def _skip_of_redirect(request: Request, skip: Skip) -> Skip:
    """The skip of the URL that led to `request` by redirects, where `skip` is that of the request itself."""
    asked = canonicalize(request.redirects[0].url)
    url = asked if isinstance(asked, Url) else request.url
    return Skip(url, request.parent, skip.reason, f"redirected to {request.url.href}: {skip.rule}")


async def _nothing_to_do(parts: CrawlParts) -> bool:
    """Whether an earlier session finished the run and no seed is new."""
    if not parts.before.known or parts.before.waiting or parts.before.delayed:
        return False
    return await parts.run.ports.frontier.add(parts.seeds) == 0


def _tells_the_end(path: Path) -> bool:
    """Whether the summary at `path` is of the session that finished the run, which may have died before writing it."""
    try:
        told = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("why") == StopKind.FINISHED


async def crawl(
    config: CrawlConfig | Mapping[str, Any] | Path | str,
    *,
    fresh: bool = False,
    sinks: Sequence[Sink] = (),
    fetcher: Fetcher | None = None,
    extractor: Extractor | None = None,
    frontier: InspectableFrontier | None = None,
    hooks: Sequence[Hook] = (),
    listeners: Sequence[Listener] = (),
) -> Summary:
    """Run a whole crawl and return its summary. Parameters and errors are those of `Crawler`."""
    async with Crawler(
        config,
        fresh=fresh,
        sinks=sinks,
        fetcher=fetcher,
        extractor=extractor,
        frontier=frontier,
        hooks=hooks,
        listeners=listeners,
    ) as crawler:
        return await crawler.run()
