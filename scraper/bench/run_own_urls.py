"""The benchmark on the user's own URLs: robots.txt is obeyed, requests are limited, their number is shown before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from scraper.bench.findings import explain_knee, gain_sentence, recommend_limits, reliability_warnings
from scraper.bench.measure.engine_run import EngineBench
from scraper.bench.measure.machine import busy_share, core_count
from scraper.bench.measure.plan import MAX_REPEAT
from scraper.bench.measure.resource_meter import measure_timer_overhead
from scraper.bench.measure.result import Report, Row, Sample
from scraper.bench.measure.rounds import Case, OnProgress, Rounds
from scraper.bench.measure.sequential import SequentialLoop
from scraper.bench.measure.statistics import expected_rate
from scraper.bench.run_bundled import RegisterStop, build_report, run_unless_stopped
from scraper.clock import Clock
from scraper.config.schema.politeness import DEFAULT_USER_AGENT
from scraper.config.types.units import parse_rate
from scraper.config.types.value_format import InvalidValueError
from scraper.errors import ConfigError, Problem, ScraperError
from scraper.model import OutOfScope, Url
from scraper.urls.canonicalize import KeyRules, canonicalize

DEFAULT_LEVELS = (1, 4, 16)
MAX_URLS = 2_000
MAX_LINE_CHARS = 65_536
MAX_HOSTS = 200
CONFIRM_ABOVE_REQUESTS = 200
# Above this many requests per second to one host, the user must confirm.
CONFIRM_ABOVE_RATE = 1.0
MAX_REMOTE_RATE = 10.0
# Upper bounds for hosts other than this machine: above them the benchmark refuses to run.
MAX_REMOTE_PER_HOST = 8
CONNECT_TIMEOUT_SECONDS = 5.0
REQUEST_TIMEOUT_SECONDS = 10.0


class NothingFetchedError(ScraperError):
    """No URL of the list could be fetched."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class OwnUrlsPlan:
    """What to fetch: every URL once at each level and once by the loop, all of it `repeat` times.

    Each host gets at most `rate` requests per second, `per_host` of them at once. Raises `ConfigError` for values that
    would overload a server.
    """

    urls: tuple[Url, ...]
    levels: tuple[int, ...] = DEFAULT_LEVELS
    rate: float = 1.0
    per_host: int = 2
    repeat: int = 1

    def __post_init__(self) -> None:
        if not self.urls:
            raise ConfigError("the list holds no URL: nothing to measure")
        if not 1 <= self.repeat <= MAX_REPEAT:
            raise ConfigError(f"--repeat: expected 1 to {MAX_REPEAT}, got {self.repeat}")
        if not self.rate > 0:
            raise ConfigError("--rate: expected more than 0 requests per second")
        foreign = [url.host for url in self.urls if not _is_loopback(url)]
        if foreign and (self.rate > MAX_REMOTE_RATE or self.per_host > MAX_REMOTE_PER_HOST):
            raise ConfigError(
                f"{foreign[0]}: refused to send a host more than {MAX_REMOTE_RATE:g} requests per second or more than "
                f"{MAX_REMOTE_PER_HOST} at once; a benchmark must not overload a server that others use"
            )

    @property
    def hosts(self) -> int:
        """Number of distinct hosts."""
        return len({url.host for url in self.urls})

    @property
    def requests(self) -> int:
        """Total number of requests, robots.txt included."""
        runs = self.repeat * len(self.levels)
        return len(self.urls) * (runs + self.repeat) + self.hosts * runs

    @property
    def seconds(self) -> float:
        """Estimated duration in seconds: the host with most URLs decides."""
        most = max(sum(url.host == host for url in self.urls) for host in {url.host for url in self.urls})
        return most / self.rate * self.repeat * (len(self.levels) + 1)

    @property
    def needs_confirmation(self) -> bool:
        """Whether the user must confirm first."""
        return self.requests > CONFIRM_ABOVE_REQUESTS or self.rate > CONFIRM_ABOVE_RATE


