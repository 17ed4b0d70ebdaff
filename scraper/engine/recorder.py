"""The recorder: the one task that turns outcomes into records, and settles them.

It takes findings one by one (extract, write into the sinks' buffers) and settles them in groups: sinks are flushed,
then one transaction of the frontier takes the group's fates, the links it discovered and the sinks' committed marks.
That order is the durability rule: a crash between the two repeats a fetch, and the sinks forget what came after
their last committed mark, so no record is lost or doubled.

A group ends when it is full, when its time is up, or when idle fetchers wait for what is in it: links of a host that
has nothing else to be asked for, what a sitemap names, or the end of the run. Fetchers that are idle because hosts must
wait get nothing from it, and a group a page would cost a commit a page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Protocol

from scraper.engine.attempt_history import with_failed_attempt
from scraper.engine.extraction_pool import ExtractionPool
from scraper.engine.hook_chain import HookChain
from scraper.engine.host_registry import HOST_STATE_GATE, outcome_code, settled_code
from scraper.engine.redirects import is_redirect, redirect_request, revisits_own_chain
from scraper.engine.run_context import RunContext
from scraper.engine.run_state import FetchResult, FlushRequest
from scraper.engine.session import CLOCK_CHECKPOINT
from scraper.engine.settlement_batch import SettlementBatch
from scraper.events import ItemRejected, ItemWritten, PageSettled, RetryPlanned, Skipped, Warned
from scraper.model import (
    Denied,
    Done,
    Drop,
    ErrorKind,
    Extraction,
    Failure,
    Item,
    Lease,
    Link,
    NotModified,
    Request,
    Response,
    Result,
    Retry,
    Settlement,
    Skip,
)
from scraper.politeness.retry import RetryPolicy
from scraper.structures.recent_set import RecentSet

MAX_SECONDS_WITHOUT_YIELD = 0.01
"""How long the recorder may work without letting the fetchers run."""
EMPTY_EXTRACTION = Extraction()
CONNECTION_ERRORS = frozenset({ErrorKind.DNS, ErrorKind.CONNECT, ErrorKind.TLS})
PRIORITY_OF_KIND = {"file": -20, "sitemap": -10}
"""Both before any page; when the page budget is spent, see `dispatch.FILES_BELOW`."""


class Outputs(Protocol):
    """All sinks of a run as one: what `sinks.fanout` offers."""

    def write(self, result: Result) -> None:
        """Take one result into the buffers."""
        ...

    async def flush(self) -> Mapping[str, str]:
        """Bring the buffers to the operating system; return each sink's mark by name."""
        ...


