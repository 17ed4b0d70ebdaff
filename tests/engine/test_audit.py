"""The audit: what came in is recorded, skipped or waiting, or the run has ended by a bug that says what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from scraper.engine.audit import Balance, PageCounts, RunCounts, audit
from scraper.engine.link_filter import LinkFilter
from scraper.engine.recorder import Recorder
from scraper.engine.run_state import RunState
from scraper.engine.settings import EngineSettings
from scraper.frontier.interface import FrontierCounts
from scraper.hooks.interface import Hook
from scraper.model import Extraction, Item, Lease, Link, Outcome, Request, Response, StopKind
from scraper.sinks.interface import WrittenRecords
from scraper.testing.fakes import FakeExtractor, FakeFetcher, ScriptedOutcome, redirect_to, with_status
from scraper.testing.memory_frontier import MemoryFrontier
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EngineHarness

A = "http://a.example"
PAGES: dict[str, Sequence[str | Mapping[str, Any] | Link]] = {
    f"{A}/": [f"{A}/{n}" for n in range(6)],
    f"{A}/1": [f"{A}/2", {"name": "x"}, {"name": "y"}],
}


def site(**settings: Any) -> EngineHarness:
    """A small site with a redirect, a broken page, links in a circle and two items."""
    script: dict[str, ScriptedOutcome] = {
        f"{A}/": "p",
        **{f"{A}/{n}": "p" for n in range(4)},
        f"{A}/4": redirect_to("/moved"),
        f"{A}/moved": "p",
    }
    return EngineHarness(FakeFetcher(script), PAGES, **settings)


def balance_of(harness: EngineHarness) -> Balance:
    assert harness.engine is not None
    return harness.engine.balance


@virtual_run
async def test_a_whole_run_is_in_balance() -> None:
    """URLs, links, items and leases: what became of each is in the balance."""
    harness = site()
    stop = await harness.run(f"{A}/")
    assert stop.kind is StopKind.FINISHED
    values = balance_of(harness).values
    assert values["missing"] == []
    assert values["urls"] == {"known": 8, "recorded": 7, "waiting": 0, "skipped": 0, "redirected": 1}
    assert values["links"] == {"found": 7, "queued": 6, "known": 1, "skipped": 0, "beyond": 0}
    assert values["items"] == {"found": 2, "written": 2, "rejected": 0, "dropped": 0}
    assert values["leases"]["taken"] == values["leases"]["settled"]


@pytest.mark.parametrize("seconds", [0.05, 0.15, 0.35])
@virtual_run
async def test_an_interrupted_run_is_in_balance_and_so_is_the_next(seconds: float) -> None:
    """What is waiting or was returned counts as such; the second session finishes it."""
    harness = site(settings=EngineSettings(sitemaps=False, concurrency=2, max_time=seconds, sample_seconds=0.05))
    harness.fetcher.latency = 0.1
    first = await harness.run(f"{A}/")
    assert (first.kind, balance_of(harness).missing) == (StopKind.MAX_TIME, ())
    harness.settings = EngineSettings(sitemaps=False)
    second = await harness.run(f"{A}/")
    assert (second.kind, balance_of(harness).missing) == (StopKind.FINISHED, ())
    assert balance_of(harness).values["urls"]["recorded"] == 7


class DropHook(Hook):
    """Drops every second item, and does not send one request."""

    def on_item(self, item: Item, page: Response) -> Item | None:
        return None if item.fields["name"] == "y" else item

    def on_request(self, request: Request) -> Request | None:
        return None if request.url.target == "/3" else request


@virtual_run
async def test_what_hooks_drop_is_in_the_balance() -> None:
    """An item as dropped, a request as skipped with its reason."""
    harness = site(hooks=[DropHook()])
    stop = await harness.run(f"{A}/")
    assert stop.kind is StopKind.FINISHED
    values = balance_of(harness).values
    assert values["items"] == {"found": 2, "written": 1, "rejected": 0, "dropped": 1}
    assert values["urls"]["skipped"] == 1


def lose_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Recorder._process

    async def broken(self: Recorder, lease: Lease, outcome: Outcome) -> None:
        if lease.request.url.target != "/3":
            await process(self, lease, outcome)

    monkeypatch.setattr(Recorder, "_process", broken)


def forget_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = RunState.lease_taken

    def broken(self: RunState, lease: Lease) -> None:
        taken(self, lease)
        if lease.request.url.target == "/3":
            del self.unsettled[lease.id]

    monkeypatch.setattr(RunState, "lease_taken", broken)
    lose_a_result(monkeypatch)


def lose_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    select = LinkFilter.select

    def broken(self: LinkFilter, source: Request, extraction: Extraction, content: bytes | None = None) -> Any:
        discovered, skipped = select(self, source, extraction, content)
        return discovered[:-1], skipped

    monkeypatch.setattr(LinkFilter, "select", broken)


def lose_an_item(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Recorder._extract

    async def broken(self: Recorder, page: Response) -> Any:
        kept, extraction = await record(self, page)
        return kept, replace(extraction, items=extraction.items[:1])

    monkeypatch.setattr(Recorder, "_extract", broken)


def lose_a_queued_url(monkeypatch: pytest.MonkeyPatch) -> None:
    enqueue = MemoryFrontier._enqueue

    def broken(self: MemoryFrontier, entry: int, request: Request) -> None:
        if request.url.target != "/3":
            enqueue(self, entry, request)

    monkeypatch.setattr(MemoryFrontier, "_enqueue", broken)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lose_a_result, f"1 requests were taken up and never settled: {A}/3"),
        (forget_a_lease, "never settled"),
        (lose_a_link, "links too few"),
        (lose_an_item, "items missing"),
        (lose_a_queued_url, "1 known URLs have no record"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
@virtual_run
async def test_a_broken_engine_ends_as_a_bug(break_it: Callable[[pytest.MonkeyPatch], None], said: str) -> None:
    """Whatever loses something, the run ends (it does not hang) and says what is missing."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        break_it(monkeypatch)
        harness = site()
        stop = await harness.run(f"{A}/")
    assert stop.kind is StopKind.BUG
    assert said in stop.detail