def _is_loopback(url: Url) -> bool:
    name = urlsplit(url.href).hostname or ""
    return name == "localhost" or name.endswith(".localhost") or name.startswith("127.") or name == "::1"


def parse_rate_option(text: str) -> float:
    """Parse requests per second: `1/s`, `30/m` or a number. Raises `ConfigError`."""
    try:
        rate = parse_rate(text)
    except InvalidValueError as error:
        raise ConfigError(f"--rate: {error}") from None
    if rate is None:
        raise ConfigError("--rate: a benchmark of servers that others use needs a limit, such as 1/s")
    return rate


def read_url_list(lines: Iterable[str], name: str) -> tuple[Url, ...]:
    """The distinct URLs of a list with one URL per line. Empty lines and comments (`#`) are ignored.

    `name` is the list's name for messages. Raises `ConfigError` naming the line.
    """
    keys, found = KeyRules((), False), dict[str, Url]()
    for number, line in enumerate(lines, 1):
        text = line.strip()[:MAX_LINE_CHARS]
        if not text or text.startswith("#"):
            continue
        url = canonicalize(text, None, keys)
        if isinstance(url, OutOfScope):
            hint = "a line is a whole URL such as https://books.example/"
            raise ConfigError([Problem(f"{text[:200]!r}: {url.rule}", file=name, line=number, hint=hint)])
        found.setdefault(url.key, url)
        if len(found) > MAX_URLS:
            raise ConfigError([Problem(f"more than {MAX_URLS} URLs; a benchmark needs few", file=name, line=number)])
    if len({url.host for url in found.values()}) > MAX_HOSTS:
        raise ConfigError([Problem(f"more than {MAX_HOSTS} hosts; a benchmark needs few", file=name)])
    return tuple(found.values())


async def bench_own_urls(plan: OwnUrlsPlan, on_progress: OnProgress, register_stop: RegisterStop) -> Report:
    """Run the benchmark on the plan's URLs.

    Raises `NothingFetchedError` if no URL could be fetched, and the errors of `Crawler`.
    """
    clock = Clock()
    lab = EngineBench(await measure_timer_overhead(clock), None, core_count())
    register_stop(lab.stop)
    contest = Rounds(plan.repeat * (len(plan.levels) + 1), on_progress, lambda: lab.stopped)
    contest.notify("looking for the hosts")
    busy = await busy_share(clock)
    urls, warnings = await _reachable_urls(plan.urls)
    plan = replace(plan, urls=urls)
    refused: dict[str, str] = {}
    section = await contest.measure("Your URLs, politely", _cases(plan, lab, refused), plan.repeat, last_first=True)
    if not lab.stopped and all(row.sample.errors >= row.sample.pages for row in section.rows):
        raise NothingFetchedError(f"no URL could be fetched: {_failure_causes(section.rows, refused)}")
    rows = _add_expected(plan, section.rows)
    contest.sections[-1] = replace(section, rows=rows)
    found, why = explain_knee(rows, None)
    bound = (
        f"Each host gets at most {plan.rate:g} requests per second, so {plan.hosts} host{'s'[: plan.hosts > 1]} cannot "
        f"give more than {plan.hosts * plan.rate:g} pages/s, whatever the concurrency."
    )
    contest.add_findings([s for s in (gain_sentence(rows), why, bound) if s])
    if refused:
        warnings.append(f"robots.txt forbids {len(refused)} of the URLs: they were not fetched.")
    warnings += reliability_warnings(rows, None, busy, True)
    return build_report(
        contest,
        lab,
        scenario="urls",
        settings={
            "levels": list(plan.levels),
            "rate": plan.rate,
            "per_host": plan.per_host,
            "repeat": plan.repeat,
            "urls": len(plan.urls),
            "hosts": plan.hosts,
        },
        knee=found,
        recommended=recommend_limits(rows, found),
        warnings=tuple(warnings),
    )


