"""What circuit breakers did is kept over all sessions of a run, in bounded space."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.events import BreakerClosed, BreakerHalfOpen, BreakerOpened, CrawlEnded, Event
from scraper.report import breaker_log as breakers
from scraper.report.breaker_log import BreakerLog, BreakerTransition, read_transitions
from scraper.report.html.breaker_chart import (
    NOT_CLOSED_STATES,
    TimeSpan,
    Transition,
    breaker_chart,
    find_sessions,
    open_spans,
    parse_transitions,
)
from scraper.report.html.figures import Timeline
from scraper.report.stats import Stats
from tests.report.sample_crawl import GOOD, SLOW, T0, started


def session(path: Path, *events: Event, killed: bool = False) -> Stats:
    """One session of a run whose steps are kept at `path`."""
    stats = Stats()
    stats.log_breakers_to(path)
    for event in events if killed else (*events, CrawlEnded(events[-1].at + 1, "finished", "")):
        stats(event)
    return stats


def test_every_session_adds_its_steps_to_the_file(tmp_path: Path) -> None:
    """With where each begins and ends; one that is killed has no end."""
    path = tmp_path / "breakers.jsonl"
    session(path, started(), BreakerOpened(T0 + 5, SLOW, T0 + 65, "6 failures", 1), killed=True)
    session(path, started(T0 + 100), BreakerHalfOpen(T0 + 101, SLOW), BreakerClosed(T0 + 102, SLOW))
    last = session(path, started(T0 + 200), BreakerOpened(T0 + 201, GOOD, math.inf, "403s", 1))
    steps = read_transitions(path)
    assert [(step["host"], step["state"]) for step in steps] == [
        ("", "begin"),
        (SLOW, "open"),
        ("", "begin"),
        (SLOW, "half-open"),
        (SLOW, "closed"),
        ("", "end"),
        ("", "begin"),
        (GOOD, "blocked"),
        ("", "end"),
    ]
    assert [step.host for step in last.snapshot().breaker_transitions] == [GOOD], "a summary is of its own session"


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At twice what is kept the older half goes, also when the sessions are many."""
    monkeypatch.setattr(breakers, "MIN_TRANSITIONS_KEPT", 10)
    path = tmp_path / "breakers.jsonl"
    for number in range(7):
        steps = BreakerLog()
        steps.append_to(path)
        for n in range(8):
            steps.add(BreakerTransition(T0 + 100 * number + n, SLOW, "open", None, "x" * 5_000))
            assert path.read_bytes().count(b"\n") < 20
    kept = read_transitions(path)
    assert len(kept) >= 10
    assert kept[-1]["at"].endswith("23:27.000Z")
    assert {len(step["why"]) for step in kept} == {200}
    assert [entry.name for entry in tmp_path.iterdir()] == ["breakers.jsonl"]


def test_a_file_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    """The steps of the session are counted all the same."""
    stats = session(tmp_path / "none" / "x", started(), BreakerOpened(T0, SLOW, T0 + 9, "", 1))
    assert stats.snapshot().openings == 1
    assert read_transitions(tmp_path / "none" / "x") == []


def test_what_is_no_step_is_passed_over(tmp_path: Path) -> None:
    """A line that a kill cut short, lists, other keys, a date that is none."""
    path = tmp_path / "breakers.jsonl"
    good = {"at": "2023-11-14T22:13:30Z", "host": "a", "state": "open"}
    lines = [b'{"at": "20', b"[1]", b"\xff", orjson.dumps({"at": 5}), orjson.dumps({**good, "at": "soon"})]
    path.write_bytes(b"\n".join([*lines, orjson.dumps(good)]) + b"\n")
    assert [change.host for change in parse_transitions(read_transitions(path))] == ["a"]


def pages(*instants: float) -> Timeline:
    timeline = Timeline()
    for at in instants:
        timeline.add(at, failed=False, size=1)
    return timeline


def test_a_killed_session_ends_with_the_last_that_is_known_of_it() -> None:
    """Its last step or its last page, whichever is later; one at work ends now."""
    marks = [
        Transition(100, "", "begin"),
        Transition(110, "a", "open"),
        Transition(500, "", "begin"),
        Transition(510, "a", "closed"),
    ]
    assert find_sessions(marks, pages(), None) == [TimeSpan(100, 110), TimeSpan(500, 510)]
    assert find_sessions(marks, pages(101, 130, 505), 900.0) == [TimeSpan(100, 131), TimeSpan(500, 900)]
    assert find_sessions([*marks, Transition(520, "", "end")], pages(), 900.0) == [
        TimeSpan(100, 110),
        TimeSpan(500, 520),
    ]


def test_an_older_folder_without_marks_is_one_session() -> None:
    """From its first step to its last."""
    assert find_sessions([Transition(100, "a", "open"), Transition(130, "a", "closed")], pages(), None) == [
        TimeSpan(100, 130)
    ]


def test_nothing_is_drawn_between_sessions() -> None:
    """An open breaker is open again in the next one; a probe that nobody awaited is not."""
    both = [TimeSpan(0, 10), TimeSpan(50, 60)]
    opened = [Transition(5, "a", "open"), Transition(55, "a", "half-open"), Transition(56, "a", "closed")]
    assert open_spans(opened, both) == [
        ("open", TimeSpan(5, 10)),
        ("open", TimeSpan(50, 55)),
        ("half-open", TimeSpan(55, 56)),
    ]
    assert open_spans([Transition(5, "a", "half-open")], both) == [("half-open", TimeSpan(5, 10))]
    assert open_spans([Transition(5, "a", "blocked")], both) == [
        ("blocked", TimeSpan(5, 10)),
        ("blocked", TimeSpan(50, 60)),
    ]


STEP = st.tuples(st.integers(0, 100), st.sampled_from(["open", "half-open", "closed", "blocked"]))


@given(st.lists(STEP, min_size=1, max_size=20), st.lists(st.integers(0, 120), max_size=6))
def test_any_story_is_drawn_inside_its_sessions(steps: list[tuple[int, str]], marks: list[int]) -> None:
    """Pieces lie in sessions, in order, and never on each other."""
    changes = [Transition(at, "a", state) for at, state in sorted(steps)]
    changes += [Transition(at, "", ("begin", "end")[n % 2]) for n, at in enumerate(sorted(marks))]
    changes.sort(key=lambda change: change.at)
    sessions = find_sessions(changes, pages(), None)
    pieces = open_spans([change for change in changes if change.host], sessions)
    assert all(state in NOT_CLOSED_STATES for state, _ in pieces)
    assert all(any(s.start <= piece.start < piece.end <= s.end for s in sessions) for _, piece in pieces)
    assert all(one.end <= other.start for (_, one), (_, other) in pairwise(pieces))
    assert "Circuit breakers" in breaker_chart(changes, sessions)
