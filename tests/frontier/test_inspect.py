"""Reading a frontier's file from outside, while a run goes on and after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scraper.errors import FrontierError
from scraper.frontier.inspect import RunCounts, RunInspector, running_pid
from scraper.frontier.interface import Granted
from scraper.frontier.sqlite.frontier import SqliteFrontier
from scraper.model import Done, Drop, Retry, Settlement, Verdict
from scraper.rundir.layout import RunLayout
from scraper.rundir.lock import RunLock
from scraper.testing.frontier_contract import make_request

NOW = 1000.0
ONE, TWO, THREE = (make_request(f"https://{host}.example/") for host in "abc")
WAITING = make_request("https://a.example/later")


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


async def settled(folder: Path) -> SqliteFrontier:
    """An open frontier: one URL done, one dropped, one delayed, one waiting."""
    frontier = await SqliteFrontier.open(RunLayout(folder).frontier)
    await frontier.add([ONE, TWO, THREE, WAITING])
    verdicts: dict[str, Verdict] = {
        "a.example": Done(),
        "b.example": Drop("robots", "rule"),
        "c.example": Retry(NOW + 60, THREE),
    }
    result = await frontier.lease(3, NOW)
    assert isinstance(result, Granted)
    settlements = [
        Settlement(lease, verdicts[lease.request.url.host], "ok" if lease.request == ONE else "", items=2, wire_size=5)
        for lease in result.leases
    ]
    await frontier.settle(settlements, None, {"a.example": {"gate": "state"}})
    return frontier


async def test_an_open_run_can_be_read(tmp_path: Path) -> None:
    """What was committed is seen although the run goes on, and nothing of the run is changed."""
    frontier = await settled(tmp_path)
    with RunInspector(tmp_path) as run:
        assert run.counts() == RunCounts(1, 1, 6, 15, {"a.example": {"ok": 1}}, {"a.example": 1, "c.example": 1})
        assert run.counts().outcomes == {"ok": 1}
        assert run.host_state("a.example") == {"gate": "state"}
        assert run.host_state("nobody.example") == {}
        skip = run.find_skip(TWO.url)
        assert skip is not None
        assert (skip.reason, skip.rule) == ("robots", "rule")
        assert run.find_skip(ONE.url) is None
        assert [queued.request for queued in run.find_queued(WAITING.url)] == [WAITING]
        assert [(queued.request, queued.due) for queued in run.find_queued(THREE.url)] == [(THREE, NOW + 60)]
        assert run.find_queued(ONE.url) == []
        assert run.is_known(ONE.url)
        assert not run.is_known(make_request("https://a.example/never").url)
    await frontier.aclose()


async def test_a_closed_run_is_read_without_leaving_files(tmp_path: Path) -> None:
    """Also from a folder that must not be written."""
    await (await settled(tmp_path)).aclose()
    state = RunLayout(tmp_path).state
    before = sorted(path.name for path in state.iterdir())
    with read_only(state), RunInspector(tmp_path) as run:
        assert run.counts().queued == 1
        assert sorted(path.name for path in state.iterdir()) == before


@pytest.mark.parametrize("kind", ["empty", "download"])
def test_a_folder_without_a_crawl_is_an_error_that_says_so(tmp_path: Path, kind: str) -> None:
    """A download's folder is named as such."""
    if kind == "download":
        RunLayout(tmp_path).download_state.mkdir(parents=True)
    with pytest.raises(FrontierError, match="holds a download" if kind == "download" else "holds no run"):
        RunInspector(tmp_path)


def test_the_process_at_work_is_found_by_its_lock(tmp_path: Path) -> None:
    """A pid in the file of a lock that nobody holds is that of an earlier run, whoever has that number now."""
    assert running_pid(tmp_path) is None
    with RunLock(tmp_path):
        assert running_pid(tmp_path) == os.getpid()
    if Path("/proc/locks").exists():
        assert running_pid(tmp_path) is None
    RunLayout(tmp_path).lock.write_text("no number")
    assert running_pid(tmp_path) is None
