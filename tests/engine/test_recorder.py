"""The recorder writes, settles in batches, and tells nobody of what is not stored."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scraper.engine.extraction_pool import ExtractionPool
from scraper.engine.hook_chain import HookChain
from scraper.engine.link_filter import LinkFilter
from scraper.engine.outcome_policy import OutcomePolicy
from scraper.engine.recorder import Recorder
from scraper.engine.run_state import FetchResult
from scraper.engine.session import CLOCK_CHECKPOINT
from scraper.engine.settings import EngineSettings
from scraper.events import PageSettled, RetryPlanned, Skipped, Warned
from scraper.hooks.interface import Hook
from scraper.model import Denied, ErrorKind, Failure, Item, Lease, Outcome, Response, Result
from scraper.politeness.host_gate import HOST_STATE_GATE
from scraper.politeness.retry import RetryPolicy
from scraper.testing.fakes import FakeExtractor, FakeSink, make_response
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EPOCH, SingleSink
from tests.engine.parts import A, B, Parts

SETTINGS = EngineSettings(sitemaps=False, concurrency=4, batch_seconds=1.0)


class Recording:
    """A recorder at work, with its sink; `result` gives it a result."""

    def __init__(self, parts: Parts, found: Mapping[str, Sequence[Any]], hooks: Sequence[Hook]) -> None:
        self.parts, self.sink, self.results = parts, FakeSink(), list[Result]()
        rules, settings = parts.rules, parts.settings
        policy = OutcomePolicy(
            RetryPolicy(rules.retry), rules.scope, rules.key_rules, 10, parts.mirrors, random.Random(1)
        )
        extraction = ExtractionPool(FakeExtractor(found), 32 * 1024, 256 * 1024, parts.clock)
        links = LinkFilter(settings.max_sitemap_depth, settings.recent_links)
        self.recorder = Recorder(
            parts.context, SingleSink(self.sink), extraction, HookChain(hooks), policy, links, self._keep
        )

    async def _keep(self, result: Result) -> None:
        self.results.append(result)

    async def result(self, lease: Lease, outcome: Outcome) -> None:
        self.parts.state.lease_taken(lease)
        await self.parts.state.results.put(FetchResult(lease, outcome))


@asynccontextmanager
async def recording(
    parts: Parts, found: Mapping[str, Sequence[Any]] | None = None, *hooks: Hook
) -> AsyncIterator[Recording]:
    rig = Recording(parts, found or {}, hooks)
    await rig.sink.open(None)
    async with asyncio.TaskGroup() as group:
        group.create_task(rig.recorder.run())
        yield rig
        rig.recorder.finish()


@virtual_run
async def test_a_page_is_written_and_settled_with_its_links() -> None:
    """The sink's checkpoint, the clock's and the host's state are stored in the same transaction."""
    parts = Parts(settings=SETTINGS)
    lease = await parts.lease(f"{A}/")
    parts.hosts.get_or_restore("a.example")
    async with recording(parts, {f"{A}/": [f"{A}/1", {"name": "x"}]}) as rig:
        await rig.result(lease, make_response(lease.request))
    counts = await parts.frontier.counts()
    assert (rig.sink.urls(), counts.waiting, counts.outcomes, counts.items) == ([f"{A}/"], 1, {"ok": 1}, 1)
    assert counts.checkpoints["fake"] == "1"
    assert float(counts.checkpoints[CLOCK_CHECKPOINT]) >= EPOCH
    assert HOST_STATE_GATE in await parts.frontier.host_state("a.example")
    assert (parts.state.unsettled, parts.state.pages_settled) == ({}, 1)


@virtual_run
async def test_nobody_is_told_before_a_batch_is_settled() -> None:
    """A batch ends after `batch_seconds`; until then there is no event and no result."""
    parts = Parts(settings=SETTINGS)
    lease = await parts.lease(f"{A}/")
    parts.state.in_flight[99] = lease  # another request is under way
    async with recording(parts) as rig:
        await rig.result(lease, make_response(lease.request))
        await asyncio.sleep(0.9)
        assert (parts.bus.events, rig.results, rig.sink.flushed) == ([], [], [])
        await asyncio.sleep(0.2)
        assert [result.url for result in rig.results] == rig.sink.urls() == [f"{A}/"]
        assert len(parts.bus.of(PageSettled)) == 1


