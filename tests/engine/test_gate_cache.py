"""Gates are kept, compacted and restored without a host being treated less politely."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.engine.gate_cache import GateCache
from scraper.politeness.host_gate import HOST_STATE_GATE, GateSettings, HostGate
from scraper.testing.fakes import make_response

SETTINGS = GateSettings(rate=None, concurrency=None, adaptive=False)


def blocked_gate(host: str) -> HostGate:
    """A gate whose host has asked for a pause of an hour at 0."""
    gate = HostGate(SETTINGS, host)
    gate.on_start(0.0)
    gate.on_finish(make_response(f"http://{host}/", status=429, headers={"Retry-After": "3600"}), 0.0, random.Random(1))
    return gate


def test_a_gate_is_made_once() -> None:
    """Later calls give the same object, whatever state a lease brings."""
    cache = GateCache(lambda _: SETTINGS, 10, 10)
    gate = cache.get_or_restore("a")
    assert cache.get_or_restore("a", {HOST_STATE_GATE: blocked_gate("a").to_json()}) is gate
    assert (cache.peek("a"), cache.peek("b")) == (gate, None)


def test_a_gate_is_restored_from_the_state_of_a_lease() -> None:
    """An earlier session's pause still holds."""
    cache = GateCache(lambda _: SETTINGS, 10, 10)
    gate = cache.get_or_restore("a", {HOST_STATE_GATE: blocked_gate("a").to_json()}, 10.0)
    assert gate.ready_at() >= 3600


def test_an_idle_gate_is_compacted_and_comes_back() -> None:
    """A gate that made room remembers its pause; one with a request in flight does not make room."""
    cache = GateCache(lambda _: SETTINGS, 2, 10)
    busy = cache.get_or_restore("busy")
    busy.on_start(0.0)
    cache.get_or_restore("a", {HOST_STATE_GATE: blocked_gate("a").to_json()})
    cache.get_or_restore("b")
    assert cache.peek("a") is None
    assert cache.peek("busy") is busy
    assert cache.get_or_restore("a").ready_at() >= 3600


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from("abcdefgh"), max_size=60), st.integers(1, 4), st.integers(0, 3))
def test_memory_is_bounded(hosts: list[str], active: int, dormant: int) -> None:
    """Never more idle gates than allowed, and the latest one is always there."""
    cache = GateCache(lambda _: SETTINGS, active, dormant)
    for host in hosts:
        gate = cache.get_or_restore(host)
        assert cache.peek(host) is gate
        assert len(list(cache.most_recent(100))) <= active
        assert [name for name, _ in cache.most_recent(1)] == [host]
