"""The circuit breaker: its table, when it trips, how it recovers, when it gives up."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.errors import ConfigError
from scraper.events import BreakerClosed, BreakerHalfOpen, BreakerOpened, Event, HostParked
from scraper.model import ErrorKind, Outcome
from scraper.politeness.circuit_breaker import (
    LAST_CHANCE_PAUSE,
    TRANSITIONS,
    BreakerSettings,
    BreakerSignal,
    BreakerState,
    CircuitBreaker,
)
from tests.politeness.outcomes import NOW, denied, failure, page, request

LEGAL_TRANSITIONS = {
    "closed trip open",
    "closed refuse blocked",
    "closed give_up dead",
    "open probe half-open",
    "half-open recover closed",
    "half-open relapse open",
    "half-open inconclusive open",
    "half-open refuse blocked",
    "half-open give_up dead",
    "blocked recover closed",
    "blocked probe half-open",
    "blocked reset open",
    "dead reset open",
}


@pytest.mark.parametrize(("state", "signal"), list(product(BreakerState, BreakerSignal)), ids=lambda word: str(word))
def test_every_pair_of_state_and_signal_is_as_the_table_says(state: BreakerState, signal: BreakerSignal) -> None:
    """A legal pair leads to its state; an illegal one is a bug and raises, leaving the state alone."""
    breaker = CircuitBreaker(BreakerSettings(), "h")
    breaker.state = state
    ends = [line.split()[2] for line in LEGAL_TRANSITIONS if line.split()[:2] == [state.value, signal.value]]
    if ends:
        breaker._apply(signal)
        assert [breaker.state.value] == ends
    else:
        with pytest.raises(KeyError):
            breaker._apply(signal)
        assert breaker.state is state


def test_the_table_holds_nothing_else() -> None:
    """The list above is the whole table."""
    assert {f"{state} {signal} {end}" for (state, signal), end in TRANSITIONS.items()} == LEGAL_TRANSITIONS


GOOD, BAD, REFUSED, LOST, MISSING = page(), failure(), page(403), denied(), page(404)
ERROR, ROBOTS = page(500), page(of=request("/robots.txt", kind="robots"))


def send(breaker: CircuitBreaker, outcome: Outcome, now: float = NOW) -> tuple[Event, ...]:
    breaker.on_start(now)
    return breaker.on_finish(outcome, now)


def breaker_after(*outcomes: Outcome, settings: BreakerSettings | None = None) -> CircuitBreaker:
    breaker = CircuitBreaker(settings or BreakerSettings(), "h")
    for outcome in outcomes:
        send(breaker, outcome)
    return breaker


TRIPS = [
    ("five failures", [BAD] * 5, BreakerState.CLOSED),
    ("six failures", [BAD] * 6, BreakerState.OPEN),
    ("six failures, void answers between", [BAD, LOST] * 6, BreakerState.OPEN),
    ("one success, then failures in a row", [GOOD, *[BAD] * 15], BreakerState.CLOSED),
    ("a failed window after one success", [GOOD, *[BAD] * 19], BreakerState.OPEN),
    ("a 404 is a sound answer", [MISSING, *[BAD] * 6], BreakerState.CLOSED),
    ("80 % of a full window", [*[GOOD] * 4, *[BAD] * 16], BreakerState.OPEN),
    ("75 % of a full window", [*[GOOD] * 5, *[BAD] * 15], BreakerState.CLOSED),
    ("the window forgets", [*[GOOD] * 40, *[BAD] * 16], BreakerState.OPEN),
    ("404 only", [MISSING] * 100, BreakerState.CLOSED),
    ("nine refusals", [REFUSED] * 9, BreakerState.CLOSED),
    ("ten refusals", [REFUSED] * 10, BreakerState.BLOCKED),
    ("refusals with a success between", [*[REFUSED] * 9, GOOD, *[REFUSED] * 9], BreakerState.CLOSED),
    ("refusals with a 404 between", [*[REFUSED] * 9, MISSING, REFUSED], BreakerState.BLOCKED),
    ("refusals with a redirect between", [*[REFUSED] * 9, page(302), REFUSED], BreakerState.CLOSED),
    ("refusals after one success", [GOOD, *[REFUSED] * 100], BreakerState.CLOSED),
    ("refusals after a robots.txt", [ROBOTS, *[REFUSED] * 10], BreakerState.BLOCKED),
]


@pytest.mark.parametrize(("outcomes", "state"), [row[1:] for row in TRIPS], ids=[row[0] for row in TRIPS])
def test_when_a_breaker_trips(outcomes: list[Outcome], state: BreakerState) -> None:
    """All of at least six failed, or 80 % of a full window of twenty; ten times 403 without a success blocks."""
    assert breaker_after(*outcomes).state is state


@given(st.lists(st.booleans(), max_size=19))
def test_a_success_in_the_window_forbids_the_rule_of_failures_in_a_row(answers: list[bool]) -> None:
    """However the failures are ordered, a window that is not full and holds a success never trips."""
    breaker = breaker_after(GOOD, *(GOOD if answer else BAD for answer in answers[:18]))
    assert breaker.state is BreakerState.CLOSED


def test_an_open_breaker_rests_then_sends_one_probe_and_closes() -> None:
    """Nothing for 60 s, then exactly one request, whose success closes the breaker; each step has its event."""
    breaker = breaker_after(*[BAD] * 5)
    (opened,) = send(breaker, BAD)
    assert opened == BreakerOpened(NOW, "h", NOW + 60, "6 failures and no success", 1)
    assert breaker.ready_at() == NOW + 60
    breaker.on_start(NOW + 60)
    assert (breaker.state, breaker.ready_at()) == (BreakerState.HALF_OPEN, math.inf)
    events = breaker.on_finish(GOOD, NOW + 61)
    assert events == (BreakerHalfOpen(NOW + 60, "h"), BreakerClosed(NOW + 61, "h"))
    assert breaker.ready_at() <= NOW + 61


def test_the_probe_waits_for_what_is_still_under_way() -> None:
    """Late answers are not mistaken for the probe's: the probe leaves only when nothing else is under way."""
    breaker = breaker_after(*[BAD] * 4)
    for _ in range(3):
        breaker.on_start(NOW)
    breaker.on_finish(BAD, NOW)
    breaker.on_finish(BAD, NOW)
    assert (breaker.state, breaker.ready_at()) == (BreakerState.OPEN, math.inf)
    assert breaker.on_finish(GOOD, NOW + 70) == ()
    assert (breaker.state, breaker.ready_at()) == (BreakerState.OPEN, NOW + 60)


