"""What stays of a URL when its numbers, dates and parameters are left out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.urls.patterns import numbers_of, pattern_of

H = "http://h"


@pytest.mark.parametrize(
    ("target", "text", "kind"),
    [
        ("/", "/", "single"),
        ("/about/team", "/about/team", "single"),
        ("/cal/2024-01", "/cal/{date}", "dated"),
        ("/cal/2024/01/15/", "/cal/{date}/", "dated"),
        ("/cal/2024-w05", "/cal/{date}", "dated"),
        ("/cal/01-2024", "/cal/{date}", "dated"),
        ("/cal/jan-2024", "/cal/{date}", "dated"),
        ("/cal/2024/february", "/cal/{date}", "dated"),
        ("/cal/20240131", "/cal/{date}", "dated"),
        ("/event/weekly-2024-05-06", "/event/weekly-{date}", "dated"),
        ("/c?month=1&year=2024", "/c?month&year", "dated"),
        ("/c?tribe[day]=5", "/c?tribe[day]", "dated"),
        ("/c?at=2024-01-15", "/c?at", "dated"),
        ("/item/2024", "/item/{n}", "numbered"),
        ("/item/20249931", "/item/{n}", "numbered"),
        ("/list?page=7", "/list?page", "numbered"),
        ("/list?q=word", "/list?q", "single"),
        ("/list?b=1&a=2", "/list?a&b", "combined"),
        ("/list?a=2&b=1&b=3", "/list?a&b", "combined"),
        ("/list/color=red/size=m", "/list?color&size", "combined"),
        ("/list/color=red;size=m", "/list?color&size", "combined"),
        ("/http:/a.example/http:/b.example/", "/http:/...", "combined"),
        ("/en/a/b/a/", "/en/...", "combined"),
        ("/1/2/1/2", "/{n}/{n}/{n}/{n}", "numbered"),
        ("/a/a", "/a/a", "single"),
    ],
)
def test_dates_numbers_and_values_are_left_out(target: str, text: str, kind: str) -> None:
    """The pattern names the path and the parameters, whose order does not matter; a year alone is only a number."""
    pattern = pattern_of(H, target)
    assert (pattern.text, pattern.kind) == (H + text, kind)


def test_a_family_is_a_path_and_all_dates_of_a_site() -> None:
    """Months lead to days and days to months; filters of one path lead to one another."""
    assert pattern_of(H, "/month/2024-01").family == pattern_of(H, "/day?d=2024-01-15").family == H
    assert pattern_of(H, "/list?a=1").family == pattern_of(H, "/list?a=1&b=2").family
    assert pattern_of(H, "/list?a=1").family != pattern_of(H, "/item?a=1").family
    assert pattern_of(H, "/list").family != pattern_of("http://other", "/list").family


@given(st.text(max_size=60))
@settings(deadline=None)
def test_any_target_has_a_pattern(text: str) -> None:
    """Whatever a site links to; the pattern of a URL depends on nothing else."""
    assert pattern_of(H, "/" + text) == pattern_of(H, "/" + text)


def test_numbers_are_bounded() -> None:
    """A number of a thousand digits is none that a page could count with."""
    assert numbers_of(f"/a/12?b=007&c={'9' * 1000}") == [12, 7]
