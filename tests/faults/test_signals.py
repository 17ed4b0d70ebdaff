"""Signals: the first ends a run cleanly, the second at once, and neither costs anything that was fetched."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.runs import (
    SiteProcess,
    count_whole_lines,
    crawl_config,
    killed_on_exit,
    repeated_requests,
    run_crawl,
    start_crawl,
    verify_complete_crawl,
)
from tests.faults.web import SiteContent

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
SHUTDOWN_TIMEOUT_SECONDS = 10.0


@pytest.mark.parametrize("number", EXIT_CODES, ids=lambda number: number.name)
def test_the_first_signal_ends_the_run_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """Requests under way are finished and recorded: resumed, the run asks for nothing again and misses nothing."""
    with SiteProcess(SiteContent(120), tmp_path / "asked.txt", slow=0.02) as server:
        settings = crawl_config(server, tmp_path / "out")
        with killed_on_exit(start_crawl(tmp_path, settings)) as crawl:
            server.wait_for_requests(40, crawl)
            crawl.send(number)
            asked_for, code = time.monotonic(), crawl.wait_for_exit()
            assert (code, time.monotonic() - asked_for < 5) == (EXIT_CODES[number], True), crawl.output()
            assert "the same command goes on" in crawl.output()
        summary = json.loads((tmp_path / "out" / "summary.json").read_text())
        assert summary["why"] == "interrupted"
        assert count_whole_lines(tmp_path / "out" / "pages.jsonl") == summary["pages"]["settled"]
        code, text = run_crawl(tmp_path, settings)
        assert code == 0, text
        verify_complete_crawl(server, tmp_path / "out")
        assert repeated_requests(server, 1).total() == 0


@pytest.mark.slow
def test_a_silent_server_holds_up_no_end(tmp_path: Path) -> None:
    """While a server says nothing, one signal ends the run within the grace period, a second one at once; the state is
    valid either way."""
    orders = {
        "int": [signal.SIGINT],
        "term": [signal.SIGTERM],
        "int-int": [signal.SIGINT, signal.SIGINT],
        "hup-term": [signal.SIGHUP, signal.SIGTERM],
    }
    with SiteProcess(SiteContent(20), tmp_path / "asked.txt") as server:
        crawls = {}
        for name in orders:
            seeds = [server.url(), server.url(f"/silent/{name}")]
            crawls[name] = start_crawl(tmp_path / name, crawl_config(server, tmp_path / name / "out", seeds=seeds))
        try:
            for name, crawl in crawls.items():
                while (
                    f"/silent/{name}" not in server.requested_paths()
                    or count_whole_lines(tmp_path / name / "out/pages.jsonl") < 20
                ):
                    assert crawl.exit_code() is None, crawl.output()
                    time.sleep(0.02)
            for name, crawl in crawls.items():
                for number in orders[name]:
                    crawl.send(number)
                    time.sleep(0.1)
            began = time.monotonic()
            assert crawls["int-int"].wait_for_exit(2) == 130
            assert crawls["hup-term"].wait_for_exit(2) == 143
            assert crawls["int"].wait_for_exit(SHUTDOWN_TIMEOUT_SECONDS + 3) == 130
            assert crawls["term"].wait_for_exit(SHUTDOWN_TIMEOUT_SECONDS + 3) == 143
            assert time.monotonic() - began < SHUTDOWN_TIMEOUT_SECONDS + 3
        finally:
            for crawl in crawls.values():
                crawl.kill()
        for name in orders:
            # Without the silent seed's answer the run goes on at once: it is still waiting to be asked for.
            with killed_on_exit(start_crawl(tmp_path / name, crawl_config(server, tmp_path / name / "out"))) as crawl:
                while server.requested_paths().count(f"/silent/{name}") < 2:
                    assert crawl.exit_code() is None, crawl.output()
                    time.sleep(0.02)
            assert count_whole_lines(tmp_path / name / "out/pages.jsonl") >= 20


def test_a_closed_terminal_ends_the_run_cleanly(tmp_path: Path) -> None:
    """A run in a terminal that is closed saves its state and ends with 129, whatever can no longer be drawn."""
    with SiteProcess(SiteContent(120), tmp_path / "asked.txt", slow=0.02) as server:
        settings = crawl_config(server, tmp_path / "out")
        master, slave = pty.openpty()
        terminal: dict[str, Any] = {
            "stdin": slave,
            "stdout": slave,
            "stderr": slave,
            "preexec_fn": lambda: set_controlling_terminal(slave),
        }
        with killed_on_exit(start_crawl(tmp_path, settings, "--progress", "rich", **terminal)) as crawl:
            os.close(slave)
            server.wait_for_requests(40, crawl)
            os.close(master)
            assert crawl.wait_for_exit(8) == 129
        code, text = run_crawl(tmp_path, settings)
        assert code == 0, text
        verify_complete_crawl(server, tmp_path / "out")
        assert repeated_requests(server, 1).total() == 0


def set_controlling_terminal(slave: int) -> None:
    """Make the terminal this process's controlling terminal: closing it then sends SIGHUP."""
    import fcntl
    import termios

    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