def _cases(plan: OwnUrlsPlan, lab: EngineBench, refused: dict[str, str]) -> list[Case]:
    """The cases to compare: the loop and the engine at each level.

    In the first round the loop runs last: it reads no robots.txt, and the engine has filled `refused` by then.
    """
    loop = SequentialLoop(min_gap_seconds=1 / plan.rate, timeout=REQUEST_TIMEOUT_SECONDS, user_agent=DEFAULT_USER_AGENT)

    async def one_by_one() -> Sample | None:
        allowed = [url.href for url in plan.urls if url.href not in refused]
        return await run_unless_stopped(lab, loop.run(allowed)) if allowed else None

    def at_level(level: int) -> Callable[[], Awaitable[Sample | None]]:
        async def run() -> Sample | None:
            done = await lab.measure(_config(plan, level), 1)
            refused.update(done.events.refused_by_robots)
            return None if done.interrupted else done.sample

        return run

    return [
        Case("sequential", "httpx loop, paced", 0, one_by_one),
        *(Case(f"engine-{n}", f"engine, {n}", n, at_level(n)) for n in plan.levels),
    ]


def _config(plan: OwnUrlsPlan, level: int) -> dict[str, object]:
    return {
        "name": "bench",
        "seeds": [url.href for url in plan.urls],
        "scope": {"mode": "any", "max_depth": 0},
        "limits": {
            "concurrency": level,
            "retries": 0,
            "timeout": REQUEST_TIMEOUT_SECONDS,
            "deadline": 3 * REQUEST_TIMEOUT_SECONDS,
        },
        "politeness": {"robots": "obey", "per_host": {"rate": plan.rate, "concurrency": plan.per_host}},
        "sitemaps": "off",
    }


async def _reachable_urls(urls: Sequence[Url]) -> tuple[tuple[Url, ...], list[str]]:
    """The URLs whose hosts accept a connection, and a warning for each other host.

    Raises `NothingFetchedError` if no host does.
    """
    origins = {url.host: url.origin for url in urls}
    problems = await asyncio.gather(*(_connect_error(origin) for origin in origins.values()))
    dead = {host: problem for host, problem in zip(origins, problems, strict=True) if problem}
    if len(dead) == len(origins):
        host, problem = next(iter(dead.items()))
        more = f", nor can {len(dead) - 1} other hosts" if len(dead) > 1 else ""
        raise NothingFetchedError(f"{host} cannot be reached: {problem}{more}; no request was sent")
    warnings = [f"{host} cannot be reached ({problem}): its URLs are left out." for host, problem in dead.items()]
    return tuple(url for url in urls if url.host not in dead), warnings


async def _connect_error(origin: str) -> str:
    """Why no TCP connection to an origin can be made; an empty string if it can."""
    parts = urlsplit(origin)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except TimeoutError:
        return f"no connection within {CONNECT_TIMEOUT_SECONDS:g} s"
    except (OSError, UnicodeError) as error:
        return "connection refused" if isinstance(error, ConnectionRefusedError) else str(error)
    writer.close()
    return ""


def _failure_causes(rows: Sequence[Row], refused: dict[str, str]) -> str:
    words = sorted({word for row in rows for word in row.sample.causes})
    return ", ".join(words) or next(iter(refused.values()), "no response")


def _add_expected(plan: OwnUrlsPlan, rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows with the rate that Little's law allows, given the loop's median latency and the per-host limits."""
    latency = rows[0].sample.p50 if rows else 0.0
    if not latency:
        return tuple(rows)
    return tuple(
        replace(
            row,
            expected=expected_rate(
                max(1, row.concurrency), latency, hosts=plan.hosts, per_host=plan.per_host, rate=plan.rate
            ),
        )
        for row in rows
    )
