"""What the figures mean, in sentences: where the knee is and why, what politeness costs, what to put into a config."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

from scraper.bench.measure.result import Row
from scraper.bench.measure.statistics import find_knee

# Share of a core, or of the server's ceiling, from which it is the limit.
BUSY_CORE_SHARE = 0.85
# Share of a core from which another doubling would not find enough of it.
NEARLY_BUSY_CORE_SHARE = 0.7
# Share of failed pages from which failures are the limit.
FAILED_PAGE_SHARE = 0.01
# Share of the concurrency below which fetchers were waiting for leave to start.
MIN_IN_FLIGHT_SHARE = 0.8
# How many times slower answers must be to say that the server slowed down.
SLOWDOWN_FACTOR = 1.3
# Share of the time without a core, though ready to run, that is worth a warning.
CPU_WAIT_WARNING_SHARE = 0.1
# Share of Little's law that counts as reaching it.
LITTLES_LAW_REACHED_SHARE = 0.95


class Limit(StrEnum):
    """What holds the throughput at the knee."""

    LATENCY = "latency"
    CPU = "cpu"
    MACHINE = "machine"
    SERVER = "server"
    CONNECTIONS = "connections"
    ERRORS = "errors"


def number_text(value: float) -> str:
    """A figure with the digits it deserves and commas between thousands."""
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.1f}"


def millis_text(seconds: float) -> str:
    """Seconds as milliseconds, or as seconds when they are many."""
    if seconds >= 9.9995:
        return f"{seconds:.1f} s"
    if seconds >= 0.00995:
        return f"{seconds * 1000:,.0f} ms"
    return f"{seconds * 1000:.1f} ms" if seconds >= 0.0005 else "under 1 ms"


def speedup_text(value: float) -> str:
    """A speed-up as people say it: `×12.5`, and `1/8.5` for what is slower."""
    if value <= 0:
        return ""
    return f"×{number_text(value)}" if value >= 0.95 else f"1/{number_text(1 / value)}"


def find_limit(row: Row, at_knee: Row, ceiling: float | None) -> Limit:
    """What held `row`, measured beyond the knee, back."""
    sample = row.sample
    if sample.errors > FAILED_PAGE_SHARE * sample.pages and sample.errors / sample.pages > 2 * _failed_share(at_knee):
        return Limit.ERRORS
    if sample.cpu_share >= BUSY_CORE_SHARE:
        return Limit.CPU
    if sample.cpu_share + sample.starved >= BUSY_CORE_SHARE:
        return Limit.MACHINE
    if _is_server_bound(row, ceiling):
        return Limit.SERVER
    if sample.in_flight < MIN_IN_FLIGHT_SHARE * row.concurrency:
        return Limit.CONNECTIONS
    if sample.p50 > SLOWDOWN_FACTOR * at_knee.sample.p50:
        return Limit.SERVER
    return Limit.LATENCY


def _failed_share(row: Row) -> float:
    return row.sample.errors / row.sample.pages if row.sample.pages else 0.0


def _is_server_bound(row: Row, ceiling: float | None) -> bool:
    at_work = row.sample.server_cpu is not None and row.sample.server_cpu >= BUSY_CORE_SHARE
    return at_work or (ceiling is not None and row.sample.rate >= BUSY_CORE_SHARE * ceiling)


def explain_knee(rows: Sequence[Row], ceiling: float | None) -> tuple[int | None, str]:
    """The knee of the engine's `rows` (rising concurrency) and the sentence about it."""
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
    return found, f"{head} {_limit_sentence(find_limit(beyond, at, ceiling), at, beyond, ceiling)}"


def _no_knee_sentence(engine: Sequence[Row]) -> str:
    top = engine[-1]
    if len(engine) < 3:
        return "Too few levels of concurrency to see a knee: give three or more."
    sample = top.sample
    used = f"This process used {min(1.0, sample.cpu_share):.0%} of a core there"
    if sample.cpu_share + sample.starved >= NEARLY_BUSY_CORE_SHARE:
        return f"No knee up to {top.concurrency} in flight, but it is near. {used}, and there is little more to have."
    return (
        f"No knee up to {top.concurrency} in flight: latency is still what limits, and every doubling pays. "
        f"{used}; try higher levels with --concurrency."
    )


