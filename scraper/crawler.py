"""The Python API: `crawl()` for a whole run, `Crawler` for its results as they come."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from scraper.build import STATE, Assembly, assemble
from scraper.config.reading.load import config_from_mapping, load_config
from scraper.config.schema.crawl import CrawlConfig
from scraper.engine.run_state import RunState, StopReason
from scraper.engine.signals import INTERRUPTED
from scraper.events import Listener
from scraper.hooks.interface import Hook
from scraper.model import Request, Result, Skip
from scraper.report.breaker_log import BREAKER_LOG_FILE
from scraper.report.stats import Stats
from scraper.report.summary import build_summary, write_summary
from scraper.sinks.skipped_file import SkippedFile

log = logging.getLogger("scraper")

RESULTS_WAITING = 128
"""Results that wait for a slow consumer before the crawl is slowed down with it."""
SEEDS_TOLD = 5
"""Seeds that were not asked for and are named in the summary, with the reason."""
SKIPPED = "skipped.jsonl"
SUMMARY = "summary.json"


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
    def items(self) -> int:
        """Items extracted."""
        return int(self.values["items"])


@dataclass(slots=True)
class _Tap:
    """Hands results to `Crawler.results`; bounded, so that a slow consumer slows the crawl and not the memory."""

    queue: asyncio.Queue[Result | None] = field(default_factory=lambda: asyncio.Queue(RESULTS_WAITING))
    closed: bool = True

    async def put(self, result: Result) -> None:
        if not self.closed:
            await self.queue.put(result)

    def close(self) -> None:
        """Let go of whoever waits to put something in."""
        self.closed = True
        while not self.queue.empty():
            self.queue.get_nowait()


class Crawler:
    """One run of one config. Use it once, as an async context manager or by `await Crawler.open(config)`.

    `config` is a path to a YAML file, a mapping written as the YAML would be, or a loaded `CrawlConfig`. `fresh`
    deletes what an earlier run left in the output folder. `hooks` may change requests, pages and items; `listeners`
    watch. `all_sitemaps` are read to the last, also when `limits.max_pages` is reached.

    Errors: entering raises `ConfigError`, `HookError`, `RunLockedError` (another process is at work there),
    `FrontierError`,
    `SinkError`, `MissingExtraError`.
    """

    def __init__(
        self,
        config: CrawlConfig | Mapping[str, Any] | Path | str,
        *,
        fresh: bool = False,
        hooks: Sequence[Hook] = (),
        listeners: Sequence[Listener] = (),
        base: Path | None = None,
        all_sitemaps: bool = False,
    ) -> None:
        self._base = base or (Path(config).parent if isinstance(config, str | Path) else Path())
        if isinstance(config, str | Path):
            config = load_config(config)
        elif isinstance(config, Mapping):
            config = config_from_mapping(config)
        self.config = config
        self._fresh, self._hooks, self._listeners = fresh, hooks, listeners
        self._all_sitemaps = all_sitemaps
        self._stack = AsyncExitStack()
        self._stats = Stats()
        self._tap = _Tap()
        self._parts: Assembly | None = None
        self._run: asyncio.Task[None] | None = None
        self._ended: Summary | BaseException | None = None

    @classmethod
    async def open(cls, config: CrawlConfig | Mapping[str, Any] | Path | str, **options: Any) -> Self:
        """A crawler that is ready to run; `options` are those of the class. Close it with `aclose`."""
        crawler = cls(config, **options)
        return await crawler.__aenter__()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._parts = await assemble(
                self.config,
                stack,
                listeners=(self._stats, *self._listeners),
                hooks=self._hooks,
                fresh=self._fresh,
                base=self._base,
                all_sitemaps=self._all_sitemaps,
                on_result=self._tap.put,
            )
            self._stats.log_breakers_to(self._parts.folder / STATE / BREAKER_LOG_FILE)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the run if it is still going (cleanly: it can be resumed), and close everything."""
        if self._run is not None and not self._run.done():
            self.stop(StopReason("closed", "the caller left"))
            self._tap.close()
            await asyncio.wait([self._run])
        await self._stack.aclose()

    @property
    def run_state(self) -> RunState:
        """The running engine's shared state, for whoever handles signals."""
        return self._assembly.engine.state

    def stop(self, reason: StopReason | None = None) -> None:
        """Ask for a clean end: requests in flight are finished, the rest stays for the next run."""
        self._assembly.engine.stop(reason or StopReason(INTERRUPTED, "stop was called"))

    async def run(self) -> Summary:
        """Crawl to the end and return the summary; its file and skipped.jsonl are written.

        Raises `SinkError` or `FrontierError` when something cannot be written; the run can then be resumed.
        """
        parts = self._assembly
        idle = await self._nothing_to_do(parts)
        stop = StopReason("finished", "an earlier session had finished this run") if idle else await self._crawl(parts)
        values = await self._conclude(parts, stop, idle)
        return Summary(values, stop, parts.folder, idle)

    async def results(self) -> AsyncIterator[Result]:
        """Every result as soon as it is on disk and settled.

        A consumer that is slower than the crawl slows it down. Leaving the loop early leaves the run resumable. Raises
        what `run` raises. The summary is at `Crawler.summary` afterwards.
        """
        self._tap.closed = False
        self._run = asyncio.get_running_loop().create_task(self._run_into_tap(), name="crawl")
        while (result := await self._tap.queue.get()) is not None:
            yield result
        if isinstance(self._ended, BaseException):
            raise self._ended

    async def waiting(self) -> AsyncIterator[Request]:
        """What is known and has not been asked for, host by host."""
        async for request in self._assembly.frontier.waiting():
            yield request

    def refused_by(self, request: Request) -> str | None:
        """The line of robots.txt that forbids `request`; None when none does, or robots.txt has not been read yet."""
        return self._assembly.engine.robots_rule_against(request)

    def delay_of(self, host: str) -> float:
        """Seconds between requests to `host` (as `Url.host`), as things stand."""
        return self._assembly.engine.delay_of(host)

    @property
    def summary(self) -> Summary | None:
        """The summary of a run that ended through `results`, or None."""
        return self._ended if isinstance(self._ended, Summary) else None

    @property
    def _assembly(self) -> Assembly:
        if self._parts is None:
            raise RuntimeError("open the crawler first: async with Crawler(config) as crawler")
        return self._parts

    async def _run_into_tap(self) -> None:
        try:
            self._ended = await self.run()
        except Exception as error:  # noqa: BLE001  it is raised where the caller waits: in `results`
            self._ended = error
        if not self._tap.closed:
            await self._tap.queue.put(None)

    async def _nothing_to_do(self, parts: Assembly) -> bool:
        if not parts.before.known or parts.before.waiting or parts.before.delayed:
            return False
        return await parts.frontier.add(parts.seeds) == 0

    async def _crawl(self, parts: Assembly) -> StopReason:
        return await parts.engine.run(parts.seeds)

    async def _conclude(self, parts: Assembly, stop: StopReason, idle: bool) -> dict[str, Any]:
        """Write skipped.jsonl and summary.json, both in one piece."""
        skipped: Counter[str] = Counter()
        refused: list[str] = []
        target = parts.folder / SKIPPED
        async with SkippedFile(target) as file:
            async for skip in self._skips(parts, stop):
                skipped[skip.reason] += 1
                if skip.parent is None and len(refused) < SEEDS_TOLD:
                    refused.append(f"{skip.url.href}: {skip.rule}")
                await file.write(skip)
        counts = await parts.frontier.counts()
        parts.bus.flush()
        await asyncio.to_thread(parts.bus.wait_delivered)
        values = build_summary(
            self._stats.snapshot(),
            outcomes=counts.outcomes,
            hosts=counts.hosts,
            items=counts.items,
            size=counts.wire_size,
            waiting=counts.waiting + counts.delayed,
            outputs={**parts.outputs, SKIPPED: str(target), SUMMARY: str(parts.folder / SUMMARY)},
            skipped=skipped,
        )
        values["why"], values["detail"] = stop.kind, stop.detail
        values["seeds_refused"] = refused
        if not (idle and _tells_the_end(parts.folder / SUMMARY)):
            await asyncio.to_thread(write_summary, parts.folder / SUMMARY, values)
        return values

    async def _skips(self, parts: Assembly, stop: StopReason) -> AsyncIterator[Skip]:
        async for skip in parts.frontier.skips():
            yield skip
        if stop.kind in ("finished", "max_pages"):  # otherwise what waits is not skipped: the next session asks for it
            async for request in parts.frontier.waiting():
                yield parts.engine.skip_for_unfetched(request, stop)


def _tells_the_end(path: Path) -> bool:
    """Whether the summary at `path` is of the session that finished the run, which may have died before writing it."""
    try:
        told = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("why") == "finished"


async def crawl(
    config: CrawlConfig | Mapping[str, Any] | Path | str,
    *,
    fresh: bool = False,
    hooks: Sequence[Hook] = (),
    listeners: Sequence[Listener] = (),
) -> Summary:
    """Run a whole crawl and return its summary. Parameters and errors are those of `Crawler`."""
    async with Crawler(config, fresh=fresh, hooks=hooks, listeners=listeners) as crawler:
        return await crawler.run()