@virtual_run
async def test_a_full_batch_is_settled_at_once() -> None:
    """Whatever its age."""
    parts = Parts(settings=replace(SETTINGS, batch_size=3, batch_seconds=1000.0))
    async with recording(parts) as rig:
        for n in range(4):
            lease = await parts.lease(f"http://h{n}.example/")
            await rig.result(lease, make_response(lease.request))
        await asyncio.sleep(1)
        assert len(rig.sink.flushed) == 3


@virtual_run
async def test_links_that_idle_workers_wait_for_are_settled_at_once() -> None:
    """They are links to a host that has nothing else queued."""
    parts = Parts(settings=replace(SETTINGS, batch_seconds=1000.0))
    lease = await parts.lease(f"{A}/")
    parts.state.no_lease_available = True
    parts.state.in_flight[99] = lease
    async with recording(parts, {f"{A}/": [f"{B}/1"]}) as rig:
        await rig.result(lease, make_response(lease.request))
        await asyncio.sleep(1)
        assert parts.frontier.count_queued("b.example") == 1


@virtual_run
async def test_a_failure_is_queued_again_and_not_recorded() -> None:
    """With the instant in an event; its body is deleted."""
    parts = Parts(settings=SETTINGS)
    lease = await parts.lease(f"{A}/")
    async with recording(parts) as rig:
        await rig.result(lease, Failure(lease.request, ErrorKind.CONNECT, "refused"))
    assert rig.sink.flushed == []
    (event,) = parts.bus.of(RetryPlanned)
    assert isinstance(event, RetryPlanned)
    assert (event.why, event.attempt) == ("connect", 1)
    counts = await parts.frontier.counts()
    assert counts.waiting + counts.delayed == 1


@virtual_run
async def test_a_denied_seed_is_a_skip_with_a_warning() -> None:
    """The user asked for it, so silence would be wrong."""
    parts = Parts(settings=SETTINGS)
    lease = await parts.lease(f"{A}/")
    async with recording(parts) as rig:
        await rig.result(lease, Denied(lease.request, ErrorKind.ROBOTS, "line 2"))
    assert rig.sink.flushed == []
    assert [skip.reason async for skip in parts.frontier.skips()] == ["robots"]
    assert [len(parts.bus.of(kind)) for kind in (Skipped, Warned)] == [1, 1]


@virtual_run
async def test_a_redirect_to_a_new_url_is_queued_and_one_to_a_known_url_is_a_duplicate() -> None:
    """Each page has one record, under the name it was found by."""
    parts = Parts(settings=SETTINGS)
    lease = await parts.lease(f"{A}/1")
    other = await parts.lease(f"{B}/2")
    async with recording(parts) as rig:
        await rig.result(lease, make_response(lease.request, status=301, headers={"Location": f"{A}/new"}))
        await rig.result(other, make_response(other.request, status=301, headers={"Location": f"{A}/new"}))
    (result,) = rig.sink.flushed
    assert (result.url, result.duplicate_of) == (f"{B}/2", f"{A}/new")
    assert parts.frontier.count_queued("a.example") == 1


class RaisingHook(Hook):
    def on_item(self, item: Item, page: Response) -> Item | None:
        raise asyncio.CancelledError


@pytest.mark.parametrize("hooks", [(), (RaisingHook(),)], ids=["extracted", "a hook raises"])
@virtual_run
async def test_a_spooled_body_is_deleted_after_the_flush(tmp_path: Path, hooks: Sequence[Hook]) -> None:
    """A sink may read it until then; also when a hook made a failure of the page."""
    parts = Parts(settings=SETTINGS)
    lease = await parts.lease(f"{A}/")
    response = make_response(lease.request, "<p>")
    async with recording(parts, {f"{A}/": [{"name": "x"}]}, *hooks) as rig:
        path = tmp_path / "body"
        path.write_bytes(b"<p>")
        rig.recorder._extraction = InlineExtraction(parts)
        await rig.result(lease, replace(response, body=replace(response.body, data=None, path=path)))
        await asyncio.sleep(0.5)
        assert path.exists()
    assert not path.exists()
    assert [result.error for result in rig.sink.flushed] == [ErrorKind.OTHER if hooks else None]


class InlineExtraction(ExtractionPool):
    """Extracts spooled pages on the loop: a process has no virtual time."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(FakeExtractor({f"{A}/": [{"name": "x"}]}), 0, 0, parts.clock)

    async def extract(self, page: Response) -> Any:
        return self._extractor.extract(page)
