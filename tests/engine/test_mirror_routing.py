"""Requests move from a host that fails to their mirrors, and each is looked at once."""

from __future__ import annotations

import pytest

from scraper.engine.mirror_routing import HostAvailability
from scraper.events import BreakerOpened
from scraper.model import ErrorKind, Failure, NotModified, Retry
from scraper.testing.fakes import make_headers, make_request, make_response
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EPOCH
from tests.engine.parts import A, B, FakeMirrorPolicy, Parts

OPENED = BreakerOpened(EPOCH, "a.example", EPOCH + 60, "connect", 1)


def with_mirrors(**mirrors: str) -> Parts:
    """Parts in which a.example, by default, has its mirror at b.example."""
    return Parts(policy=FakeMirrorPolicy({f"{a}.example": f"{b}.example" for a, b in (mirrors or {"a": "b"}).items()}))


@virtual_run
async def test_a_host_without_a_gate_is_available() -> None:
    """Nothing bad is known of it."""
    assert with_mirrors().mirrors.availability("a.example") is HostAvailability.OPEN


@virtual_run
async def test_a_host_that_fails_is_blocked() -> None:
    """Until it recovers."""
    parts = with_mirrors()
    parts.break_host("a.example")
    assert parts.mirrors.availability("a.example") is HostAvailability.BLOCKED


@virtual_run
async def test_new_requests_go_to_the_mirror_while_their_host_fails() -> None:
    """Those of other hosts, and all of them while the host is well, stay as they are."""
    parts = with_mirrors()
    requests = [make_request(f"{A}/1"), make_request(f"{B}/2")]
    assert parts.mirrors.reroute_new(requests) == requests
    parts.break_host("a.example")
    assert [r.url.href for r in parts.mirrors.reroute_new(requests)] == [f"{B}/1", f"{B}/2"]


@virtual_run
async def test_a_scan_looks_at_each_queued_request_once() -> None:
    """The host is open for as many leases as were queued, and one more; each goes to the mirror."""
    parts = with_mirrors()
    await parts.frontier.add([make_request(f"{A}/{n}") for n in range(3)])
    parts.break_host("a.example")
    moved = []
    while parts.mirrors.release_time("a.example", EPOCH + 60) == 0.0:
        lease = parts.frontier.try_lease(EPOCH)
        if lease is None:
            break
        settlement = parts.mirrors.reroute_leased(lease)
        assert settlement is not None
        assert isinstance(settlement.verdict, Retry)
        moved.append(settlement.verdict.request.url.href)
        await parts.frontier.settle([settlement])
        parts.frontier.park("a.example", parts.mirrors.release_time("a.example", EPOCH + 60))
        parts.frontier.park("b.example", EPOCH + 60)
    assert moved == [f"{B}/{n}" for n in range(3)]


@virtual_run
async def test_a_request_whose_mirror_fails_too_goes_behind_the_others() -> None:
    """It waits for its own host then."""
    parts = with_mirrors()
    lease = await parts.lease(f"{A}/1")
    parts.break_host("a.example")
    parts.break_host("b.example")
    settlement = parts.mirrors.reroute_leased(lease)
    assert settlement is not None
    assert isinstance(settlement.verdict, Retry)
    assert settlement.verdict.request.url.href == f"{A}/1"
    assert settlement.verdict.request.priority == lease.request.priority + 1


@virtual_run
async def test_a_lease_of_a_host_that_is_well_is_not_moved() -> None:
    """A host that waits for its rate alone keeps its requests, also while a scan is under way."""
    parts = with_mirrors()
    lease = await parts.lease(f"{A}/1")
    parts.mirrors.rescan("a.example")
    assert parts.mirrors.reroute_leased(lease) is None
    assert parts.mirrors.release_time("a.example", EPOCH + 1) == EPOCH + 1


@pytest.mark.parametrize("policy", [None, FakeMirrorPolicy({})], ids=["no mirrors at all", "none on this host"])
@virtual_run
async def test_without_mirrors_nothing_is_scanned(policy: FakeMirrorPolicy | None) -> None:
    """A host that fails is closed as its gate says."""
    parts = Parts(policy=policy)
    lease = await parts.lease(f"{A}/1")
    parts.break_host("a.example")
    parts.mirrors.on_events("a.example", [OPENED])
    assert parts.mirrors.release_time("a.example", EPOCH + 60) == EPOCH + 60
    assert parts.mirrors.reroute_leased(lease) is None
    assert parts.mirrors.hosts_to_rescan([lease.request]) == set()


@virtual_run
async def test_a_failure_is_tried_at_the_mirror() -> None:
    """What came with success, or is unchanged, needs no mirror."""
    parts = with_mirrors()
    request = make_request(f"{A}/1")
    again = Retry(EPOCH + 5, request)
    failed = Failure(request, ErrorKind.CONNECT, "refused")
    moved = parts.mirrors.next_attempt(failed, again, EPOCH, True)
    assert isinstance(moved, Retry)
    assert (moved.at, moved.request.url.href) == (EPOCH, f"{B}/1")
    for fine in (make_response(request), NotModified(request, make_headers({}))):
        assert parts.mirrors.next_attempt(fine, again, EPOCH, True) is again
