"""The statistics of a benchmark: percentiles, Little's law, the steady part of a run, and the knee.

Little's law (J. D. C. Little, "A Proof for the Queuing Formula L = λW", Operations Research 9(3), 1961): of `QueueT`
requests in flight that take `W` seconds each, `L / W` finish in a second, whatever the distribution of either. With the
server's latency as `W` and the concurrency as `QueueT` it is the most that any client can reach.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

# At most this share of a run is left out at either end as its ramp.
MAX_RAMP_SHARE = 0.25
# If the steady part has fewer completions, the whole run is used instead.
MIN_STEADY_COMPLETIONS = 4


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, smallest and largest of several measurements."""

    median: float
    low: float
    high: float

    @property
    def relative(self) -> float:
        """Half the distance between the extremes, as a share of the median; 0 if the median is 0."""
        return (self.high - self.low) / 2 / self.median if self.median else 0.0


@dataclass(frozen=True, slots=True)
class SteadyPart:
    """The part of a run between its ramps: `done` completions between the instants `start` and `end`, in seconds."""

    start: float
    end: float
    done: int

    @property
    def rate(self) -> float:
        """Completions per second."""
        return self.done / (self.end - self.start) if self.end > self.start else 0.0


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of the `ordered` values lie, interpolated linearly; 0.0 of nothing.

    Hyndman and Fan's type 7 ("Sample Quantiles in Statistical Packages", 1996), as spreadsheets and NumPy have it.
    """
    if not ordered:
        return 0.0
    position = min(max(share, 0.0), 1.0) * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def spread(values: Sequence[float]) -> Spread:
    """Median and extremes of `values`; zeros of nothing."""
    if not values:
        return Spread(0.0, 0.0, 0.0)
    return Spread(statistics.median(values), min(values), max(values))


def littles_law(concurrency: float, latency: float) -> float:
    """The most requests per second that `concurrency` in flight can finish when each takes `latency` seconds."""
    return concurrency / latency if latency > 0 else math.inf


def expected_rate(
    concurrency: int, latency: float, *, hosts: int = 1, per_host: int | None = None, rate: float | None = None
) -> float:
    """Little's law under politeness: a host takes at most `per_host` at once and `rate` starts per second.

    `latency` is in seconds; None stands for no limit.
    """
    in_flight = concurrency if per_host is None else min(concurrency, hosts * per_host)
    reachable = littles_law(in_flight, latency)
    return reachable if rate is None else min(reachable, hosts * rate)


def steady_part(instants: Sequence[float], concurrency: int, *, started: float) -> SteadyPart:
    """The steady part of a run whose completions happened at `instants` (seconds, any order).

    The first and the last `concurrency` completions are the ramps, in which fewer requests were in flight; each is at
    most a quarter of the run. Requests that start together complete together, in waves. Therefore whole waves are
    counted between the ramps, from the first completion of one wave to the first of another: a part of a wave would
    falsify the rate. A run that is too short for this is used as a whole, from `started` on.
    """
    ordered = sorted(instants)
    ramp = min(concurrency, int(len(ordered) * MAX_RAMP_SHARE))
    first = ramp
    waves = (len(ordered) - 1 - 2 * ramp) // ramp if ramp else 0
    last = first + waves * ramp
    if last - first < MIN_STEADY_COMPLETIONS or ordered[last] <= ordered[first]:
        return SteadyPart(started, ordered[-1] if ordered else started, len(ordered))
    return SteadyPart(ordered[first], ordered[last], last - first)


def find_knee(points: Sequence[tuple[int, float]]) -> int | None:
    """The concurrency at which throughput times efficiency is highest, of `(concurrency, rate)` pairs.

    That is Kleinrock's power, throughput over response time ("Power and Deterministic Rules of Thumb for Probabilistic
    Problems in Computer Communications", ICC 1979): by Little's law the response time is concurrency over rate, so
    power is rate² / concurrency. Up to the knee every doubling brings more than 41 % (√2) more throughput, beyond it
    less. None if no knee can be seen: fewer than three points, or the highest concurrency is still the best.
    """
    usable = sorted((level, rate) for level, rate in points if level > 0 and rate > 0)
    if len(usable) < 3:
        return None
    best = max(usable, key=lambda point: (point[1] ** 2 / point[0], -point[0]))
    return None if best[0] == usable[-1][0] else best[0]


def interpolate(samples: Sequence[tuple[float, float]], instant: float) -> float:
    """The linearly interpolated value at `instant` of ordered `(instant, value)` pairs; the nearest one outside."""
    if not samples:
        return 0.0
    if instant <= samples[0][0]:
        return samples[0][1]
    for (t0, v0), (t1, v1) in pairwise(samples):
        if instant <= t1:
            return v0 + (v1 - v0) * ((instant - t0) / (t1 - t0)) if t1 > t0 else v1
    return samples[-1][1]