class Recorder:
    """Records what fetchers found, until `finish` is called and the queue is empty."""

    def __init__(
        self,
        premises: RunContext,
        outputs: Outputs,
        extraction: ExtractionPool,
        hooks: HookChain,
        on_result: Callable[[Result], Awaitable[None]] | None = None,
    ) -> None:
        self._settings = premises.settings
        self._state = premises.state
        self._frontier = premises.frontier
        self._frontier_view = premises.frontier_view
        self._outputs = outputs
        self._extraction = extraction
        self._hosts = premises.hosts
        self._retry = RetryPolicy(premises.rules.retry)
        self._scope = premises.rules.scope
        self._key_rules = premises.rules.key_rules
        self._hooks = hooks
        self._bus = premises.bus
        self._clock = premises.clock
        self._dice = premises.dice
        self._on_result = on_result
        self._mirrors = premises.mirrors
        self._recent_links = RecentSet(self._settings.recent_links)
        self._recent_skips = RecentSet(self._settings.recent_links)
        self._batch = SettlementBatch()
        self._batch_timed_out = False
        self._finishing = False

    def finish(self) -> None:
        """Settle what is in the queue, then return from `run`."""
        self._finishing = True
        self._state.request_flush()

    async def run(self) -> None:
        """Take findings until told to finish."""
        results, loop = self._state.results, asyncio.get_running_loop()
        while not (self._finishing and results.empty()):
            finding = await results.get()
            self._batch_timed_out = False
            timer = loop.call_later(self._settings.batch_seconds, self._on_batch_timeout)
            try:
                await self._fill_batch(finding)
            finally:
                timer.cancel()
            await self._settle()

    def _on_batch_timeout(self) -> None:
        self._batch_timed_out = True  # a nudge alone may be lost: none fits into a full queue
        self._state.request_flush()

    async def _fill_batch(self, finding: FetchResult | FlushRequest) -> None:
        """Take findings into the group until it should be settled."""
        floor, results, clock = self._state, self._state.results, self._clock
        breath = clock.now()
        while True:
            if isinstance(finding, FlushRequest):
                if not finding.if_idle:
                    return
            else:
                await self._process(finding)
            if self._is_full():
                return
            if clock.now() - breath > MAX_SECONDS_WITHOUT_YIELD:
                await clock.yield_to_loop()
                breath = clock.now()
            nothing_here = results.empty()
            if nothing_here and (
                self._batch_timed_out
                or self._finishing
                or (floor.no_lease_available and self._batch.would_unblock_workers(floor, self._frontier_view))
            ):
                return
            finding = await results.get() if nothing_here else results.get_nowait()

    def _is_full(self) -> bool:
        group, settings = self._batch, self._settings
        return len(group.settlements) >= settings.batch_size or group.link_count >= settings.batch_links

    async def _process(self, finding: FetchResult) -> None:
        """Decide what one finding means."""
        lease, outcome = finding
        if isinstance(outcome, Response) and outcome.status < 300:
            await self._record(lease, outcome)
            return
        if isinstance(outcome, Denied):
            if not outcome.request.redirects:
                self._drop(lease, str(outcome.reason), outcome.rule)
                return
            outcome = Failure(
                outcome.request,
                outcome.reason,
                f"redirect refused: {outcome.rule}",
                started_at=self._clock.now(),
                permanent=True,
            )
        if isinstance(outcome, Response) and is_redirect(outcome):
            hop = redirect_request(outcome, self._scope, self._key_rules, self._settings.max_redirects)
            if isinstance(hop, Request):
                await self._follow(lease, outcome, hop)
                return
            outcome = hop
        now = self._clock.now()
        verdict = self._retry.decide(outcome, now, self._dice.rng)
        if self._host_is_down(outcome):
            # No connection to a host whose breaker is open says nothing about the URL that was the probe: an outage
            # must not use up its tries. An answer, even 500, may be the URL's own fault and counts.
            verdict = Retry(now, outcome.request)
        verdict = self._mirrors.next_attempt(outcome, verdict, now, self._retry.is_retryable(outcome))
        if isinstance(verdict, Retry):
            self._plan_retry(lease, outcome, verdict, now)
        else:
            await self._record(lease, outcome)

    def _host_is_down(self, outcome: Response | Failure | NotModified) -> bool:
        if (
            not isinstance(outcome, Failure)
            or outcome.error not in CONNECTION_ERRORS
            or not self._retry.is_retryable(outcome)
        ):
            return False
        gate = self._hosts.peek(outcome.request.url.host)
        return gate is not None and gate.breaker_state in ("open", "half-open")

    def _drop(self, lease: Lease, reason: str, rule: str) -> None:
        request = lease.request
        if request.parent is None and request.depth == 0 and request.kind == "page":
            self._batch.events.append(Warned(self._clock.now(), f"seed not asked for: {request.url.href} ({rule})"))
        self._batch.events.append(Skipped(self._clock.now(), request.url.href, reason, rule))
        self._batch.add(Settlement(lease, Drop(reason, rule)), self._clock.now())

    def _plan_retry(self, lease: Lease, outcome: Response | Failure | NotModified, verdict: Retry, now: float) -> None:
        if isinstance(outcome, Response):
            outcome.body.discard()
        url = lease.request.url
        attempt = verdict.request.attempt + verdict.request.slowdowns
        self._batch.events.append(RetryPlanned(now, url.href, url.host, verdict.at, attempt, outcome_code(outcome)))
        # Behind what has not been tried yet: the next probe of a host in trouble should be another URL.
        behind = replace(verdict.request, priority=lease.request.priority + 1)
        again = with_failed_attempt(behind, outcome, now, verdict.at)
        self._batch.add(Settlement(lease, Retry(verdict.at, again)), now)

    async def _follow(self, lease: Lease, page: Response, hop: Request) -> None:
        """Send a redirect's target on its way; a target that is already known has a record of its own."""
        now = self._clock.now()
        if self._settings.redirect_keeps_entry or revisits_own_chain(hop):
            self._batch.add(Settlement(lease, Retry(now, hop)), now)
        elif await self._frontier.add([hop]):
            self._batch.add(Settlement(lease, Done(), wire_size=page.body.wire_size), now)
        else:
            await self._record(lease, page, duplicate_of=hop.url.href)

    async def _record(
        self, lease: Lease, outcome: Response | Failure | NotModified, duplicate_of: str | None = None
    ) -> None:
        """Write the record of a finished URL, with what was found on its page."""
        harvest = EMPTY_EXTRACTION
        if isinstance(outcome, Response) and outcome.status < 300 and outcome.request.kind != "file":
            outcome, harvest = await self._extract(outcome)
        result = Result(outcome.request, outcome, harvest, duplicate_of)
        self._outputs.write(result)
        discovered, skipped = ((), ()) if harvest is EMPTY_EXTRACTION else self._sort_links(result)
        request = result.request
        word = settled_code(result)
        self._batch.add(
            Settlement(
                lease,
                Done(),
                word,
                discovered,
                skipped,
                wire_size=outcome.body.wire_size if isinstance(outcome, Response) else 0,
                items=len(harvest.items),
            ),
            self._clock.now(),
        )
        if self._on_result is not None:
            self._batch.results.append(result)
        if self._bus.listening:
            self._queue_events(result, word, len(discovered), skipped)
        if isinstance(outcome, Response) and request.kind != "file" and outcome.body.path is not None:
            self._batch.spooled_bodies.append(outcome.body)

    async def _extract(self, page: Response) -> tuple[Response | Failure, Extraction]:
        """Read a page, with the hooks around it. A hook that raises makes the page a failure of kind `other`."""
        hooks = self._hooks
        try:
            seen = await hooks.on_response(page) if hooks.has_on_response else page
            if seen is None:
                return page, Extraction()
            harvest = await self._extraction.extract(seen)
            if hooks.has_on_item and harvest.items:
                items = [await hooks.on_item(item, seen) for item in harvest.items]
                harvest = replace(harvest, items=tuple(item for item in items if isinstance(item, Item)))
        except Exception as error:  # noqa: BLE001  hooks are the user's code: what they raise is recorded on the URL
            detail = f"reading the page failed: {type(error).__name__}: {error}"
            return Failure(page.request, ErrorKind.OTHER, detail, status=page.status, permanent=True), Extraction()
        if self._extraction.last_loop_seconds > self._settings.slow_extraction_seconds:
            took = f"reading {page.request.url.href} held the event loop for {self._extraction.last_loop_seconds:.2f} s"
            self._batch.events.append(Warned(self._clock.now(), took))
        return page, harvest

    def _sort_links(self, result: Result) -> tuple[tuple[Request, ...], tuple[Skip, ...]]:
        """Links to ask for, and links to report as skipped; those passed on lately are neither."""
        passed_on, parent = self._recent_links, result.request.url.href
        discovered: list[Request] = []
        skipped: list[Skip] = []
        for request in result.extraction.requests:
            if request.url.key not in passed_on:
                passed_on.add(request.url.key)
                discovered.append(request)
        for link in result.extraction.links:
            key = link.url.key
            if key in passed_on:
                continue
            denied = link.denied or self._sitemap_too_deep(result.request, link)
            if denied is not None:
                if key not in self._recent_skips:
                    self._recent_skips.add(key)
                    skipped.append(Skip(link.url, parent, *denied))
                continue
            passed_on.add(key)
            discovered.append(self._request_for(result.request, link))
        return tuple(discovered), tuple(skipped)

    def _request_for(self, source: Request, link: Link) -> Request:
        depth = source.depth + 1
        if link.kind == "page":
            return Request(link.url, depth, source.url.href, "page", depth)
        nesting = source.sitemap_depth + 1 if link.kind == "sitemap" else 0
        return Request(
            link.url, source.depth, source.url.href, link.kind, PRIORITY_OF_KIND[link.kind], sitemap_depth=nesting
        )

    def _sitemap_too_deep(self, source: Request, link: Link) -> tuple[str, str] | None:
        limit = self._settings.max_sitemap_depth
        if link.kind == "sitemap" and source.sitemap_depth >= limit:
            return "sitemap", f"sitemaps are nested deeper than {limit}"
        return None

    def _queue_events(self, result: Result, word: str, discovered: int, skipped: tuple[Skip, ...]) -> None:
        now, request = self._clock.now(), result.request
        url, items = request.url, result.extraction.items
        self._batch.events.append(PageSettled(now, url.href, url.host, word, request.depth, len(items), discovered))
        self._batch.events.extend(ItemWritten(now, url.href, item.rule) for item in items)
        self._batch.events.extend(
            ItemRejected(now, url.href, bad.field, bad.reason) for bad in result.extraction.field_errors
        )
        self._batch.events.extend(Skipped(now, skip.url.href, skip.reason, skip.rule) for skip in skipped)
        if result.extraction.problem:
            self._batch.events.append(Warned(now, f"{url.href}: {result.extraction.problem}"))

    async def _settle(self) -> None:
        """Flush the sinks, then store the group in one transaction; only then is anybody told."""
        if not self._batch.settlements:
            return
        group, self._batch = self._batch, SettlementBatch()
        flushed = await self._outputs.flush()
        for body in group.spooled_bodies:  # not before: a sink may read it when it is flushed
            body.discard()
        marks = {**flushed, CLOCK_CHECKPOINT: f"{self._clock.now():.3f}"}
        await self._frontier.settle(group.settlements, marks, self._host_states(group.settlements))
        for host in self._mirrors.hosts_to_rescan(group.retry_requests()):
            self._frontier.park(host, 0.0)
        for settlement in group.settlements:
            kept = bool(settlement.outcome_code) and settlement.lease.request.kind == "page"
            self._state.lease_settled(settlement.lease, settled_page=kept)
        for event in group.events:
            self._bus.emit(event)
        if self._on_result is not None:
            for result in group.results:
                await self._on_result(result)

    def _host_states(self, group: list[Settlement]) -> dict[str, dict[str, str]]:
        """The state of the group's hosts, written in the same transaction so that a resume is as polite."""
        notes = {}
        for host in {settlement.lease.request.url.host for settlement in group}:
            gate = self._hosts.peek(host)
            if gate is not None:
                notes[host] = {HOST_STATE_GATE: gate.to_json()}
        return notes