def test_a_start_before_the_cool_down_is_over_is_no_probe() -> None:
    """Somebody who did not ask changes nothing."""
    breaker = breaker_after(*[BAD] * 6)
    assert send(breaker, GOOD, NOW + 1) == ()
    assert breaker.state is BreakerState.OPEN


def test_each_relapse_doubles_the_rest_up_to_the_longest() -> None:
    """60 s, 2, 4, ... min, and never more than `max_open`."""
    breaker = breaker_after(*[BAD] * 6, settings=BreakerSettings(give_up=9, max_open=500))
    rests, now = [], NOW
    for _ in range(6):
        rests.append(breaker.ready_at() - now)
        now = breaker.ready_at()
        send(breaker, BAD, now)
    assert rests == [60, 120, 240, 480, 500, 500]


def test_after_so_many_openings_the_host_is_dead() -> None:
    """The probe that fails after the last opening ends the host, endlessly and with a word to the user."""
    breaker = breaker_after(*[BAD] * 6, settings=BreakerSettings(give_up=2))
    send(breaker, BAD, NOW + 60)
    assert not breaker.dead
    events = send(breaker, BAD, NOW + 180)
    why = "host_dead: given up after 2 openings of its breaker"
    assert events == (BreakerHalfOpen(NOW + 180, "h"), HostParked(NOW + 180, "h", math.inf, why))
    assert (breaker.dead, breaker.ready_at()) == (True, math.inf)


def test_a_recovery_that_does_not_last_is_not_forgotten() -> None:
    """Openings are counted on until a whole window passes without tripping."""
    breaker = breaker_after(*[BAD] * 6)
    send(breaker, GOOD, NOW + 60)
    for _ in range(6):
        events = send(breaker, BAD, NOW + 61)
    assert events == (BreakerOpened(NOW + 61, "h", NOW + 181, "6 failures and no success", 2),)
    send(breaker, GOOD, NOW + 181)
    answers: list[Outcome] = [*[GOOD] * 20, *[BAD] * 16]
    for outcome in answers:
        events = send(breaker, outcome, NOW + 200)
    assert events == (BreakerOpened(NOW + 200, "h", NOW + 260, "16 failures in the last 20 responses", 1),)


def test_the_success_threshold_takes_several_probes_one_after_the_other() -> None:
    """With `successes` 2 the first good probe is followed by a second before the breaker closes."""
    breaker = breaker_after(*[BAD] * 6, settings=BreakerSettings(successes=2))
    send(breaker, GOOD, NOW + 60)
    assert (breaker.state, breaker.ready_at()) == (BreakerState.HALF_OPEN, NOW + 60)
    breaker.on_start(NOW + 61)
    assert breaker.ready_at() == math.inf
    breaker.on_finish(GOOD, NOW + 62)
    assert breaker.state is BreakerState.CLOSED


