"""The recorder: the one task that turns outcomes into records, and settles them.

It takes results one by one (extract, write into the sinks' buffers) and settles them in batches: first the sinks are
flushed, then one transaction of the frontier stores how each lease ended, the links that were discovered, and how far
the sinks got (their checkpoints). This order makes records durable: after a crash between the two, the fetch is
repeated, and the sinks drop what is behind their last stored checkpoint. So no record is lost or written twice.

A batch is settled when it is full, when it is old, or when idle workers wait for what is in it: links to a host that
has nothing else queued, the URLs of a sitemap, or the end of the run. Workers that are idle because hosts must wait get
nothing from it; settling for them would cost a commit per page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Protocol, assert_never

from scraper.engine.extraction_pool import ExtractionPool
from scraper.engine.hook_chain import HookChain
from scraper.engine.link_filter import LinkFilter
from scraper.engine.login_check import LoginCheck, Verdict, seed_notice
from scraper.engine.outcome_policy import Follow, OutcomePolicy, RetryLater, Settle
from scraper.engine.outcomes import outcome_code, settled_code
from scraper.engine.redirects import revisits_own_chain
from scraper.engine.run_context import RunContext
from scraper.engine.run_state import FetchResult, FlushRequest, StopReason
from scraper.engine.session import CLOCK_CHECKPOINT, PROGRESS_CHECKPOINT
from scraper.engine.settlement_batch import SettlementBatch
from scraper.events import ItemRejected, ItemWritten, PageSettled, RetryPlanned, Skipped, Warned
from scraper.model import (
    Done,
    Drop,
    ErrorKind,
    Extraction,
    Failure,
    Item,
    Lease,
    NotModified,
    Outcome,
    Request,
    Response,
    Result,
    Retry,
    Settlement,
    Skip,
    StopKind,
    Url,
)
from scraper.politeness.host_gate import HOST_STATE_GATE
from scraper.urls.canonicalize import canonicalize

# How long the recorder may work without letting the workers run.
MAX_SECONDS_WITHOUT_YIELD = 0.01
EMPTY_EXTRACTION = Extraction()


class Outputs(Protocol):
    """All sinks of a run as one: what `sinks.fanout` offers."""

    def write(self, result: Result) -> None:
        """Take one result into the buffers."""
        ...

    async def flush(self) -> Mapping[str, str]:
        """Write the buffers to the operating system; return each sink's checkpoint by its name."""
        ...