def _limit_sentence(limit: Limit, at: Row, beyond: Row, ceiling: float | None) -> str:
    sample = beyond.sample
    match limit:
        case Limit.CPU:
            most = 1000 / sample.cpu_ms if sample.cpu_ms else 0.0
            return (
                f"Why: CPU. A page costs {sample.cpu_ms:.2f} ms of one core, which can do about {number_text(most)} pages/s "
                f"and is {min(1.0, sample.cpu_share):.0%} busy: more requests only wait for it "
                f"({millis_text(at.sample.p50)} became {millis_text(sample.p50)})."
            )
        case Limit.MACHINE:
            return (
                f"Why: other programs. They had this process's core for {sample.starved:.0%} of the time; it got "
                f"{sample.cpu_share:.0%}, at {sample.cpu_ms:.2f} ms a page. On a quiet machine the knee is further up."
            )
        case Limit.SERVER:
            known = f" (alone it gives {number_text(ceiling)} pages/s)" if ceiling else ""
            return (
                f"Why: the server{known}. Its answers take {millis_text(sample.p50)} instead of {millis_text(at.sample.p50)}, "
                f"while this process uses {sample.cpu_share:.0%} of a core."
            )
        case Limit.CONNECTIONS:
            return (
                "Why: the limits of the hosts (politeness.per_host: rate and concurrency). On the mean "
                f"{_in_flight_text(sample.in_flight)} under way; the other fetchers waited for leave."
            )
        case Limit.ERRORS:
            words = ", ".join(sorted(sample.causes, key=lambda w: -sample.causes[w])[:3])
            return f"Why: failures. {sample.errors} of {sample.pages} pages failed there ({words})."
        case Limit.LATENCY:
            return (
                f"Why: latency. Answers still take {millis_text(sample.p50)} and the core is {sample.cpu_share:.0%} busy; "
                "the run is too short or too uneven for more."
            )


def _in_flight_text(in_flight: float) -> str:
    return f"{in_flight:.0f} requests were" if in_flight >= 1.5 else "not even two requests were"


def littles_law_sentence(rows: Sequence[Row], level: int = 64) -> str:
    """How close the engine comes to Little's law at `level`, and why when it does not."""
    row = next((row for row in rows if row.concurrency == level), None)
    if row is None or row.share_of_expected is None or row.expected is None:
        return ""
    share = row.share_of_expected
    head = (
        f"At {level} in flight the engine reached {share:.1%} of the {number_text(row.expected)} pages/s that Little's law "
        "allows."
    )
    if share >= LITTLES_LAW_REACHED_SHARE:
        return head
    sample = row.sample
    if sample.cpu_share >= BUSY_CORE_SHARE:
        return f"{head} The rest is CPU: this core was {min(1.0, sample.cpu_share):.0%} busy."
    if sample.starved > CPU_WAIT_WARNING_SHARE:
        return f"{head} The rest went to other programs: they had this core for {sample.starved:.0%} of the time."
    if sample.server_cpu is not None and sample.server_cpu >= BUSY_CORE_SHARE:
        return f"{head} The rest is the server: its core was {min(1.0, sample.server_cpu):.0%} busy."
    return f"{head} Answers took {millis_text(sample.p50)}: something else is using this machine."


def gain_sentence(rows: Sequence[Row]) -> str:
    """What concurrency gives over the loop."""
    engine = [row for row in rows if row.concurrency > 0]
    if len(rows) < 2 or rows[0].concurrency or not engine:
        return ""
    best = max(engine, key=lambda row: row.sample.rate)
    loop = rows[0].sample.rate
    return (
        f"The plain loop fetches {number_text(loop)} pages/s, the engine {number_text(best.sample.rate)} at {best.concurrency} "
        f"in flight: {number_text(best.speedup)} times as many."
    )


def polite_sentences(rows: Sequence[Row]) -> list[str]:
    """What each kind of politeness costs, against the first row, which has none."""
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
    """A `limits` block to paste, from the rows of the engine; empty without any."""
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
    rows: Sequence[Row], ceiling: float | None, busy_before: float | None, separate_cores: bool
) -> list[str]:
    """What makes the figures less than they seem. `busy` is the share of the machine that others used before."""
    found = []
    if busy_before is not None and busy_before > 0.25:
        found.append(f"The machine was {busy_before:.0%} busy before anything was measured: figures may be too low.")
    elif any(row.sample.starved > CPU_WAIT_WARNING_SHARE for row in rows):
        found.append("Other programs took the core now and then while it was measured: figures may be too low.")
    if not separate_cores:
        found.append("Server and client could not be given a core each: they take time from one another.")
    bound = [str(row.concurrency) for row in rows if row.concurrency and _is_server_bound(row, ceiling)]
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
