"""traps: shapes of URLs that a site makes without end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.urls.traps import MAX_CYCLE_SEGMENTS, TrapSettings, find_trap, has_repeated_cycle

OFF = TrapSettings(max_length=None, max_segments=0, max_repeats=None, max_params=0)


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        pytest.param("", None, id="root"),
        pytest.param("x" * (2048 - 9), None, id="as long as allowed"),
        pytest.param("x" * (2048 - 8), "traps.max_length: 2048", id="too long"),
        pytest.param("/".join("abcdefghijklmnop"), None, id="16 segments"),
        pytest.param("/".join("abcdefghijklmnop") + "/", None, id="16 segments and a slash"),
        pytest.param("/".join("abcdefghijklmnopq"), "traps.max_segments: 16", id="17 segments"),
        pytest.param("a/a", None, id="twice"),
        pytest.param("a/a/a", "traps.max_repeats: 2", id="three times"),
        pytest.param("x/a/a/a/y", "traps.max_repeats: 2", id="three times inside"),
        pytest.param("a/b/a/b", None, id="cycle twice"),
        pytest.param("a/b/a/b/a/b", "traps.max_repeats: 2", id="cycle three times"),
        pytest.param("a/b/a/b/a/b/", "traps.max_repeats: 2", id="cycle three times and a slash"),
        pytest.param("a/b/a/c/a/d/a", None, id="one segment often, not in a row"),
        pytest.param("a////b", "traps.max_repeats: 2", id="empty segments"),
        pytest.param("?" + "&".join("abcdefghij"), None, id="10 parameters"),
        pytest.param("?" + "&".join("abcdefghijk"), "traps.max_params: 10", id="11 parameters"),
        pytest.param("?u=/a/a/a/a/a/", None, id="slashes in the query are no segments"),
    ],
)
def test_each_limit_names_itself(path: str, rule: str | None) -> None:
    """A limit rejects what exceeds it and only that; turned off, it rejects nothing."""
    assert find_trap("http://h/" + path, TrapSettings()) == rule
    assert find_trap("http://h/" + path, OFF) is None


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=40), st.integers(1, 4))
def test_repeats_are_found_wherever_they_stand(segments: list[str], limit: int) -> None:
    """The answer is that of a plain search over all groups and positions."""
    expected = any(
        segments[at : at + size] * (limit + 1) == segments[at : at + size * (limit + 1)]
        for size in range(1, MAX_CYCLE_SEGMENTS + 1)
        for at in range(len(segments) - size * (limit + 1) + 1)
    )
    assert has_repeated_cycle(segments, limit) == expected


@given(st.text(max_size=200))
def test_nothing_raises(text: str) -> None:
    """Any text has an answer."""
    assert find_trap(text, OFF) is None
    assert find_trap("http://h/" + text, TrapSettings()) in {None, "traps.max_segments: 16", "traps.max_repeats: 2"} | {
        "traps.max_params: 10"
    }
