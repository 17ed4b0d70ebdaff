"""How long it will take: by the rate of late, and by what each host can give at its own pace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

# Steps of the search for an instant: more than a float has digits.
MAX_BISECTIONS = 60


class HostEstimate(NamedTuple):
    """What one host still has and how fast it may be asked: seconds between starts, and until the next start.

    `wait` is infinite for a host that will not be asked again, or not before something in flight has ended.
    """

    waiting: int
    delay: float
    wait: float = 0.0
    gave_up: bool = False


def time_left(known: int, limit: int | None, rate: float | None, hosts: Sequence[HostEstimate]) -> float | None:
    """Seconds until `known` URLs are done, or `limit` of them; None when nothing tells.

    It is at least what the slowest host needs: one that is parked holds the end back, however fast the others are.
    Hosts that were given up have nothing left to wait for.
    """
    known = max(0, known - sum(host.waiting for host in hosts if host.gave_up))
    goal = known if limit is None else min(known, limit)
    if goal <= 0:
        return 0.0
    if not rate:
        return None
    return max(goal / rate, shortest_time(goal, [host for host in hosts if not host.gave_up], known))


def shortest_time(goal: int, hosts: Sequence[HostEstimate], known: int | None = None) -> float:
    """The least time (seconds) in which `hosts`, each at its own pace, give `goal` URLs.

    `known` counts URLs of hosts that are not among `hosts`, too: those are taken to come at no cost.
    """
    waiting = sum(host.waiting for host in hosts)
    needed = min(waiting, goal - max(0, (waiting if known is None else known) - waiting))
    if needed <= 0:
        return 0.0
    paces = [
        host._replace(wait=0.0 if host.wait == math.inf else max(0.0, host.wait)) for host in hosts if host.waiting
    ]
    low, high = 0.0, max(host.wait + (host.waiting - 1) * host.delay for host in paces)
    for _ in range(MAX_BISECTIONS):
        middle = (low + high) / 2
        if sum(_available_within(host, middle) for host in paces) >= needed:
            high = middle
        else:
            low = middle
    return high


def _available_within(host: HostEstimate, seconds: float) -> int:
    """URLs that may be asked of a host within `seconds`."""
    if seconds < host.wait:
        return 0
    if host.delay <= 0:
        return host.waiting
    return int(min(host.waiting, 1 + (seconds - host.wait) / host.delay))
