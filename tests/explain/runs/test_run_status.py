"""`scrape status`: how a run stands."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from scraper.cli.status import hosts_by_urgency, render
from scraper.config.reading.effective import effective_yaml
from scraper.config.reading.load import parse_config
from scraper.explain.runs.run_status import HostStatus, RunStatus, read_saved_config, recent_rate
from scraper.frontier.inspect import RunCounts
from scraper.rundir.layout import RunLayout
from scraper.rundir.lock import RunLock
from tests.explain.conftest import FinishedRun, RunCommand

NOW = 1_700_000_000.0


def host(name: str = "h", waiting: int = 10, delay: float = 1.0, wait: float = 0.0, ended: str = "") -> HostStatus:
    return HostStatus(name, waiting, 3, 1, delay, "open" if wait else "closed", NOW + wait, "", ended)


def test_a_finished_run_is_reported(finished: FinishedRun, run_command: RunCommand) -> None:
    """Done, failed by kind, waiting, items, bytes and hosts agree with the summary."""
    summary = json.loads((finished.folder / "summary.json").read_text())
    result = json.loads(run_command("status", str(finished.folder), "--json").output)
    assert result["settled"] == summary["pages"]["settled"]
    assert result["ok"] == summary["pages"]["ok"]
    assert sum(result["failed"].values()) == summary["pages"]["failed"]
    assert (result["items"], result["bytes"], result["pid"]) == (summary["items"], summary["bytes"], None)
    text = run_command("status", str(finished.folder)).output
    assert "ended: max_pages" in text
    assert finished.shop.removeprefix("http://") in text


def test_a_run_at_work_names_its_process(finished: FinishedRun, run_command: RunCommand) -> None:
    """While somebody holds the lock the run is at work."""
    with RunLock(finished.folder):
        assert json.loads(run_command("status", str(finished.folder), "--json").output)["state"] == "at work"


def test_a_folder_of_a_download_is_reported_as_one(run_command: RunCommand, tmp_path: Path) -> None:
    """Where to look instead is said."""
    (tmp_path / ".scrape" / "download").mkdir(parents=True)
    result = run_command("status", str(tmp_path))
    assert (result.exit_code, "and no crawl: manifest.jsonl" in " ".join(result.output.split())) == (3, True)


def test_a_folder_without_a_run_is_exit_3(run_command: RunCommand, tmp_path: Path) -> None:
    """Told in a sentence."""
    result = run_command("status", str(tmp_path))
    assert (result.exit_code, "holds no run" in result.output) == (3, True)


def test_the_rate_is_read_from_the_records_end(tmp_path: Path) -> None:
    """Records of the last minute count; an unfinished last line does not."""
    path = tmp_path / "pages.jsonl"
    old = '{"fetched_at":"2023-11-14T22:00:00.000Z"}\n'
    new = "".join(f'{{"fetched_at":"2023-11-14T22:13:{second}.000Z"}}\n' for second in (0, 10, 11, 12))
    path.write_text(old + new.replace(":0.", ":00.") + '{"fetched_at":"2023')
    assert recent_rate(path, NOW) == 4 / 20
    assert recent_rate(tmp_path / "none", NOW) is None


def test_the_kept_config_is_read_without_its_passwords(tmp_path: Path) -> None:
    """A config with variables and masked secrets still tells its pace."""
    text = """
seeds: [https://a.example/]
headers: {Authorization: Bearer abc, X-Key: "${NOT_SET}"}
auth: {a.example: {basic: "u:p"}, b.example: {bearer: "${TOKEN}"}}
network: {proxy: "http://u:p@proxy.example:3128"}
"""
    config = parse_config(text, env={"NOT_SET": "s3cret", "TOKEN": "t0ken"})
    (tmp_path / ".scrape").mkdir()
    RunLayout(tmp_path).config.write_text(effective_yaml(config))
    kept = RunLayout(tmp_path).config.read_text()
    assert not any(secret in kept for secret in ("s3cret", "t0ken", "u:p", "Bearer abc"))
    again = read_saved_config(tmp_path)
    assert again is not None
    assert again.politeness == config.politeness


@pytest.mark.parametrize("width", [30, 80, 200])
def test_it_fits_the_terminal(width: int) -> None:
    """No line is wider than the terminal; text from outside cannot move the cursor."""
    hosts = tuple(host(f"a-rather-long-name-{n}.example\x1b[31m", wait=float(n)) for n in range(40))
    counts = RunCounts(queued=400, hosts={h.host: {"ok": 3, "http_500": 1} for h in hosts})
    now = RunStatus(Path("x"), "n\x1b]0;x\x07", "at work", 7, counts, hosts, 40, 1000, 2.5, 100.0, NOW)
    out = io.StringIO()
    Console(file=out, width=width).print(render(now, 10, width))
    assert all(len(line) <= width for line in out.getvalue().splitlines())
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("width", [50, 71, 72, 140])
def test_numbers_are_never_cut(width: int) -> None:
    """A name gives way to them; a narrow terminal does without the delay."""
    long = replace(host("a-rather-long-name-indeed.of.a-host.example", wait=5.0), waiting=123_456, ok=7_654_321)
    counts = RunCounts(queued=400, hosts={long.host: {"ok": 3}})
    now = RunStatus(Path("x"), "n", "at work", 7, counts, (long,), 1, 1000, 2.5, 100.0, NOW)
    out = io.StringIO()
    Console(file=out, width=width).print(render(now, 10, width))
    row = out.getvalue().splitlines()[-1]
    assert all(part in row for part in ("123,456", "7,654,321", "in 5.0s", "open"))
    assert ("delay" in out.getvalue()) == (width >= 72)


def test_hosts_in_trouble_come_first_while_something_waits_for_them() -> None:
    """And how many breakers are not closed is reported above."""
    well, idle, ill = (host(name, wait=1.0) for name in ("well", "idle", "ill"))
    hosts = (replace(well, breaker="closed"), replace(idle, waiting=0), ill)
    assert [one.host for one in hosts_by_urgency(hosts)] == ["ill", "well", "idle"]
    now = RunStatus(Path("x"), "n", "at work", 7, RunCounts(), hosts, 3, None, None, None, NOW)
    out = io.StringIO()
    Console(file=out, width=80).print(render(now, 10, 80))
    assert "breakers: open 2" in out.getvalue()
