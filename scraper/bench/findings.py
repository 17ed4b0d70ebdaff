"""Turns measurements into sentences: where the knee is and why, what politeness costs, which limits to recommend.

The knee is the concurrency beyond which more requests in flight bring little more throughput; see `find_knee`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

from scraper.bench.measure.result import Row
from scraper.bench.measure.statistics import find_knee

# A core, or the server's maximum rate, that is used to this share counts as the limit.
BUSY_CORE_SHARE = 0.85
# From this share of a core on, twice the concurrency would not find enough CPU.
NEARLY_BUSY_CORE_SHARE = 0.7
# From this share of failed pages on, failures count as the limit.
FAILED_PAGE_SHARE = 0.01
# If fewer requests than this share of the concurrency were in flight, the workers waited for politeness limits.
MIN_IN_FLIGHT_SHARE = 0.8
# From this factor on, slower responses mean that the server slowed down.
SLOWDOWN_FACTOR = 1.3
# Warn if this process was ready to run but had no core for more than this share of the time.
CPU_WAIT_WARNING_SHARE = 0.1
# From this share of the rate that Little's law allows on, it counts as reached.
LITTLES_LAW_REACHED_SHARE = 0.95


class Limit(StrEnum):
    """What limits the throughput beyond the knee."""

    LATENCY = "latency"
    CPU = "cpu"
    MACHINE = "machine"
    SERVER = "server"
    CONNECTIONS = "connections"
    ERRORS = "errors"


def number_text(value: float) -> str:
    """A number with one decimal below 100, else none, and commas between thousands."""
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.1f}"


def millis_text(seconds: float) -> str:
    """A duration in seconds as text: in milliseconds below 10 s, else in seconds."""
    if seconds >= 9.9995:
        return f"{seconds:.1f} s"
    if seconds >= 0.00995:
        return f"{seconds * 1000:,.0f} ms"
    return f"{seconds * 1000:.1f} ms" if seconds >= 0.0005 else "under 1 ms"


def speedup_text(value: float) -> str:
    """A speed-up as text: `×12.5`, or `1/8.5` if it is slower; empty for zero."""
    if value <= 0:
        return ""
    return f"×{number_text(value)}" if value >= 0.95 else f"1/{number_text(1 / value)}"


def find_limit(row: Row, at_knee: Row, max_server_rate: float | None) -> Limit:
    """What limited `row`, which was measured beyond the knee.

    The causes are checked in this order, the most certain ones first:
    1. many pages failed, and clearly more than at the knee;
    2. this process used its whole core;
    3. it would have, but other programs took part of the core;
    4. the server's process was busy, or its maximum rate was reached;
    5. fewer requests in flight than allowed: politeness limits held them back;
    6. responses became slower although this process had CPU to spare: the server again.
    """
    sample = row.sample
    if sample.errors > FAILED_PAGE_SHARE * sample.pages and sample.errors / sample.pages > 2 * _failed_share(at_knee):
        return Limit.ERRORS
    if sample.cpu_share >= BUSY_CORE_SHARE:
        return Limit.CPU
    if sample.cpu_share + sample.cpu_wait_share >= BUSY_CORE_SHARE:
        return Limit.MACHINE
    if _is_server_bound(row, max_server_rate):
        return Limit.SERVER
    if sample.in_flight < MIN_IN_FLIGHT_SHARE * row.concurrency:
        return Limit.CONNECTIONS
    if sample.p50 > SLOWDOWN_FACTOR * at_knee.sample.p50:
        return Limit.SERVER
    return Limit.LATENCY


def _failed_share(row: Row) -> float:
    return row.sample.errors / row.sample.pages if row.sample.pages else 0.0


def _is_server_bound(row: Row, max_server_rate: float | None) -> bool:
    at_work = row.sample.server_cpu is not None and row.sample.server_cpu >= BUSY_CORE_SHARE
    return at_work or (max_server_rate is not None and row.sample.rate >= BUSY_CORE_SHARE * max_server_rate)


def explain_knee(rows: Sequence[Row], max_server_rate: float | None) -> tuple[int | None, str]:
    """The knee of the engine's `rows` (in rising concurrency; None if there is none) and a sentence about it."""
    engine = [row for row in rows if row.concurrency > 0]
    found = find_knee([(row.concurrency, row.sample.rate) for row in engine])
    if not engine:
        return None, ""
    if found is None:
        return None, _no_knee_sentence(engine)
    at = next(row for row in engine if row.concurrency == found)
    beyond = next(row for row in engine if row.concurrency > found)
    gain = beyond.sample.rate / at.sample.rate - 1
    more = f"{gain:+.0%}" if abs(gain) >= 0.005 else "nothing"
    head = (
        f"The knee is at {found} in flight ({number_text(at.sample.rate)} pages/s): going to {beyond.concurrency} "
        f"brought {more}."
    )
    return found, f"{head} {_limit_sentence(find_limit(beyond, at, max_server_rate), at, beyond, max_server_rate)}"