PROBES = [
    ("404", MISSING, BreakerState.CLOSED),
    ("403", REFUSED, BreakerState.CLOSED),
    ("429", page(429), BreakerState.OPEN),
    ("500", page(500), BreakerState.OPEN),
    ("time-out", failure(ErrorKind.TIMEOUT), BreakerState.OPEN),
]


@pytest.mark.parametrize(("outcome", "state"), [row[1:] for row in PROBES], ids=[row[0] for row in PROBES])
def test_what_a_probe_proves(outcome: Outcome, state: BreakerState) -> None:
    """Any sound answer shows that the host is back."""
    breaker = breaker_after(*[BAD] * 6)
    send(breaker, outcome, NOW + 60)
    assert breaker.state is state


def test_a_probe_that_was_never_sent_is_sent_again() -> None:
    """An outcome that says nothing about the host neither closes the breaker nor costs a rest."""
    breaker = breaker_after(*[BAD] * 6)
    send(breaker, LOST, NOW + 60)
    assert (breaker.state, breaker.ready_at()) == (BreakerState.OPEN, NOW + 60)


def test_a_tenth_refusal_as_the_probe_blocks() -> None:
    """Refusals are counted across openings."""
    breaker = breaker_after(*[REFUSED] * 9, *[BAD] * 6)
    events = send(breaker, REFUSED, NOW + 60)
    assert breaker.state is BreakerState.BLOCKED
    assert isinstance(events[-1], BreakerOpened)


def test_a_blocked_host_rests_and_is_tried_again() -> None:
    """Like one that fails: for 60 s, 2 min, ...; a success closes the breaker, and from then on 403 never blocks."""
    breaker = breaker_after(*[REFUSED] * 9)
    (event,) = send(breaker, REFUSED)
    assert isinstance(event, BreakerOpened)
    assert (event.until, event.why) == (NOW + 60, "blocked: the host answered 403 10 times without one success")
    assert (breaker.ready_at(), breaker.given_up) == (NOW + 60, False)
    send(breaker, REFUSED, NOW + 60)
    assert (breaker.state, breaker.ready_at()) == (BreakerState.BLOCKED, NOW + 180)
    send(breaker, GOOD, NOW + 180)
    for _ in range(50):
        send(breaker, REFUSED, NOW + 200)
    assert breaker.state is BreakerState.CLOSED


def test_a_success_under_way_revives_a_blocked_host() -> None:
    """It was sent before the last 403 came."""
    breaker = breaker_after(*[REFUSED] * 9)
    breaker.on_start(NOW)
    send(breaker, REFUSED)
    assert breaker.on_finish(GOOD, NOW) == (BreakerClosed(NOW, "h"),)
    assert breaker.ready_at() <= NOW


def test_refusals_block_only_where_they_are_counted() -> None:
    """`refusals: null` never blocks."""
    assert breaker_after(*[REFUSED] * 100, settings=BreakerSettings(refusals=None)).state is BreakerState.CLOSED


@pytest.mark.parametrize(("outcome", "state"), [(ERROR, BreakerState.DEAD), (REFUSED, BreakerState.BLOCKED)], ids=str)
def test_a_host_that_responds_is_given_up_only_after_the_last_chances(outcome: Outcome, state: BreakerState) -> None:
    """Each probe is another URL that waits, a pause apart; a good one among them closes the breaker."""
    settings = BreakerSettings(give_up=2, open=1, last_chances=3)
    breaker = breaker_after(*[outcome] * 10, settings=settings)
    for chance in range(1, 4):
        while breaker._openings < 2 or breaker._chances_used < chance:
            events = send(breaker, outcome, breaker.ready_at())
        (event,) = [event for event in events if isinstance(event, BreakerOpened)]
        assert event.why.startswith(f"last chance {chance} of 3 for the URLs that wait: ")
        assert event.until == event.at + LAST_CHANCE_PAUSE
        assert not breaker.given_up
    saved = CircuitBreaker(settings, "h")
    saved.load_state(breaker.dump_state())
    send(saved, GOOD, saved.ready_at())
    assert saved.state is BreakerState.CLOSED
    send(breaker, outcome, breaker.ready_at())
    assert (breaker.state, breaker.given_up, breaker.ready_at()) == (state, True, math.inf)
    again = CircuitBreaker(settings, "h")
    again.load_state(breaker.dump_state())
    assert (again.given_up, again.ready_at()) == (True, math.inf)


def test_a_host_that_does_not_respond_has_no_last_chances() -> None:
    """Whatever the URL, the next request would fail as well."""
    breaker = breaker_after(*[BAD] * 6, settings=BreakerSettings(give_up=1))
    send(breaker, BAD, NOW + 60)
    assert breaker.dead


