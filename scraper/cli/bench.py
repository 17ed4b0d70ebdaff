"""`scrape bench`: compares sequential with concurrent fetching, on a bundled server or on the user's own URLs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scraper.bench.scenarios.names import Scenario
from scraper.cli.display_mode import ProgressMode
from scraper.cli.exit_codes import EXIT_FAILED, EXIT_OK, echo_err
from scraper.errors import ConfigError

if TYPE_CHECKING:
    from scraper.bench.measure.result import Report
    from scraper.bench.measure.rounds import OnProgress
    from scraper.bench.run_bundled import RegisterStop
    from scraper.bench.run_own_urls import OwnUrlsPlan

Benchmark = Callable[["OnProgress", "RegisterStop"], Awaitable["Report"]]
SIGNAL_EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


def bench(
    urls: Annotated[
        Path | None,
        typer.Argument(
            metavar="LIST", help="A file with your own URLs, one per line; - is standard input.", show_default=False
        ),
    ] = None,
    scenario: Annotated[
        Scenario | None, typer.Option("--scenario", help="Demonstrate one feature of the engine.", show_default=False)
    ] = None,
    concurrency: Annotated[
        str | None,
        typer.Option(
            "--concurrency", help="Levels to measure, such as 1,4,16,64 (default: 1 to 256).", show_default=False
        ),
    ] = None,
    latency: Annotated[str, typer.Option("--latency", help="Mean response time of the bundled server.")] = "50ms",
    pages: Annotated[
        int | None, typer.Option("--pages", help="Maximum pages per measurement.", show_default=False)
    ] = None,
    repeat: Annotated[
        int | None,
        typer.Option("--repeat", help="Rounds (default: 3; 1 with --scenario or LIST).", show_default=False),
    ] = None,
    port: Annotated[int, typer.Option("--port", help="Port of the bundled server; 0 picks a free one.")] = 0,
    rate: Annotated[str, typer.Option("--rate", help="Your URLs: maximum request rate per host.")] = "1/s",
    per_host: Annotated[int, typer.Option("--per-host", help="Your URLs: concurrent requests per host.")] = 2,
    yes: Annotated[bool, typer.Option("--yes", help="Your URLs: do not ask for confirmation.")] = False,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the result as JSON; - is standard output.", show_default=False)
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the result as a page with plots.", show_default=False)
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--compare", metavar="A.json B.json", help="Compare two results.", show_default=False),
    ] = None,
    progress: Annotated[ProgressMode, typer.Option("--progress", help="How to show progress.")] = ProgressMode.AUTO,
) -> None:
    """Measure the speed-up by concurrency: a plain loop against the crawler's engine, without network.

    Starts a server on this machine with a known latency, fetches its pages with a loop and then with the engine at
    rising concurrency. Shows where more concurrency stops helping and why, and recommends limits for a config. With a
    LIST it fetches your own URLs, within polite limits.

    Exit codes: 0 measured, 1 nothing could be fetched (or you declined), 2 usage error, 3 output cannot be written,
    130/143 interrupted: what was measured is shown.
    """
    if compare is not None:
        raise typer.Exit(_compare(*compare))
    if urls is not None and scenario is not None:
        raise ConfigError("--scenario uses the bundled server: leave the list out")
    if urls is not None:
        own = _read_own_plan(urls, concurrency, rate, per_host, repeat, pages)
        if not _confirm(own, yes):
            echo_err("no request was sent")
            raise typer.Exit(EXIT_FAILED)
        measure = _own_urls_benchmark(own)
    else:
        measure = _bundled_benchmark(scenario, concurrency, latency, pages, repeat, port)
    raise typer.Exit(_run_benchmark(measure, progress, json, html))


def _bundled_benchmark(
    scenario: Scenario | None,
    concurrency: str | None,
    latency: str,
    pages: int | None,
    repeat: int | None,
    port: int,
) -> Benchmark:
    from scraper.bench.measure.plan import DEFAULT_LEVELS, MAX_PAGES, BenchPlan, parse_latency, parse_levels

    plan = BenchPlan(
        levels=DEFAULT_LEVELS if concurrency is None else parse_levels(concurrency),
        latency=parse_latency(latency),
        repeat=repeat if repeat is not None else 1 if scenario else 3,
        pages=MAX_PAGES if pages is None else pages,
        port=port,
    )

    def measure(watch: OnProgress, on_stop: RegisterStop) -> Awaitable[Report]:
        from scraper.bench.run_bundled import bench_bundled
        from scraper.bench.scenarios.registry import bench_scenario

        return bench_scenario(scenario, plan, watch, on_stop) if scenario else bench_bundled(plan, watch, on_stop)

    return measure


def _read_own_plan(
    urls: Path, concurrency: str | None, rate: str, per_host: int, repeat: int | None, pages: int | None
) -> OwnUrlsPlan:
    from scraper.bench.measure.plan import parse_levels
    from scraper.bench.run_own_urls import DEFAULT_LEVELS, OwnUrlsPlan, parse_rate_option, read_url_list

    if str(urls) == "-":
        found = read_url_list(sys.stdin, "standard input")
    else:
        try:
            with urls.open(encoding="utf-8-sig") as file:
                found = read_url_list(file, str(urls))
        except OSError as error:
            raise ConfigError(f"{urls}: cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{urls}: is not UTF-8 text") from None
    levels = DEFAULT_LEVELS if concurrency is None else parse_levels(concurrency)
    return OwnUrlsPlan(found[:pages], levels, parse_rate_option(rate), per_host, 1 if repeat is None else repeat)


def _own_urls_benchmark(own: OwnUrlsPlan) -> Benchmark:
    def measure(watch: OnProgress, on_stop: RegisterStop) -> Awaitable[Report]:
        from scraper.bench.run_own_urls import bench_own_urls

        return bench_own_urls(own, watch, on_stop)

    return measure


def _confirm(own: OwnUrlsPlan, yes: bool) -> bool:
    """Print the number of requests and the time they take; ask for confirmation if there are many."""
    from scraper.report.text.formatting import duration_text

    hosts = f"{own.hosts} host{'s'[: own.hosts > 1]}"
    budget = f"{own.requests} requests to {hosts}, at most {own.rate:g}/s to each: {duration_text(own.seconds)}"
    echo_err(f"{budget} or more. robots.txt is obeyed.")
    if yes or not own.needs_confirmation:
        return True
    if not sys.stdin.isatty():
        raise ConfigError(
            "that is more than 200 requests, or more than one per second to a host: confirm it with --yes"
        )
    return typer.confirm("Continue?", default=False, err=True)


def _run_benchmark(measure: Benchmark, progress: ProgressMode, json: Path | None, html: Path | None) -> int:
    """Run the benchmark, show the report, write the files; return the exit code. Raises `SinkError`."""
    from scraper.bench.html_report import render_page
    from scraper.bench.measure.machine import loop_factory
    from scraper.bench.measure.result import check_writable, to_json, write_file
    from scraper.cli.bench_screen import render, show_progress, stdout_console

    for path in (json, html):
        if path is not None and str(path) != "-":
            check_writable(path)
    caught: list[signal.Signals] = []
    with show_progress(progress) as watch, asyncio.Runner(loop_factory=loop_factory()) as runner:
        report = runner.run(_run_with_signals(measure, watch, caught))
    code = SIGNAL_EXIT_CODES[caught[0]] if caught else EXIT_OK
    if report is None or not report.sections:
        echo_err("interrupted before anything was measured")
        return code or EXIT_FAILED
    on_stdout = progress is ProgressMode.JSON or str(json) == "-"
    if on_stdout:
        sys.stdout.write(to_json(report).decode())
    else:
        render(report, stdout_console())
    if json is not None and str(json) != "-":
        write_file(json, to_json(report))
        echo_err(f"written: {json}")
    if html is not None:
        write_file(html, render_page(report).encode())
        echo_err(f"written: {html}")
    return code


async def _run_with_signals(measure: Benchmark, watch: OnProgress, caught: list[signal.Signals]) -> Report | None:
    """Run the benchmark with signal handlers: the first signal stops it and keeps what was measured, the second exits.

    The signal is appended to `caught`. Returns None if it came before anything could be measured.
    """
    loop = asyncio.get_running_loop()
    stops: list[Callable[[], None]] = []

    async def work() -> Report:
        return await measure(watch, stops.append)

    task = asyncio.ensure_future(work())

    def on_signal(number: signal.Signals) -> None:
        if caught:
            os._exit(SIGNAL_EXIT_CODES[number])
        caught.append(number)
        if not stops:  # the benchmark has not registered its stop function yet
            task.cancel()
        for stop in stops:
            stop()

    for number in SIGNAL_EXIT_CODES:
        # Not possible on Windows, nor outside the main thread.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, on_signal, number)
    try:
        return await task
    except asyncio.CancelledError:
        if caught:
            return None
        raise
    finally:
        for number in SIGNAL_EXIT_CODES:
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.remove_signal_handler(number)


def _compare(before: Path, after: Path) -> int:
    from scraper.bench.measure.compare import compare
    from scraper.bench.measure.result import read_report
    from scraper.cli.bench_screen import render_comparison, stdout_console

    found = compare(read_report(before), read_report(after))
    render_comparison(found, (str(before), str(after)), stdout_console())
    return EXIT_OK
