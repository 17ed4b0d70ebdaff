"""The gate: all rules at once, for any order of events."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scraper.events import BreakerOpened, HostParked
from scraper.model import ErrorKind, Outcome
from scraper.politeness.circuit_breaker import BreakerSettings
from scraper.politeness.host_gate import GateSettings, HostGate
from tests.politeness.outcomes import NOW, denied, failure, not_modified, page

OUTCOMES: dict[str, Outcome] = {
    "200": page(),
    "slow": page(ttfb=20.0),
    "304": not_modified(),
    "403": page(403),
    "404": page(404),
    "429": page(429),
    "503": page(503, {"Retry-After": "40"}),
    "6h": page(503, {"Retry-After": "21600"}),
    "reset": failure(ErrorKind.NETWORK),
    "time-out": failure(ErrorKind.TIMEOUT, elapsed=30.0),
    "denied": denied(),
}
SETTINGS = {
    "default": GateSettings(),
    "one by one": GateSettings(rate=0.2, concurrency=1),
    "unlimited": GateSettings(rate=None, concurrency=None, adaptive=False, breaker=None),
    "budget": GateSettings(rate=None, concurrency=3, max_pages=5),
    "nervous": GateSettings(breaker=BreakerSettings(failures=1, window=2, give_up=2), long_crawl_delay="skip"),
}


class HostGateMachine(RuleBasedStateMachine):
    """Requests start when the gate lets them and end in any way, in any order, across restarts."""

    @initialize(name=st.sampled_from(sorted(SETTINGS)), seed=st.integers(0, 2**32))
    def open(self, name: str, seed: int) -> None:
        self.settings = SETTINGS[name]
        self.gate = HostGate(self.settings, "h")
        self.rng = random.Random(seed)
        self.now = NOW
        self.last = -math.inf
        self.crawl_delay = 0.0
        self.parked = 0.0
        self.under_way = 0

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.3, 2.0, 70.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def wait_until_ready(self) -> None:
        if self.gate.ready_at() < math.inf:
            self.now = max(self.now, self.gate.ready_at())

    @precondition(lambda self: self.gate.ready_at() <= self.now)
    @rule()
    def start(self) -> None:
        interval = max(1 / self.settings.rate if self.settings.rate else 0.0, self.crawl_delay)
        assert self.now - self.last >= interval - 1e-6
        assert self.now >= self.parked
        self.last = self.now
        self.under_way += 1
        answer = self.gate.on_start(self.now)
        assert answer == self.gate.ready_at()

    @precondition(lambda self: self.under_way)
    @rule(name=st.sampled_from(sorted(OUTCOMES)), lag=st.sampled_from([0.0, 0.02, 5.0]))
    def finish(self, name: str, lag: float) -> None:
        self.under_way -= 1
        for event in self.gate.on_finish(OUTCOMES[name], self.now, rng=self.rng, loop_lag=lag):
            if isinstance(event, HostParked | BreakerOpened) and event.until < math.inf:
                self.parked = max(self.parked, event.until)

    @precondition(lambda self: self.under_way)
    @rule(name=st.sampled_from(["200", "slow", "404", "503"]))
    def turn(self, name: str) -> None:
        held = self.gate.ready_at() > self.now and self.under_way == 1 and self.gate.breaker_state == "open"
        events = self.gate.on_replace(OUTCOMES[name], self.now, self.rng)
        if events is None:
            return
        assert not held
        interval = max(1 / self.settings.rate if self.settings.rate else 0.0, self.crawl_delay)
        assert self.now - self.last >= interval - 1e-6
        self.last = self.now
        for event in events:
            if isinstance(event, HostParked | BreakerOpened) and event.until < math.inf:
                self.parked = max(self.parked, event.until)

    @rule(seconds=st.sampled_from([None, 0.0, 3.0, 31.0]))
    def robots(self, seconds: float | None) -> None:
        self.gate.set_crawl_delay(seconds, self.now)
        self.crawl_delay = seconds or 0.0

    @precondition(lambda self: self.under_way == 0)
    @rule()
    def restart(self) -> None:
        before = self.gate
        self.gate = HostGate.from_json(self.settings, "h", before.to_json())
        # A learned pace is stored rounded: that moves the next instant by some milliseconds.
        assert self.gate.ready_at() == pytest.approx(before.ready_at(), abs=0.05)
        assert self.gate.delay_seconds == pytest.approx(before.delay_seconds, abs=0.05)
        for name in ("breaker_state", "budget_used", "gave_up_reason"):
            assert getattr(self.gate, name) == getattr(before, name), name

    @invariant()
    def the_cap_holds(self) -> None:
        if not hasattr(self, "gate"):
            return
        assert self.gate.in_flight == self.under_way
        cap = 1 if self.crawl_delay else self.settings.concurrency or math.inf
        if self.under_way >= cap:
            assert self.gate.ready_at() == math.inf

    @invariant()
    def the_instant_is_a_number_and_has_a_reason(self) -> None:
        if not hasattr(self, "gate"):
            return
        ready = self.gate.ready_at()
        assert not math.isnan(ready)
        assert ready >= 0
        assert bool(self.gate.wait_reason(self.now)) == (ready > self.now)
        if self.gate.gave_up_reason:
            assert ready == math.inf


TestHostGateMachine = HostGateMachine.TestCase
TestHostGateMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_the_latest_rule_decides_and_is_named() -> None:
    """Of rate, crawl-delay and Retry-After the one that ends last is the reason."""
    gate = HostGate(GateSettings(rate=1.0), "h")
    assert (gate.ready_at(), gate.wait_reason(NOW)) == (0.0, "")
    gate.on_start(NOW)
    assert gate.wait_reason(NOW) == "rate limit: one request every 1 s (for another 1 s)"
    gate.set_crawl_delay(10, NOW)
    assert gate.wait_reason(NOW) == "crawl-delay: robots.txt asks for 10 s between requests"
    gate.on_finish(page(429, {"Retry-After": "60"}), NOW, random.Random(1))
    assert gate.wait_reason(NOW).startswith("retry-after 60 s (for another 6")
    assert gate.delay_seconds == 10


def test_why_a_host_has_ended_is_a_word() -> None:
    """Each way to end has its own, and a host that goes on has none."""
    rng = random.Random(1)

    def after(name: str, count: int, settings: GateSettings) -> str:
        gate = HostGate(settings, "h")
        for n in range(count):
            gate.on_start(NOW + 7200 * n)
            gate.on_finish(OUTCOMES[name], NOW + 7200 * n, rng)
        return gate.gave_up_reason

    assert after("200", 3, GateSettings()) == ""
    assert after("200", 3, GateSettings(max_pages=3)) == "max_pages_per_host"
    assert after("403", 10, GateSettings()) == ""
    assert after("403", 15, GateSettings(breaker=BreakerSettings(last_chances=0))) == "blocked"
    assert after("reset", 11, GateSettings(breaker=BreakerSettings(give_up=5))) == "host_dead"
    gate = HostGate(GateSettings(long_crawl_delay="skip"), "h")
    (event,) = gate.set_crawl_delay(60, NOW)
    assert (gate.gave_up_reason, isinstance(event, HostParked)) == ("crawl_delay", True)


def test_a_dead_host_may_be_tried_again_by_a_new_run() -> None:
    """Restored it is still dead; pardoned it may be asked at once, and a failure opens the breaker again."""
    gate = HostGate(GateSettings(rate=None, breaker=BreakerSettings(give_up=1)), "h")
    for n in range(7):
        gate.on_start(NOW + 60 * n)
        gate.on_finish(failure(), NOW + 60 * n, random.Random(1))
    again = HostGate.from_json(GateSettings(rate=None), "h", gate.to_json())
    assert (again.gave_up_reason, again.breaker_state, again.ready_at()) == ("host_dead", "open", math.inf)
    again.reset_given_up(NOW + 1000)
    assert (again.gave_up_reason, again.ready_at()) == ("", NOW + 1000)


def test_a_wait_longer_than_allowed_is_deferred() -> None:
    """The gate says so for as long as it lasts."""
    gate = HostGate(GateSettings(), "h")
    gate.on_start(NOW)
    gate.on_finish(OUTCOMES["6h"], NOW, random.Random(1))
    assert gate.wait_reason(NOW).startswith("deferred: retry-after 6 h")
    assert gate.wait_reason(NOW + 7 * 3600) == ""


@pytest.mark.parametrize("cap", [3600.0, 86400.0])
def test_a_very_long_wait_is_told(cap: float) -> None:
    """Retry-After and Crawl-delay above `max_retry_after`: for as long as they last, also in a later session."""
    gate = HostGate(GateSettings(max_retry_after=cap), "h")
    gate.on_start(NOW)
    gate.on_finish(OUTCOMES["6h"], NOW, random.Random(1))
    again = HostGate.from_json(GateSettings(max_retry_after=cap), "h", gate.to_json())
    for one in (gate, again):
        assert bool(one.long_wait(NOW)) is (cap == 3600.0)
        assert one.long_wait(NOW + 7 * 3600) == ""
    gate = HostGate(GateSettings(max_retry_after=cap), "h")
    gate.on_start(NOW)
    gate.on_finish(OUTCOMES["200"], NOW, random.Random(1))
    gate.set_crawl_delay(99_999_999, NOW)
    assert gate.long_wait(NOW).startswith("deferred: crawl-delay")
    gate.set_crawl_delay(60, NOW)
    assert gate.long_wait(NOW) == ""


HTTP, HTTPS = "http://h.example", "https://h.example"


def failing_https(gate: HostGate, count: int = 6, now: float = NOW) -> None:
    for _ in range(count):
        gate.on_start(now, HTTPS)
        gate.on_finish(failure(), now, random.Random(1))


def test_the_breaker_of_one_origin_leaves_the_other_alone() -> None:
    """http and https of one name share its rate, not its failures."""
    gate = HostGate(GateSettings(rate=None), "h.example")
    failing_https(gate)
    assert gate.ready_at() == NOW + 60  # as far as the gate knows, all of the host's requests are for https
    gate.meet(HTTP)
    assert (gate.is_mixed, gate.ready_at()) == (True, 0.0)
    assert (gate.origin_ready_at(HTTP), gate.origin_ready_at(HTTPS)) == (0.0, NOW + 60)
    assert (gate.breaker_state_of(HTTP), gate.breaker_state_of(HTTPS), gate.breaker_state) == ("closed", "open", "open")
    assert gate.wait_reason_of(HTTPS, NOW).startswith("breaker open")
    again = HostGate.from_json(GateSettings(rate=None), "h.example", gate.to_json())
    assert (again.is_mixed, again.origin_ready_at(HTTP), again.origin_ready_at(HTTPS)) == (True, 0.0, NOW + 60)


def test_a_mixed_host_is_given_up_when_both_its_origins_are() -> None:
    """Before that only the requests of one are."""
    gate = HostGate(GateSettings(rate=None, breaker=BreakerSettings(give_up=1)), "h.example")
    failing_https(gate)
    failing_https(gate, 1, NOW + 60)
    assert (gate.gave_up_reason, gate.ready_at()) == ("host_dead", math.inf)
    gate.expect_other_origin()
    assert (gate.gave_up_reason, gate.ready_at()) == ("", 0.0)
    assert (gate.gave_up_reason_of(HTTPS), gate.gave_up_reason_of(HTTP)) == ("host_dead", "")


@pytest.mark.parametrize("switch", ["adaptive", "breaker"])
def test_a_rule_that_is_switched_off_is_not_there(switch: str) -> None:
    """Without them nothing but rate and cap holds a failing, slow host back."""
    off = {"adaptive": False, "breaker": None}
    gate = HostGate(GateSettings(rate=None, **off), "h")  # type: ignore[arg-type]
    for _ in range(100):
        gate.on_start(NOW)
        gate.on_finish(OUTCOMES["time-out"], NOW, random.Random(1))
    assert (gate.ready_at() <= NOW, gate.breaker_state, gate.delay_seconds) == (True, "closed", 0.0), switch


JUNK = [
    "",
    "null",
    "[]",
    "{",
    "nonsense",
    '"v"',
    "{}",
    '{"v":2,"rate":[1e9]}',
    '{"v":1,"rate":1e9}',
    '{"v":1,"rate":["1"]}',
    '{"v":1,"rate":[true]}',
    '{"v":1,"rate":[-1]}',
    '{"v":1,"rate":[1e300]}',
    '{"v":1,"rate":[1,2]}',
    '{"v":1,"breaker":["molten",0,0,0,0,"0"]}',
    '{"v":1,"breaker":["open",0,0,0,0,"-1"]}',
    '{"v":1,"breaker":["open",0,0,0,0,"xyz"]}',
    '{"v":1,"breaker":["open",0,0,0,0,7]}',
    '{"v":1,"breaker":["half-open",0,0,0,0,"0"]}',
    '{"v":1,"breaker":[["open"],0,0,0,0,"0"]}',
    '{"v":1,"throttle":[61,1,1,1,1]}',
    '{"v":1,"slow-down":[null,1,1,1]}',
    '{"v":1,"pages":[1e17]}',
    '{"v":1,"pace":[5,5,0]}',
    '{"v":1,"pace":[null,5,0,0]}',
    '{"v":1,"pace":[0,0,-1,0]}',
    "\ud800",
]


@pytest.mark.parametrize("note", JUNK, ids=range(len(JUNK)))
def test_a_junk_note_makes_a_fresh_gate(note: str) -> None:
    """What cannot be read is forgotten, and nothing is raised."""
    gate = HostGate.from_json(GateSettings(), "h", note)
    assert (gate.ready_at(), gate.breaker_state, gate.delay_seconds, gate.budget_used) == (0.0, "closed", 0.5, False)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
NAMES = ("rate", "concurrency", "crawl-delay", "throttle", "slow-down", "breaker", "pages", "pace")


@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=7))
def test_any_note_makes_a_gate_that_works(fields: dict[str, object]) -> None:
    """Whatever JSON a note holds, the gate can be asked, started and finished."""
    gate = HostGate.from_json(GateSettings(), "h", json.dumps({"v": 1, **fields}))
    assert not math.isnan(gate.on_start(NOW))
    gate.on_finish(page(), NOW, random.Random(1))
    assert isinstance(gate.wait_reason(NOW), str)
    assert HostGate.from_json(GateSettings(), "h", gate.to_json()).breaker_state == gate.breaker_state


def test_a_note_is_short() -> None:
    """It is written with every group of pages, for every host in it."""
    gate = HostGate(GateSettings(), "h")
    for outcome in OUTCOMES.values():
        gate.on_start(NOW)
        gate.on_finish(outcome, NOW, random.Random(1))
    assert len(gate.to_json()) < 300


def test_the_repr_names_the_host_and_its_state() -> None:
    """A gate in a debugger or a failing test says what it is doing."""
    gate = HostGate(GateSettings(rate=None, max_pages=1), "h")
    gate.on_start(NOW)
    assert repr(gate) == "<HostGate h: 1 in flight, breaker closed, ready at inf>"
    gate.on_finish(page(), NOW, random.Random(1))
    assert repr(gate) == "<HostGate h: 0 in flight, breaker closed, ready at inf, gave up: max_pages_per_host>"
