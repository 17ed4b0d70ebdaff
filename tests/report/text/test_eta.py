from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.report.text.eta import HostEstimate, shortest_time, time_left

LEFT = {
    "by the rate": (10, None, 2.0, [HostEstimate(10, 0.1)], 5.0),
    "by the pace of the slowest host": (10, None, 2.0, [HostEstimate(10, 10.0)], 90.0),
    "a parked host holds the end back": (10, None, 2.0, [HostEstimate(10, 0.0, 600.0)], 600.0),
    "a host that was given up has nothing left": (10, None, 2.0, [HostEstimate(10, 1.0, gave_up=True)], 0.0),
    "a limit that fast hosts fill": (20, 9, 3.0, [HostEstimate(10, 100.0), HostEstimate(10, 0.1)], 3.0),
    "URLs of hosts that are not told of": (20, 9, 3.0, [HostEstimate(10, 100.0)], 3.0),
    "no rate yet": (10, None, None, [HostEstimate(10, 1.0)], None),
    "never is no length of time": (10, None, 2.0, [HostEstimate(10, 0.1, math.inf)], 5.0),
    "nothing left": (0, None, None, [], 0.0),
}


@pytest.mark.parametrize("case", LEFT)
def test_the_time_left_is_the_slowest_hosts(case: str) -> None:
    """At least what the rate says, and at least what the hosts need at their own pace."""
    known, limit, rate, hosts, expected = LEFT[case]
    assert time_left(known, limit, rate, hosts) == pytest.approx(expected)


PACES = st.lists(
    st.builds(HostEstimate, st.integers(0, 50), st.just(0.0) | st.floats(0.01, 100), st.floats(0, 1000)), max_size=8
)


@given(PACES, st.integers(0, 200))
def test_the_shortest_time_is_enough_and_no_less_would_be(hosts: list[HostEstimate], goal: int) -> None:
    """In that time the hosts give the goal (or all they have); in a little less they do not."""
    seconds = shortest_time(goal, hosts)
    wanted = min(goal, sum(host.waiting for host in hosts))

    def given_in(time: float) -> int:
        asked = (h for h in hosts if time >= h.wait)
        return sum(h.waiting if h.delay == 0 else min(h.waiting, 1 + int((time - h.wait) / h.delay)) for h in asked)

    assert given_in(seconds * (1 + 1e-9) + 1e-6) >= wanted
    if seconds > 1e-3:
        assert given_in(seconds * (1 - 1e-6) - 1e-6) < wanted
