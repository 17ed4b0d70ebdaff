"""The state that the parts of an engine share."""

from __future__ import annotations

from scraper.engine.run_state import RunState, StopReason, forget_lease
from scraper.model import Lease, StopKind
from scraper.testing.fakes import make_request
from scraper.testing.virtual_loop import virtual_run


def make_lease(number: int, kind: str = "page") -> Lease:
    return Lease(number, make_request(f"http://a.example/{number}", kind=kind), 0.0)


@virtual_run
async def test_its_repr_says_what_a_run_waits_for() -> None:
    """Counts, not contents: a million leases make no longer line."""
    state = RunState.create(4)
    for number in range(3):
        state.lease_taken(make_lease(number))
    state.stop(StopReason(StopKind.INTERRUPTED))
    shown = repr(state)
    assert "unsettled=3" in shown
    assert "stop=interrupted" in shown
    assert len(shown) < 400


@virtual_run
async def test_the_first_reason_to_stop_counts() -> None:
    """What follows from it is not the cause."""
    state = RunState.create(4)
    state.stop(StopReason(StopKind.MAX_TIME))
    state.stop(StopReason(StopKind.INTERRUPTED))
    assert state.stop_reason == StopReason(StopKind.MAX_TIME)
    assert state.stopping.is_set()


@virtual_run
async def test_the_feed_is_needed_after_so_many_leases() -> None:
    """Not before, and not when nobody waits for it."""
    state = RunState.create(4)
    state.lease_taken(make_lease(1))
    assert not state.feed_needed.is_set()
    state.leases_until_refill = 2
    state.lease_taken(make_lease(2))
    assert not state.feed_needed.is_set()
    state.lease_taken(make_lease(3))
    assert state.feed_needed.is_set()


@virtual_run
async def test_pages_and_files_are_counted_apart() -> None:
    """A file takes nothing of the page budget."""
    state = RunState.create(4)
    page, file = make_lease(1), make_lease(2, "file")
    state.lease_taken(page)
    state.lease_taken(file)
    assert state.pages_leased == 1
    state.lease_settled(file)
    state.lease_settled(page, settled_page=True)
    assert (state.pages_leased, state.pages_settled, state.unsettled) == (0, 1, {})


@virtual_run
async def test_a_full_queue_needs_no_flush_request() -> None:
    """The recorder is at work anyway, and nobody waits for it."""
    state = RunState.create(4)
    for _ in range(1000):
        state.request_flush()
    assert state.results.full()


@virtual_run
async def test_a_newer_lease_of_the_same_entry_stays_outstanding() -> None:
    """A hop keeps its entry's id: it may be leased again before the earlier lease is marked as settled."""
    state = RunState.create(4)
    asked, hop = make_lease(1, "file"), make_lease(1, "file")
    state.lease_taken(asked)
    state.lease_taken(hop)
    state.lease_settled(asked)
    assert state.unsettled == {1: hop}
    state.lease_settled(hop)
    assert not state.unsettled


def test_a_worker_forgets_its_own_lease_alone() -> None:
    """Another worker may have the same entry in hand by then."""
    earlier, later = make_lease(1), make_lease(1)
    in_flight = {1: later}
    forget_lease(in_flight, earlier)
    assert in_flight == {1: later}
    forget_lease(in_flight, later)
    assert not in_flight