def _no_knee_sentence(engine: Sequence[Row]) -> str:
    top = engine[-1]
    if len(engine) < 3:
        return "Too few levels of concurrency to see a knee: give three or more."
    sample = top.sample
    used = f"This process used {min(1.0, sample.cpu_share):.0%} of a core there"
    if sample.cpu_share + sample.cpu_wait_share >= NEARLY_BUSY_CORE_SHARE:
        return f"No knee up to {top.concurrency} in flight, but it is near. {used}, and there is little more to have."
    return (
        f"No knee up to {top.concurrency} in flight: latency is still what limits, and every doubling pays. "
        f"{used}; try higher levels with --concurrency."
    )


def _limit_sentence(limit: Limit, at: Row, beyond: Row, max_server_rate: float | None) -> str:
    sample = beyond.sample
    match limit:
        case Limit.CPU:
            most = 1000 / sample.cpu_ms if sample.cpu_ms else 0.0
            return (
                f"Why: CPU. A page costs {sample.cpu_ms:.2f} ms of one core, which can do about {number_text(most)} "
                "pages/s "
                f"and is {min(1.0, sample.cpu_share):.0%} busy: more requests only wait for it "
                f"({millis_text(at.sample.p50)} became {millis_text(sample.p50)})."
            )
        case Limit.MACHINE:
            return (
                f"Why: other programs. They had this process's core for {sample.cpu_wait_share:.0%} of the time; it "
                "got "
                f"{sample.cpu_share:.0%}, at {sample.cpu_ms:.2f} ms a page. On a quiet machine the knee is further up."
            )
        case Limit.SERVER:
            known = f" (alone it gives {number_text(max_server_rate)} pages/s)" if max_server_rate else ""
            return (
                f"Why: the server{known}. Its answers take {millis_text(sample.p50)} instead of "
                f"{millis_text(at.sample.p50)}, "
                f"while this process uses {sample.cpu_share:.0%} of a core."
            )
        case Limit.CONNECTIONS:
            return (
                "Why: the limits of the hosts (politeness.per_host: rate and concurrency). On the mean "
                f"{_in_flight_text(sample.in_flight)} under way; the other workers waited for these limits."
            )
        case Limit.ERRORS:
            words = ", ".join(sorted(sample.causes, key=lambda w: -sample.causes[w])[:3])
            return f"Why: failures. {sample.errors} of {sample.pages} pages failed there ({words})."
        case Limit.LATENCY:
            return (
                f"Why: latency. Answers still take {millis_text(sample.p50)} and the core is {sample.cpu_share:.0%} "
                "busy; "
                "the run is too short or too uneven for more."
            )


def _in_flight_text(in_flight: float) -> str:
    return f"{in_flight:.0f} requests were" if in_flight >= 1.5 else "not even two requests were"


def littles_law_sentence(rows: Sequence[Row], level: int = 64) -> str:
    """How close the engine comes to Little's law at concurrency `level`, and what took the rest."""
    row = next((row for row in rows if row.concurrency == level), None)
    if row is None or row.share_of_expected is None or row.expected is None:
        return ""
    share = row.share_of_expected
    head = (
        f"At {level} in flight the engine reached {share:.1%} of the {number_text(row.expected)} pages/s that Little's "
        "law "
        "allows."
    )
    if share >= LITTLES_LAW_REACHED_SHARE:
        return head
    sample = row.sample
    if sample.cpu_share >= BUSY_CORE_SHARE:
        return f"{head} The rest is CPU: this core was {min(1.0, sample.cpu_share):.0%} busy."
    if sample.cpu_wait_share > CPU_WAIT_WARNING_SHARE:
        return (
            f"{head} The rest went to other programs: they had this core for {sample.cpu_wait_share:.0%} of the time."
        )
    if sample.server_cpu is not None and sample.server_cpu >= BUSY_CORE_SHARE:
        return f"{head} The rest is the server: its core was {min(1.0, sample.server_cpu):.0%} busy."
    return f"{head} Answers took {millis_text(sample.p50)}: something else is using this machine."