@pytest.mark.parametrize(
    ("outcomes", "answered"), [([], False), ([BAD] * 6, False), ([MISSING], True), ([REFUSED], True), ([GOOD], True)]
)
def test_whether_a_host_has_ever_responded_is_remembered(outcomes: list[Outcome], answered: bool) -> None:
    """Then a failure to reach it is an outage; also in a later session."""
    breaker = breaker_after(*outcomes)
    again = CircuitBreaker(BreakerSettings(), "h")
    again.load_state(breaker.dump_state())
    assert (breaker.answered, again.answered) == (answered, answered)


def test_a_state_of_earlier_versions_is_read() -> None:
    """It has no number for the answers."""
    breaker = breaker_after(*[BAD] * 6)
    state = breaker.dump_state()
    assert state is not None
    again = CircuitBreaker(BreakerSettings(), "h")
    again.load_state(state[:-1])
    assert (again.state, again.ready_at()) == (BreakerState.OPEN, NOW + 60)


@pytest.mark.parametrize(
    "breaker",
    [
        breaker_after(*[REFUSED] * 11, settings=BreakerSettings(give_up=1, last_chances=0)),
        breaker_after(*[BAD] * 6, settings=BreakerSettings(give_up=1)),
    ],
    ids=["blocked", "dead"],
)
def test_a_pardoned_host_gets_a_probe(breaker: CircuitBreaker) -> None:
    """A new run may try hosts again that the last one left alone."""
    if not breaker.given_up:
        send(breaker, REFUSED if breaker.state is BreakerState.BLOCKED else BAD, NOW + 60)
    assert breaker.ready_at() == math.inf
    breaker.reset_given_up(NOW + 100)
    assert (breaker.state, breaker.ready_at()) == (BreakerState.OPEN, NOW + 100)
    send(breaker, GOOD, NOW + 100)
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("outcomes", [[], [BAD], [BAD] * 6], ids=["fresh", "closed", "open"])
def test_a_pardon_changes_nothing_for_other_hosts(outcomes: list[Outcome]) -> None:
    """An open breaker keeps its rest."""
    breaker = breaker_after(*outcomes)
    before = breaker.dump_state()
    breaker.reset_given_up(NOW)
    assert breaker.dump_state() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"failures": 0},
        {"window": 0},
        {"window": 10_001},
        {"ratio": 0},
        {"ratio": 1.1},
        {"open": 0},
        {"open": 7200},
        {"successes": 0},
        {"refusals": 0},
        {"last_chances": -1},
        {"give_up": 0},
        {"max_open": math.inf},
        {"open": math.nan},
    ],
    ids=str,
)
def test_settings_without_sense_are_refused(wrong: dict[str, float]) -> None:
    """A nonsensical value is a ConfigError and not a breaker that never trips."""
    with pytest.raises(ConfigError):
        BreakerSettings(**wrong)  # type: ignore[arg-type]


@given(st.lists(st.sampled_from([GOOD, BAD, REFUSED, LOST, MISSING]), max_size=60))
def test_a_restored_breaker_goes_on_as_the_old_one_would(outcomes: list[Outcome]) -> None:
    """`load(state())` keeps state, rest, window and counts: the next answers are judged alike."""
    old, now = CircuitBreaker(BreakerSettings(give_up=2, open=1), "h"), NOW
    for outcome in outcomes:
        now = max(now, old.ready_at()) if old.ready_at() < math.inf else now
        send(old, outcome, now)
    new = CircuitBreaker(BreakerSettings(give_up=2, open=1), "h")
    new.load_state(old.dump_state())
    assert (new.state, new.dump_state()) == (old.state, old.dump_state())
    for outcome in [BAD] * 30:
        now = max(now, old.ready_at()) if old.ready_at() < math.inf else now
        assert send(new, outcome, now) == send(old, outcome, now)


def test_a_probe_lost_with_the_process_is_sent_again() -> None:
    """Half-open is restored as open, ready when it was."""
    breaker = breaker_after(*[BAD] * 6)
    breaker.on_start(NOW + 60)
    again = CircuitBreaker(BreakerSettings(), "h")
    again.load_state(breaker.dump_state())
    assert (again.state, again.ready_at()) == (BreakerState.OPEN, NOW + 60)


def test_the_repr_names_the_host_and_the_window() -> None:
    """A breaker in a debugger or a failing test says where it stands and why."""
    breaker = breaker_after(MISSING, BAD, REFUSED)
    breaker.on_start(NOW)
    text = "<CircuitBreaker h closed: 1 of 2 failed, 0 openings, 1 refusals, 1 in flight>"
    assert repr(breaker) == text
