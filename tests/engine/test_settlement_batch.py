"""What a batch holds, and whether idle workers wait for it."""

from __future__ import annotations

import pytest

from scraper.engine.run_state import FetchJob
from scraper.engine.settlement_batch import SettlementBatch
from scraper.model import Done, Retry, Settlement, Skip
from scraper.testing.fakes import make_request
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EPOCH
from tests.engine.parts import A, B, Parts


@pytest.mark.parametrize(
    ("kind", "discovered", "queued", "unblocks"),
    [
        ("page", f"{B}/1", False, True),
        ("page", f"{B}/1", True, False),
        ("page", None, False, False),
        ("sitemap", f"{B}/1", True, True),
    ],
    ids=["a host without work", "a host with work", "no links", "a sitemap"],
)
@virtual_run
async def test_links_unblock_workers_if_their_host_has_nothing_else(
    kind: str, discovered: str | None, queued: bool, unblocks: bool
) -> None:
    """What a sitemap names has priority, so it always counts."""
    parts = Parts()
    lease = await parts.lease(f"{A}/", f"{A}/other", kind=kind)
    if queued:
        await parts.frontier.add([make_request(f"{B}/queued")])
    parts.state.jobs.put_nowait(FetchJob(lease))
    batch = SettlementBatch()
    requests = () if discovered is None else (make_request(discovered),)
    batch.add(Settlement(lease, Done(), "ok", requests), EPOCH)
    assert batch.would_unblock_workers(parts.state, parts.frontier) is unblocks


@pytest.mark.parametrize(("delay", "unblocks"), [(0.0, True), (5.0, False)], ids=["due now", "due later"])
@virtual_run
async def test_a_retry_unblocks_workers_if_it_is_due(delay: float, unblocks: bool) -> None:
    """A redirect's target, for example."""
    parts = Parts()
    lease = await parts.lease(f"{A}/")
    parts.state.jobs.put_nowait(FetchJob(lease))
    batch = SettlementBatch()
    batch.add(Settlement(lease, Retry(EPOCH + delay, lease.request)), EPOCH)
    assert batch.would_unblock_workers(parts.state, parts.frontier) is unblocks
    assert batch.retry_requests() == [lease.request]


@virtual_run
async def test_the_last_batch_of_a_run_is_settled_at_once() -> None:
    """Nothing is queued and nothing is in flight: the run could end."""
    parts = Parts()
    lease = await parts.lease(f"{A}/")
    batch = SettlementBatch()
    batch.add(Settlement(lease, Done(), "ok", skipped=(Skip(lease.request.url, None, "scope", ""),)), EPOCH)
    assert batch.would_unblock_workers(parts.state, parts.frontier)
    assert batch.link_count == 1
