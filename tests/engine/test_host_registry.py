"""Counting on a host's gate, events, mirrors and parking happen together, and in one place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import scraper
from scraper.events import BreakerOpened
from scraper.frontier.interface import NEVER
from scraper.politeness.host_gate import GateSettings
from scraper.testing.fakes import make_response
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EPOCH
from tests.engine.parts import A, FakeMirrorPolicy, Parts

ROOT = Path(scraper.__file__).parent
TWO_A_SECOND = GateSettings(rate=2.0, concurrency=None, adaptive=False)
ONE_AT_ONCE = GateSettings(rate=None, concurrency=1, adaptive=False)


@pytest.mark.parametrize(
    ("method", "users"),
    [
        ("park", {"engine/engine.py"}),  # hands it to the registry
        ("on_start", {"engine/host_registry.py", "politeness/host_gate.py", "politeness/origin_health.py"}),
        ("on_finish", {"engine/host_registry.py", "politeness/host_gate.py", "politeness/origin_health.py"}),
        ("on_replace", {"engine/host_registry.py"}),
    ],
)
def test_hosts_are_counted_and_parked_by_the_registry_alone(method: str, users: set[str]) -> None:
    """Whoever called these elsewhere would forget the events, the mirrors or the parking."""
    found = set()
    for path in ROOT.rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(("testing/", "frontier/")):
            continue
        if any(
            isinstance(node, ast.Attribute) and node.attr == method for node in ast.walk(ast.parse(path.read_text()))
        ):
            found.add(name)
    assert found == users


@virtual_run
async def test_a_start_is_counted_and_parks_the_host() -> None:
    """With two requests a second, the next one may follow after half a second."""
    parts = Parts(gate=TWO_A_SECOND)
    gate = parts.hosts.get_or_restore("a.example")
    parts.hosts.start(gate, EPOCH)
    assert gate.in_flight == 1
    ((host, until),) = parts.frontier.parked
    assert (host, until) == ("a.example", EPOCH + 0.5)


@virtual_run
async def test_a_finish_is_counted_and_reopens_the_host() -> None:
    """A host with one request at once is closed for good by its start, and open again after its end."""
    parts = Parts(gate=ONE_AT_ONCE)
    gate = parts.hosts.get_or_restore("a.example")
    parts.hosts.start(gate, EPOCH)
    parts.hosts.finish(gate, make_response(f"{A}/"), EPOCH + 1)
    assert gate.in_flight == 0
    assert [until for _, until in parts.frontier.parked] == [NEVER, 0.0]


@virtual_run
async def test_without_reopen_nothing_is_parked() -> None:
    """The caller holds the host afterwards, with one call instead of two."""
    parts = Parts(gate=TWO_A_SECOND)
    gate = parts.hosts.get_or_restore("a.example")
    parts.hosts.start(gate, EPOCH, reopen=False)
    parts.hosts.finish(gate, make_response(f"{A}/"), EPOCH, reopen=False)
    assert parts.frontier.parked == []
    parts.hosts.hold(gate)
    parts.hosts.hold(gate, EPOCH + 60)
    assert [until for _, until in parts.frontier.parked] == [pytest.approx(EPOCH + 0.5), EPOCH + 60]


@virtual_run
async def test_a_request_is_replaced_unless_the_host_must_rest() -> None:
    """In place of a request that ended well another may start; not before the rate allows it."""
    parts = Parts(gate=TWO_A_SECOND)
    gate = parts.hosts.get_or_restore("a.example")
    parts.hosts.start(gate, EPOCH)
    response = make_response(f"{A}/")
    assert parts.hosts.replace(gate, response, EPOCH + 0.1) is False
    assert parts.hosts.replace(gate, response, EPOCH + 0.6) is True
    assert gate.in_flight == 1


@virtual_run
async def test_events_of_a_host_are_emitted_and_start_the_scan_for_mirrors() -> None:
    """A host whose breaker opens stays open in the frontier until its queue was scanned."""
    parts = Parts(policy=FakeMirrorPolicy({"a.example": "b.example"}))
    parts.break_host("a.example")
    assert len(parts.bus.of(BreakerOpened)) == 1
    assert parts.frontier.parked[-1] == ("a.example", 0.0)


@virtual_run
async def test_without_mirrors_a_host_that_fails_is_closed() -> None:
    """Until its breaker lets a probe through."""
    parts = Parts()
    parts.break_host("a.example")
    host, until = parts.frontier.parked[-1]
    assert host == "a.example"
    assert until > EPOCH


@virtual_run
async def test_requests_that_come_too_late_for_the_scan_reopen_the_host() -> None:
    """They were on their way into the frontier while the host began to fail."""
    parts = Parts(policy=FakeMirrorPolicy({"a.example": "b.example"}))
    parts.break_host("a.example")
    lease = await parts.lease(f"{A}/late")
    assert parts.mirrors.reroute_leased(lease) is not None  # the scan is over
    parts.frontier.parked.clear()
    parts.hosts.move_to_mirrors([lease.request])
    assert parts.frontier.parked == [("a.example", 0.0)]
