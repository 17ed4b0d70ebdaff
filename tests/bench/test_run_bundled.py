from __future__ import annotations

from collections.abc import Callable

from scraper.bench.measure.plan import BenchPlan
from scraper.bench.measure.rounds import BenchProgress
from scraper.bench.measure.target import HostSpec
from scraper.bench.measure.target_process import start_target
from scraper.bench.run_bundled import bench_bundled
from scraper.bench.run_own_urls import OwnUrlsPlan, bench_own_urls, read_url_list

SHORT = BenchPlan(levels=(1, 4, 16), latency=0.01, repeat=1, seconds=0.2)


async def test_a_short_run_end_to_end() -> None:
    """The loop and every level are measured against the real server, and each figure is a possible one."""
    reported: list[BenchProgress] = []
    report = await bench_bundled(SHORT, reported.append, lambda _: None)
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
    assert [progress.done for progress in reported] == sorted(progress.done for progress in reported)
    assert reported[-1].done <= reported[-1].total


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
