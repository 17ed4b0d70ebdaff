"""The scenarios about hosts: dead, overloaded, slow or many of them, and large files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from scraper.bench.findings import millis_text, number_text
from scraper.bench.measure.engine_run import UNLIMITED_POLITENESS, EngineRun, bench_config
from scraper.bench.measure.naive import NaiveRun
from scraper.bench.measure.result import Sample
from scraper.bench.measure.rounds import Case
from scraper.bench.measure.statistics import expected_rate
from scraper.bench.measure.target import LARGE_FILE_BYTES, LARGE_FILE_COUNT
from scraper.bench.scenarios.context import MeasureOnce, ScenarioContext, times_text

# errors: a dead host, and a server that fails if too many requests arrive at once

DEAD_PAGES = 40
HEALTHY_PAGES = 200
DEAD_HOST_TIMEOUT_SECONDS = 0.3
HERD_PAGES = 200
HERD_REQUESTS_PER_WINDOW = 15


async def errors(context: ScenarioContext) -> None:
    """Measure a host that never responds, with and without circuit breaker; then retries to an overloaded server."""
    site = context.target
    urls = [*site.urls(DEAD_PAGES, 1), *site.urls(HEALTHY_PAGES)]
    limits = {"timeout": DEAD_HOST_TIMEOUT_SECONDS, "deadline": 2 * DEAD_HOST_TIMEOUT_SECONDS, "retries": 1}
    requests: dict[str, int] = {}

    def with_breaker(name: str, breaker: dict[str, Any]) -> MeasureOnce:
        polite = {**UNLIMITED_POLITENESS, "per_host": {"rate": None, "concurrency": 4}, "breaker": breaker}

        def see(done: EngineRun) -> Sample:
            requests[name] = done.received_requests[1]
            # Pages that were given up count, too: the breaker saves time until the end of the run.
            return replace(done.sample, rate=len(urls) / done.sample.seconds, requests=sum(done.received_requests))

        return context.engine(bench_config(urls, 16, politeness=polite, limits=limits), 16, see)

    def note(name: str) -> Callable[[Sample], str]:
        return lambda _: f"{requests.get(name, 0)} requests to the dead host"

    never = {"failures": 1000, "ratio": 1, "window": 1000}
    rows = await context.compare(
        f"A host that never responds ({DEAD_PAGES} of {len(urls)} URLs, {millis_text(DEAD_HOST_TIMEOUT_SECONDS)} "
        "timeout)",
        [
            Case("off", "breaker off", 16, with_breaker("off", never), note=note("off")),
            Case(
                "on",
                "breaker on",
                16,
                with_breaker("on", {"failures": 6, "open": "0.2s", "max_open": "0.2s"}),
                note=note("on"),
            ),
        ],
    )
    if {"off", "on"} <= rows.keys():
        off, on = rows["off"].sample.seconds, rows["on"].sample.seconds
        context.rounds.add_findings(
            [
                f"Without the breaker the run took {off:.1f} s and sent the dead host {requests['off']} requests; with "
                "it "
                f"{on:.1f} s and {requests['on']} requests: after six failures in a row the host is only probed, then "
                "given up."
            ]
        )
    await _retry_herd(context)


async def _retry_herd(context: ScenarioContext) -> None:
    urls = context.target.urls(HERD_PAGES, 2)
    bursts: dict[str, int] = {}

    def engine(name: str, *, gentle: bool) -> MeasureOnce:
        polite = {
            "robots": "ignore",
            "adaptive": gentle,
            "breaker": {"failures": 1000, "ratio": 1, "window": 1000},
            "per_host": {"rate": None, "concurrency": 4 if gentle else 64},
        }

        def see(done: EngineRun) -> Sample:
            bursts[name] = done.max_bursts[2]
            return replace(done.sample, rate=_ok_rate(done.sample), requests=done.received_requests[2])

        return context.engine(bench_config(urls, 64, politeness=polite, limits={"retries": 3}), 64, see)

    def herd(done: NaiveRun) -> Sample:
        return replace(done.sample, rate=_ok_rate(done.sample))

    async def fixed() -> Sample | None:
        await context.target.reset()
        sample = await context.naive(urls, herd, retries=3, pause=1.0)()
        bursts["herd"] = (await context.target.state()).burst[2]
        return sample

    def note(name: str) -> Callable[[Sample], str]:
        return lambda sample: f"{sample.requests} requests, up to {bursts.get(name, 0)} in 0.1 s"

    rows = await context.compare(
        f"A server that takes {HERD_REQUESTS_PER_WINDOW} requests in 0.1 s and fails on the rest (3 retries)",
        [
            Case("herd", "httpx, retry after 1 s", HERD_PAGES, fixed, note=note("herd")),
            Case("jitter", "engine, full jitter", 64, engine("jitter", gentle=False), note=note("jitter")),
            Case("gentle", "engine, 4 a host", 64, engine("gentle", gentle=True), note=note("gentle")),
        ],
    )
    if {"herd", "jitter", "gentle"} <= rows.keys():
        sentences = [
            f"{which} {row.requests} requests, up to {bursts[name]} in 0.1 s, {row.errors} pages lost, "
            f"{row.seconds:.1f} s"
            for which, name, row in (
                ("Retries after a fixed pause come back as one herd:", "herd", rows["herd"].sample),
                ("full jitter spreads them out:", "jitter", rows["jitter"].sample),
                ("with four at a host and the adaptive throttle it never forms:", "gentle", rows["gentle"].sample),
            )
        ]
        context.rounds.add_findings(["; ".join(sentences) + "."])


def _ok_rate(sample: Sample) -> float:
    return (sample.pages - sample.errors) / sample.seconds if sample.seconds > 0 else 0.0


# slow-host: one slow host among quick ones

QUICK_HOST_COUNT = 4
QUICK_PAGES = 60
SLOW_PAGES = 24
SLOW_LATENCY_SECONDS = 1.0
SLOW_WORKERS = 16


async def slow_host(context: ScenarioContext) -> None:
    """Measure how long the pages of quick hosts take while another host is slow."""
    site = context.target
    slow = site.urls(SLOW_PAGES, QUICK_HOST_COUNT)
    quick = [url for host in range(QUICK_HOST_COUNT) for url in site.urls(QUICK_PAGES, host)]
    each = len(quick) // len(slow)
    urls = [url for n, one in enumerate(slow) for url in (one, *quick[n * each : (n + 1) * each])]

    def sample_of(sample: Sample, seconds: float) -> Sample:
        return replace(sample, pages=len(quick), rate=len(quick) / seconds, seconds=seconds)

    def seen_naive(done: NaiveRun) -> Sample:
        return sample_of(
            done.sample, max(at for url, at in done.completions if not url.startswith(site.hosts[QUICK_HOST_COUNT]))
        )

    def seen_engine(done: EngineRun) -> Sample:
        other = site.hosts[QUICK_HOST_COUNT].removeprefix("http://")
        return sample_of(
            done.sample, max(at for host, at in done.events.last_settled_at.items() if host != other) - done.started_at
        )

    polite = {**UNLIMITED_POLITENESS, "per_host": {"rate": None, "concurrency": 4}}
    rows = await context.compare(
        f"Pages of {QUICK_HOST_COUNT} quick hosts while a fifth takes {SLOW_LATENCY_SECONDS:g} s per response",
        [
            Case("shared", f"httpx, {SLOW_WORKERS} workers", SLOW_WORKERS, context.naive(urls, seen_naive, workers=16)),
            Case(
                "engine",
                f"engine, {SLOW_WORKERS}, 4 a host",
                SLOW_WORKERS,
                context.engine(bench_config(urls, SLOW_WORKERS, politeness=polite), SLOW_WORKERS, seen_engine),
            ),
        ],
    )
    if {"shared", "engine"} <= rows.keys():
        shared, engine = rows["shared"].sample.seconds, rows["engine"].sample.seconds
        context.rounds.add_findings(
            [
                f"The quick hosts' {len(quick)} pages were complete after {shared:.1f} s with a shared queue, "
                f"where all workers ended up waiting for the slow host, and after {engine:.1f} s with the engine: it "
                "never has more than politeness.per_host.concurrency workers at one host."
            ]
        )


# large-files: streaming against buffering

LARGE_FILES_AT_ONCE = 4


async def large_files(context: ScenarioContext) -> None:
    """Measure large files, streamed to disk by the engine and held in memory by httpx."""
    site = context.target
    grown: dict[str, int] = {}
    total = LARGE_FILE_COUNT * LARGE_FILE_BYTES
    values = {
        **bench_config([f"{site.hosts[0]}/"], LARGE_FILES_AT_ONCE),
        "scope": {"mode": "host", "max_depth": 0},
        "files": {"match": ["/large/"]},
    }

    def note(name: str) -> Callable[[Sample], str]:
        return lambda sample: f"{total / 1e6 / sample.seconds:,.0f} MB/s, memory +{grown.get(name, 0) / 1e6:.0f} MB"

    def seen_engine(done: EngineRun) -> Sample:
        grown["stream"] = done.memory_growth_bytes
        return replace(done.sample, pages=LARGE_FILE_COUNT, rate=LARGE_FILE_COUNT / done.sample.seconds)

    def seen_naive(done: NaiveRun) -> Sample:
        grown["buffer"] = done.memory_growth_bytes
        return replace(done.sample, rate=LARGE_FILE_COUNT / done.sample.seconds)

    urls = [f"{site.hosts[0]}/large/file.bin?copy={n}" for n in range(LARGE_FILE_COUNT)]
    rows = await context.compare(
        f"{LARGE_FILE_COUNT} files of {LARGE_FILE_BYTES / 1e6:.0f} MB, {LARGE_FILES_AT_ONCE} at once",
        [
            Case(
                "stream",
                "engine, streamed to disk",
                LARGE_FILES_AT_ONCE,
                context.engine(values, 1, seen_engine),
                note=note("stream"),
            ),
            Case(
                "buffer",
                "httpx, in memory",
                LARGE_FILES_AT_ONCE,
                context.naive(urls, seen_naive, workers=LARGE_FILES_AT_ONCE),
                note=note("buffer"),
            ),
        ],
    )
    if {"stream", "buffer"} <= rows.keys():
        context.rounds.add_findings(
            [
                f"Held in memory, {LARGE_FILES_AT_ONCE} files at once took {grown['buffer'] / 1e6:.0f} MB and would "
                "take more with "
                f"larger files; the engine took {grown['stream'] / 1e6:.0f} MB whatever their size, and the files, "
                "with their SHA-256, are on disk."
            ]
        )


# many-hosts: politeness limits each host, concurrency works across hosts

HOST_COUNTS = (1, 4, 16)
HOST_RATE = 20.0


async def many_hosts(context: ScenarioContext) -> None:
    """Measure 1, 4 and 16 hosts with the same limit per host."""
    site, cases = context.target, []
    latency = context.plan.latency
    polite = {"robots": "ignore", "adaptive": False, "per_host": {"rate": HOST_RATE, "concurrency": 2}}
    for count in HOST_COUNTS:
        pages = max(8, round(HOST_RATE * 2 * min(1.0, context.plan.seconds)))
        urls = [url for host in range(count) for url in site.urls(pages, host)]
        most = expected_rate(64, latency, hosts=count, per_host=2, rate=HOST_RATE) if latency else HOST_RATE * count
        values = bench_config(urls, 64, politeness=polite)
        cases.append(
            Case(
                f"hosts-{count}",
                f"engine, {count} host{'s'[: count > 1]}",
                2 * count,
                context.engine(values, count),
                most,
            )
        )
    rows = await context.compare(f"64 workers, every host at {HOST_RATE:.0f}/s", cases)
    if {"hosts-1", "hosts-16"} <= rows.keys():
        one, many = rows["hosts-1"].sample.rate, rows["hosts-16"].sample.rate
        context.rounds.add_findings(
            [
                f"Each host got at most {HOST_RATE:.0f} requests per second, and 16 of them together gave "
                f"{number_text(many)} pages/s where one gave {number_text(one)}: {times_text(many, one)} as much, as "
                "polite to each. "
                "The queue is kept per host, so none waits for another."
            ]
        )
