from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scraper.bench.measure.plan import BenchPlan
from scraper.bench.measure.result import Sample
from scraper.bench.measure.rounds import BenchProgress, Case, Rounds
from scraper.bench.measure.target import HostCounts, HostSpec
from scraper.bench.measure.target_process import start_target
from scraper.bench.run_bundled import bench_bundled
from scraper.bench.run_own_urls import OwnUrlsPlan, bench_own_urls, read_url_list
from scraper.bench.scenarios.names import Scenario
from scraper.bench.scenarios.registry import SCENARIOS
from scraper.cli.app import command_line
from scraper.errors import ConfigError

SHORT = BenchPlan(levels=(1, 4, 16), latency=0.01, repeat=1, seconds=0.2)


async def test_a_short_run_end_to_end() -> None:
    """The loop and every level are measured against the real server, and each figure is a possible one."""
    told: list[BenchProgress] = []
    report = await bench_bundled(SHORT, told.append, lambda _: None)
    main, polite = report.sections
    assert [row.key for row in main.rows] == ["sequential", "engine-1", "engine-4", "engine-16"]
    assert all(row.sample.errors == 0 and row.sample.pages >= 12 for row in main.rows)
    loop, *_, most = main.rows
    assert 0 < most.sample.rate / loop.sample.rate < 32
    assert all(row.share_of_expected is not None and row.share_of_expected < 1.15 for row in main.rows)
    assert 0 < polite.rows[-1].sample.rate < 5
    assert report.complete
    assert report.max_server_rate is not None
    assert report.max_server_rate > most.sample.rate
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)
    assert told[-1].done <= told[-1].total


async def test_stopping_keeps_what_was_measured() -> None:
    """After a stop no further measurement begins, and the report says that it is not complete."""
    stops: list[Callable[[], None]] = []

    def watch(progress: BenchProgress) -> None:
        if progress.done == 2:
            stops[0]()

    report = await bench_bundled(SHORT, watch, stops.append)
    assert not report.complete
    assert [row.key for section in report.sections for row in section.rows] == ["sequential", "engine-1"]


async def test_own_urls_are_measured_politely() -> None:
    """A list on one's own server is fetched by the loop and at every level, within the rate that was given."""
    async with start_target([HostSpec()]) as site:
        urls = read_url_list([*site.urls(5), f"{site.hosts[0]}/nothing-here"], "list")
        report = await bench_own_urls(OwnUrlsPlan(urls, (1, 4), rate=50.0), lambda _: None, lambda _: None)
        state = await site.state()
    assert [row.sample.pages for row in report.main.rows] == [6, 6, 6]
    assert [row.sample.errors for row in report.main.rows] == [1, 1, 1]
    assert state.requests == (18,)
    assert all(row.sample.rate < 60 for row in report.main.rows)


async def test_the_server_counts_and_forgets() -> None:
    """What the server counted is asked for and reset from outside."""
    async with start_target([HostSpec(latency=0.002)]) as site:
        assert len(set(site.urls(500))) == 500
        assert (await site.reset()).requests == (0,)


async def test_a_taken_port_is_a_sentence() -> None:
    """It says which port, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port {port}: the port is in use; choose another"):
            async with start_target([HostSpec(port=port)]):
                pass


def test_bursts_are_counted_by_tenths_of_a_second() -> None:
    """The busiest window is what a herd shows in."""
    counts = HostCounts()
    for at in (0.0, 0.01, 0.09, 0.1, 0.2):
        counts.count(at)
    assert (counts.requests, counts.burst) == (5, 3)


async def test_rounds_go_forth_and_back() -> None:
    """Each second round is run backwards, and rows keep the order of the cases."""
    order: list[str] = []

    def case(name: str) -> Case:
        async def run() -> Sample:
            order.append(name)
            return Sample(1, 1.0, 10.0 * len(order), 0.1, 0.1, 0.1)

        return Case(name, name, 1, run)

    contest = Rounds(6, lambda _: None, lambda: False)
    section = await contest.measure("title", [case("a"), case("b")], 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert [(row.key, row.repeats, row.rates.high) for row in section.rows] == [("a", 3, 50.0), ("b", 3, 60.0)]


def test_every_scenario_is_there() -> None:
    """Each name of the command line has its server and its cases."""
    assert set(SCENARIOS) == set(Scenario)


def test_the_command_writes_json_and_a_page(tmp_path: Path) -> None:
    """One short scenario through the command line: files are written, and two results can be compared."""
    out, html = tmp_path / "a.json", tmp_path / "a.html"
    options = ["--scenario", "large-files", "--json", str(out), "--html", str(html), "--progress", "none"]
    done = CliRunner().invoke(command_line(), ["bench", *options])
    assert done.exit_code == 0, done.output
    assert "streamed to disk" in done.output
    values = json.loads(out.read_bytes())
    stream, buffer = values["sections"][0]["rows"]
    assert (stream["sample"]["pages"], buffer["sample"]["pages"]) == (24, 24)
    assert values["machine"]["python"]
    assert html.read_text("utf-8").startswith("<!DOCTYPE html>")
    compared = CliRunner().invoke(command_line(), ["bench", "--compare", str(out), str(out)])
    assert compared.exit_code == 0
    assert "No difference" in compared.output


def test_more_than_little_is_not_asked_by_a_script(tmp_path: Path) -> None:
    """Without a terminal to ask, and without --yes, a fast run is refused before any request."""
    urls = tmp_path / "urls.txt"
    urls.write_text("https://books.example/\n")
    done = CliRunner().invoke(command_line(), ["bench", str(urls), "--rate", "5/s"])
    assert isinstance(done.exception, ConfigError)
    assert "--yes" in str(done.exception)
