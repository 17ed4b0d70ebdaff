"""Estimate the time left, from the current rate and from the rate limit of each host."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

# Steps of the bisection: more than a float has significant bits.
MAX_BISECTIONS = 60


class HostEstimate(NamedTuple):
    """One host: its waiting URLs, `delay` seconds between request starts, `wait` seconds until the next start.

    `wait` is infinite for a host that was given up, or whose next start depends on a request in flight.
    """

    waiting: int
    delay: float
    wait: float = 0.0
    gave_up: bool = False


def time_left(known: int, limit: int | None, rate: float | None, hosts: Sequence[HostEstimate]) -> float | None:
    """Seconds until `known` URLs, or `limit` of them, are settled at `rate` URLs per second; None without a rate.

    It is at least what the slowest host needs: a parked host delays the end, however fast the others are.
    The URLs of hosts that were given up do not count.
    """
    known = max(0, known - sum(host.waiting for host in hosts if host.gave_up))
    goal = known if limit is None else min(known, limit)
    if goal <= 0:
        return 0.0
    if not rate:
        return None
    return max(goal / rate, shortest_time(goal, [host for host in hosts if not host.gave_up], known))


def shortest_time(goal: int, hosts: Sequence[HostEstimate], known: int | None = None) -> float:
    """The least time (seconds) in which `goal` URLs can be fetched from `hosts`, each at its own rate.

    `known` also counts URLs of hosts that are not among `hosts`; these are assumed to take no time.
    """
    waiting = sum(host.waiting for host in hosts)
    needed = min(waiting, goal - max(0, (waiting if known is None else known) - waiting))
    if needed <= 0:
        return 0.0
    paces = [
        host._replace(wait=0.0 if host.wait == math.inf else max(0.0, host.wait)) for host in hosts if host.waiting
    ]
    # The number of URLs that can be fetched within a time only grows with the time: bisect.
    low, high = 0.0, max(host.wait + (host.waiting - 1) * host.delay for host in paces)
    for _ in range(MAX_BISECTIONS):
        middle = (low + high) / 2
        if sum(_available_within(host, middle) for host in paces) >= needed:
            high = middle
        else:
            low = middle
    return high


def _available_within(host: HostEstimate, seconds: float) -> int:
    """URLs that may be requested from a host within `seconds`."""
    if seconds < host.wait:
        return 0
    if host.delay <= 0:
        return host.waiting
    return int(min(host.waiting, 1 + (seconds - host.wait) / host.delay))