class Recorder:
    """Records what workers fetched, until `finish` is called and the queue is empty."""

    def __init__(
        self,
        context: RunContext,
        outputs: Outputs,
        extraction: ExtractionPool,
        hooks: HookChain,
        policy: OutcomePolicy,
        link_filter: LinkFilter,
        on_result: Callable[[Result], Awaitable[None]] | None = None,
    ) -> None:
        self._settings = context.settings
        self._state = context.state
        self._frontier = context.frontier
        self._frontier_view = context.frontier_view
        self._hosts = context.hosts
        self._bus = context.bus
        self._clock = context.clock
        self._outputs = outputs
        self._extraction = extraction
        self._hooks = hooks
        self._policy = policy
        self._link_filter, self._progress = link_filter, link_filter.progress
        self._on_result = on_result
        self._login_check = LoginCheck(context.settings.login)
        self._key_rules = context.rules.key_rules
        self._batch = SettlementBatch()
        self._batch_timed_out = False
        self._finishing = False

    def finish(self) -> None:
        """Settle what is in the queue, then return from `run`."""
        self._finishing = True
        self._state.request_flush()

    async def run(self) -> None:
        """Take results until told to finish."""
        results, loop = self._state.results, asyncio.get_running_loop()
        while not (self._finishing and results.empty()):
            result = await results.get()
            self._batch_timed_out = False
            timer = loop.call_later(self._settings.batch_seconds, self._on_batch_timeout)
            try:
                await self._fill_batch(result)
            finally:
                timer.cancel()
            await self._settle()

    def _on_batch_timeout(self) -> None:
        # The flag, because a flush request is not sent when the queue is full.
        self._batch_timed_out = True
        self._state.request_flush()

    async def _fill_batch(self, result: FetchResult | FlushRequest) -> None:
        """Take results into the batch until it should be settled."""
        results, clock = self._state.results, self._clock
        last_yield = clock.now()
        while True:
            if isinstance(result, FlushRequest):
                if not result.if_idle:
                    return
            else:
                await self._process(*result)
            if self._is_full():
                return
            if clock.now() - last_yield > MAX_SECONDS_WITHOUT_YIELD:
                await clock.yield_to_loop()
                last_yield = clock.now()
            queue_empty = results.empty()
            if queue_empty and self._should_settle_early():
                return
            result = await results.get() if queue_empty else results.get_nowait()

    def _is_full(self) -> bool:
        batch, settings = self._batch, self._settings
        return len(batch.settlements) >= settings.batch_size or batch.link_count >= settings.batch_links

    def _should_settle_early(self) -> bool:
        """Whether an unfinished batch should be settled now that no further result is queued."""
        state = self._state
        if self._batch_timed_out or self._finishing:
            return True
        return state.no_lease_available and self._batch.would_unblock_workers(state, self._frontier_view)

    async def _process(self, lease: Lease, outcome: Outcome) -> None:
        """Record one outcome, or queue its request again."""
        # Success needs no decision: spare it the look at the host.
        if isinstance(outcome, Response) and outcome.status < 300:
            await self._record(lease, outcome)
            return
        url = outcome.request.url
        gate = self._hosts.gates.peek(url.host)
        breaker_state = "closed" if gate is None else gate.breaker_state_of(url.origin)
        answered = gate is not None and gate.has_answered(url.origin)
        match self._policy.decide(lease.request, outcome, self._clock.now(), breaker_state, has_answered=answered):
            case Settle(settled):
                await self._record(lease, settled)
            case RetryLater() as retry:
                self._plan_retry(lease, retry)
            case Follow(response, target):
                await self._follow(lease, response, target)
            case Drop() as drop:
                self._drop(lease, drop)
            case never:
                assert_never(never)

    def _drop(self, lease: Lease, drop: Drop) -> None:
        request, now = lease.request, self._clock.now()
        if request.parent is None and request.depth == 0 and request.kind == "page":
            self._batch.events.append(Warned(now, f"seed not asked for: {request.url.href} ({drop.rule})"))
        self._batch.events.append(Skipped(now, request.url.href, drop.reason, drop.rule))
        self._batch.add(Settlement(lease, drop), now)

    def _plan_retry(self, lease: Lease, retry: RetryLater) -> None:
        if isinstance(retry.outcome, Response):
            retry.outcome.body.discard()
        url, now = lease.request.url, self._clock.now()
        attempt = retry.request.attempt + retry.request.slowdowns
        code = outcome_code(retry.outcome)
        self._batch.events.append(RetryPlanned(now, url.href, url.host, retry.at, attempt, code))
        self._batch.add(Settlement(lease, Retry(retry.at, retry.request)), now)

    async def _follow(self, lease: Lease, response: Response, target: Request) -> None:
        """Queue a redirect's target. If it is known already, it has a record of its own and this one is a duplicate."""
        now = self._clock.now()
        verdict = self._login_check.judge_redirect(response.request, target)
        if text := self._login_check.take_warning():
            self._batch.events.append(Warned(now, text))
        if verdict is not Verdict.RECORD and self._put_back(lease, response.request, verdict):
            return
        self._login_check.note_followed(target)
        if self._settings.redirect_keeps_entry or revisits_own_chain(target):
            self._batch.add(Settlement(lease, Retry(now, target)), now)
        elif await self._frontier.add([target]):
            self._batch.add(Settlement(lease, Done(), wire_size=response.body.wire_size), now)
        else:
            await self._record(lease, response, duplicate_of=target.url.href)

    async def _record(
        self, lease: Lease, outcome: Response | Failure | NotModified, duplicate_of: str | None = None
    ) -> None:
        """Write the record of a finished URL, with what was extracted from its page."""
        request, fetched, extraction = outcome.request, outcome, EMPTY_EXTRACTION
        if isinstance(outcome, Response) and outcome.status < 300 and request.kind != "file":
            outcome, extraction = await self._extract(outcome)
            checked = self._check_login(lease, outcome, extraction)
            if checked is None:
                if isinstance(fetched, Response) and fetched.body.path is not None:
                    self._batch.spooled_bodies.append(fetched.body)
                return
            extraction = checked
        result = Result(request, outcome, extraction, duplicate_of)
        self._outputs.write(result)
        discovered: tuple[Request, ...] = ()
        skipped: tuple[Skip, ...] = ()
        if extraction is not EMPTY_EXTRACTION:
            content = fetched.body.data if isinstance(fetched, Response) else None
            discovered, skipped = self._link_filter.select(request, extraction, content)
        code = settled_code(result)
        self._batch.add(
            Settlement(
                lease,
                Done(),
                code,
                discovered,
                skipped,
                wire_size=outcome.body.wire_size if isinstance(outcome, Response) else 0,
                items=len(extraction.items),
            ),
            self._clock.now(),
        )
        if self._on_result is not None:
            self._batch.results.append(result)
        if self._bus.listening:
            self._queue_events(result, code, len(discovered), skipped)
        # Also when extraction made a failure of the response. A file's body is the downloaded file and stays.
        if isinstance(fetched, Response) and request.kind != "file" and fetched.body.path is not None:
            self._batch.spooled_bodies.append(fetched.body)

    def _check_login(self, lease: Lease, page: Response | Failure, extraction: Extraction) -> Extraction | None:
        """The extraction, with a note where the page is a login form; None when the page was put back instead."""
        verdict = self._login_check.judge_page(page.request, extraction)
        now = self._clock.now()
        for text in (self._login_check.take_warning(), seed_notice(page.request, extraction)):
            if text:
                self._batch.events.append(Warned(now, text))
        if verdict is Verdict.RECORD:
            return extraction
        if self._put_back(lease, page.request, verdict):
            return None
        note = "the answer is a login form, or lacks what login.logged_in looks for"
        return replace(extraction, problem="; ".join(filter(None, (extraction.problem, note))))

    def _put_back(self, lease: Lease, request: Request, verdict: Verdict) -> bool:
        """Queue what was asked for again, from its first URL on, if the verdict says so and it can be."""
        if self._login_check.ended:
            self._state.stop(StopReason(StopKind.LOGGED_OUT, self._login_check.ended))
        url = canonicalize(request.requested, None, self._key_rules) if request.redirects else request.url
        if verdict is not Verdict.ASK_AGAIN or not isinstance(url, Url):
            return False
        now = self._clock.now()
        again = replace(request, url=url, redirects=(), attempt=0, priority=request.priority + 1)
        self._batch.add(Settlement(lease, Retry(now, again)), now)
        return True

    async def _extract(self, page: Response) -> tuple[Response | Failure, Extraction]:
        """Extract from a page, with the hooks around it. A hook that raises makes the page a failure (`other`)."""
        hooks = self._hooks
        try:
            seen = await hooks.on_response(page) if hooks.has_on_response else page
            if seen is None:
                return page, Extraction()
            extraction = await self._extraction.extract(seen)
            if hooks.has_on_item and extraction.items:
                items = [await hooks.on_item(item, seen) for item in extraction.items]
                extraction = replace(extraction, items=tuple(item for item in items if isinstance(item, Item)))
        except Exception as error:  # noqa: BLE001  hooks are the user's code: what they raise is recorded on the URL
            detail = f"reading the page failed: {type(error).__name__}: {error}"
            return Failure(page.request, ErrorKind.OTHER, detail, status=page.status, permanent=True), Extraction()
        if self._extraction.last_loop_seconds > self._settings.slow_extraction_seconds:
            seconds = self._extraction.last_loop_seconds
            message = f"reading {page.request.url.href} held the event loop for {seconds:.2f} s"
            self._batch.events.append(Warned(self._clock.now(), message))
        return page, extraction

    def _queue_events(self, result: Result, code: str, discovered: int, skipped: tuple[Skip, ...]) -> None:
        now, request, extraction, events = self._clock.now(), result.request, result.extraction, self._batch.events
        url, items = request.url, extraction.items
        events.append(PageSettled(now, url.href, url.host, code, max(request.depth, 0), len(items), discovered))
        events.extend(ItemWritten(now, url.href, item.rule) for item in items)
        events.extend(ItemRejected(now, url.href, error.field, error.reason) for error in extraction.field_errors)
        events.extend(Skipped(now, skip.url.href, skip.reason, skip.rule) for skip in skipped)
        if extraction.problem:
            events.append(Warned(now, f"{url.href}: {extraction.problem}"))

    async def _settle(self) -> None:
        """Flush the sinks, store the batch in one transaction, and only then tell listeners and the caller."""
        if not self._batch.settlements:
            return
        batch, self._batch = self._batch, SettlementBatch()
        checkpoints = dict(await self._outputs.flush())
        for body in batch.spooled_bodies:  # not earlier: a sink may read it when it is flushed
            body.discard()
        checkpoints[CLOCK_CHECKPOINT] = f"{self._clock.now():.3f}"
        if (progress := self._progress.to_json()) is not None:
            checkpoints[PROGRESS_CHECKPOINT] = progress
        batch.events.extend(Warned(self._clock.now(), text) for text in self._progress.take_warnings())
        await self._frontier.settle(batch.settlements, checkpoints, self._host_states(batch.settlements))
        self._hosts.move_to_mirrors(batch.retry_requests())
        for settlement in batch.settlements:
            is_page = bool(settlement.outcome_code) and settlement.lease.request.kind == "page"
            self._state.lease_settled(settlement.lease, settled_page=is_page)
        for event in batch.events:
            self._bus.emit(event)
        if self._on_result is not None:
            for result in batch.results:
                await self._on_result(result)

    def _host_states(self, settlements: list[Settlement]) -> dict[str, dict[str, str]]:
        """The state of the batch's hosts, stored in the same transaction: a resumed run is as polite as this one."""
        states = {}
        for host in {settlement.lease.request.url.host for settlement in settlements}:
            gate = self._hosts.gates.peek(host)
            if gate is not None:
                states[host] = {HOST_STATE_GATE: gate.to_json()}
        return states