def gain_sentence(rows: Sequence[Row]) -> str:
    """The speed-up of the engine over the sequential loop."""
    engine = [row for row in rows if row.concurrency > 0]
    if len(rows) < 2 or rows[0].concurrency or not engine:
        return ""
    best = max(engine, key=lambda row: row.sample.rate)
    loop = rows[0].sample.rate
    return (
        f"The plain loop fetches {number_text(loop)} pages/s, the engine {number_text(best.sample.rate)} at "
        f"{best.concurrency} "
        f"in flight: {number_text(best.speedup)} times as many."
    )


def polite_sentences(rows: Sequence[Row]) -> list[str]:
    """What each politeness setting costs, compared with the first row, which has no limit."""
    if len(rows) < 2:
        return []
    free = rows[0].sample.rate
    price = [f"{row.label}: {number_text(row.sample.rate)} pages/s, {free / row.sample.rate:,.0f} times slower"
             for row in rows[1:] if row.sample.rate > 0]  # fmt: skip
    return [
        "The price of being polite to one host. " + "; ".join(price) + ".",
        "Politeness binds each host alone: ten hosts at 2/s give 20 pages/s. Concurrency pays on many hosts, or on "
        "your own server with a higher rate.",
    ]


def recommend_limits(rows: Sequence[Row], knee_level: int | None) -> str:
    """A `limits` block for a config, from the rows of the engine; empty without any.

    The timeout is 20 times the 99th percentile of the response times, in steps of 5 s, between 5 and 30 s.
    """
    engine = [row for row in rows if row.concurrency > 0 and row.sample.rate > 0]
    if not engine:
        return ""
    row = next((r for r in engine if r.concurrency == knee_level), None) or max(
        engine, key=lambda r: r.sample.rate**2 / r.concurrency
    )
    timeout = min(30, max(5, 5 * math.ceil(row.sample.p99 * 20 / 5)))
    why = "the knee" if row.concurrency == knee_level else "the best that was measured"
    lines = (
        ("limits:", ""),
        (f"  concurrency: {row.concurrency}", f"{why}: {number_text(row.sample.rate)} pages/s"),
        (f"  timeout: {timeout}s", f"99 of 100 answers came within {millis_text(row.sample.p99)}"),
        (f"  deadline: {4 * timeout}s", ""),
        ("  retries: 3", ""),
    )
    width = max(len(text) for text, comment in lines if comment)
    return "\n".join(f"{text:<{width}}  # {comment}" if comment else text for text, comment in lines) + "\n"


def reliability_warnings(
    rows: Sequence[Row], max_server_rate: float | None, busy_before: float | None, separate_cores: bool
) -> list[str]:
    """Reasons why the figures may be wrong.

    `busy_before` is the share (0..1) of the machine that other programs used before the benchmark, `separate_cores`
    whether server and client had a core each.
    """
    found = []
    if busy_before is not None and busy_before > 0.25:
        found.append(f"The machine was {busy_before:.0%} busy before anything was measured: figures may be too low.")
    elif any(row.sample.cpu_wait_share > CPU_WAIT_WARNING_SHARE for row in rows):
        found.append("Other programs took the core now and then while it was measured: figures may be too low.")
    if not separate_cores:
        found.append("Server and client could not be given a core each: they take time from one another.")
    bound = [str(row.concurrency) for row in rows if row.concurrency and _is_server_bound(row, max_server_rate)]
    if bound:
        found.append(
            f"At {', '.join(bound)} in flight the server was near its own limit: the engine might do more with another."
        )
    uneven = [row.label for row in rows if row.repeats > 1 and row.rates.relative > 0.15]
    if uneven:
        found.append(
            f"The rounds differ by more than 15 %: {', '.join(uneven)}. Close other programs, or use --repeat."
        )
    return found