@virtual_run
async def test_what_a_broken_engine_has_lost_is_fetched_by_the_next_session() -> None:
    """A lost lease goes back to the queue."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        lose_a_result(monkeypatch)
        harness = site()
        await harness.run(f"{A}/")
    stop = await harness.run(f"{A}/")
    assert (stop.kind, balance_of(harness).values["urls"]["recorded"]) == (StopKind.FINISHED, 7)


@virtual_run
async def test_a_slow_recorder_loses_no_lease() -> None:
    """A consumer that takes a minute for a result is not taken for a lost one."""
    harness = site(settings=EngineSettings(sitemaps=False, concurrency=2, sample_seconds=0.5))
    harness.fetcher.script[f"{A}/3"] = with_status(500)
    harness.fetcher.latency = 30.0
    stop = await harness.run(f"{A}/")
    assert (stop.kind, stop.detail) == (StopKind.FINISHED, "")


@pytest.mark.parametrize(
    ("written", "cut_short", "is_missing"),
    [(3, False, False), (2, False, True), (4, False, True), (4, True, False), (2, True, True)],
)
def test_outputs_are_compared_with_what_was_settled(written: int, cut_short: bool, is_missing: bool) -> None:
    """An output that dropped a record or has one too many is named; one that was cut short may be ahead."""
    counts = RunCounts(results_written=3)
    records = [WrittenRecords("pages.jsonl", "results", written)]
    found = audit(counts, FrontierCounts(), FrontierCounts(), records, cut_short=cut_short)
    assert bool(found.missing) is is_missing
    assert not is_missing or "pages.jsonl has" in found.detail


def test_a_frontier_that_does_not_count_is_not_audited() -> None:
    """One that a caller brought may know nothing of redirects."""
    assert audit(RunCounts(), FrontierCounts(), FrontierCounts(known=5)).missing == ()


def test_counts_beyond_bounds_outlive_a_session() -> None:
    """They are a checkpoint; one that cannot be read is as none."""
    counts = RunCounts()
    counts.restore_bounds('{"limits.max_links": 3}')
    text = counts.bounds_checkpoint(PageCounts(beyond={"limits.max_links": 2, "limits.max_items": 1}))
    resumed = RunCounts()
    resumed.restore_bounds(text)
    assert resumed.pages.beyond == {"limits.max_links": 5, "limits.max_items": 1}
    resumed.restore_bounds("{")
    resumed.restore_bounds("[]")


@virtual_run
async def test_bounds_of_pages_are_counted_in_the_run() -> None:
    """What an extractor left out of each page is added up, and stored with the batch."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        beyond = Extraction(beyond={"limits.max_links": 2}, problem="2 links left out: limits.max_links")
        monkeypatch.setattr(FakeExtractor, "extract", lambda *_: beyond)
        harness = site()
        await harness.run(f"{A}/", f"{A}/1")
    assert harness.engine is not None
    assert harness.engine.state.counts.pages.beyond == {"limits.max_links": 4}
    assert harness.engine.balance.values["links"]["beyond"] == 4
    assert (await harness.frontier.counts()).checkpoints["bounds"] == '{"limits.max_links":4}'
