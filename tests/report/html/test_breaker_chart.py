"""The chart of circuit breakers over all sessions."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scraper.report.html.breaker_chart import (
    NOT_CLOSED_STATES,
    TimeSpan,
    Transition,
    breaker_chart,
    find_sessions,
    open_spans,
)
from scraper.report.html.figures import Timeline


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
    """An open breaker is open again in the next one; a probe that no one awaited is not."""
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