def test_a_run_that_was_started_with_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    """A SIGHUP that was ignored when the run began stays ignored."""
    with SiteProcess(SiteContent(60), tmp_path / "asked.txt", slow=0.02) as server:
        with killed_on_exit(start_crawl(tmp_path, crawl_config(server, tmp_path / "out"), through=["nohup"])) as crawl:
            server.wait_for_requests(20, crawl)
            crawl.send(signal.SIGHUP)
            assert crawl.wait_for_exit() == 0, crawl.output()
        verify_complete_crawl(server, tmp_path / "out")


def child_pids(pid: int) -> list[int]:
    """The pids of the child processes of `pid`."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(child) for child in found.stdout.split()]


def config_with_large_page(server: SiteProcess, tmp_path: Path) -> dict[str, Any]:
    """A config whose first seed is a page that is parsed in another process."""
    return crawl_config(server, tmp_path / "out", seeds=[server.url("/large"), server.url()])


def test_an_interrupt_of_the_whole_group_loses_no_large_page(tmp_path: Path) -> None:
    """Ctrl-C reaches the process that reads large pages, too: the page is read all the same, now or on resume."""
    with SiteProcess(SiteContent(30, large=True), tmp_path / "asked.txt") as server:
        settings = config_with_large_page(server, tmp_path)
        with killed_on_exit(start_crawl(tmp_path, settings)) as crawl:
            while not child_pids(crawl.process.pid):
                assert crawl.exit_code() is None, crawl.output()
            os.killpg(crawl.process.pid, signal.SIGINT)
            assert crawl.wait_for_exit(20) == 130, crawl.output()
            assert "Traceback" not in crawl.output()
        code, text = run_crawl(tmp_path, settings)
        assert code == 0, text
        verify_complete_crawl(server, tmp_path / "out")


def test_a_killed_run_leaves_no_process_behind(tmp_path: Path) -> None:
    """The process that reads large pages ends when the crawl was killed."""
    with SiteProcess(SiteContent(30, large=True), tmp_path / "asked.txt") as server:
        with killed_on_exit(start_crawl(tmp_path, config_with_large_page(server, tmp_path))) as crawl:
            while len(left := child_pids(crawl.process.pid)) < 2:  # the reader, and the tracker of multiprocessing
                assert crawl.exit_code() is None, crawl.output()
            server.wait_for_requests(20, crawl)
            crawl.kill()
        end = time.monotonic() + 10
        while any(is_running(pid) for pid in left):
            assert time.monotonic() < end, f"{left} outlived the crawl"
            time.sleep(0.05)


def is_running(pid: int) -> bool:
    """Whether the process `pid` is running (and not a zombie)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
