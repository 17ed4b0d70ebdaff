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

from tests.faults.runs import Server, again, config, run, running, start, verify, whole_lines
from tests.faults.web import Web

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
GRACE = 10.0


@pytest.mark.parametrize("number", CODES, ids=lambda number: number.name)
def test_the_first_signal_ends_the_run_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """Requests under way are finished and recorded: resumed, the run asks for nothing again and misses nothing."""
    with Server(Web(120), tmp_path / "asked.txt", slow=0.02) as server:
        settings = config(server, tmp_path / "out")
        with running(start(tmp_path, settings)) as crawl:
            server.wait_for(40, crawl)
            crawl.send(number)
            asked_for, code = time.monotonic(), crawl.end()
            assert (code, time.monotonic() - asked_for < 5) == (CODES[number], True), crawl.text()
            assert "the same command goes on" in crawl.text()
        summary = json.loads((tmp_path / "out" / "summary.json").read_text())
        assert summary["why"] == "interrupted"
        assert whole_lines(tmp_path / "out" / "pages.jsonl") == summary["pages"]["settled"]
        code, text = run(tmp_path, settings)
        assert code == 0, text
        verify(server, tmp_path / "out")
        assert again(server, 1).total() == 0


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
    with Server(Web(20), tmp_path / "asked.txt") as server:
        crawls = {}
        for name in orders:
            seeds = [server.url(), server.url(f"/silent/{name}")]
            crawls[name] = start(tmp_path / name, config(server, tmp_path / name / "out", seeds=seeds))
        try:
            for name, crawl in crawls.items():
                while f"/silent/{name}" not in server.asked() or whole_lines(tmp_path / name / "out/pages.jsonl") < 20:
                    assert crawl.code() is None, crawl.text()
                    time.sleep(0.02)
            for name, crawl in crawls.items():
                for number in orders[name]:
                    crawl.send(number)
                    time.sleep(0.1)
            began = time.monotonic()
            assert crawls["int-int"].end(2) == 130
            assert crawls["hup-term"].end(2) == 143
            assert crawls["int"].end(GRACE + 3) == 130
            assert crawls["term"].end(GRACE + 3) == 143
            assert time.monotonic() - began < GRACE + 3
        finally:
            for crawl in crawls.values():
                crawl.kill()
        for name in orders:
            # Without the silent seed's answer the run goes on at once: it is still waiting to be asked for.
            with running(start(tmp_path / name, config(server, tmp_path / name / "out"))) as crawl:
                while server.asked().count(f"/silent/{name}") < 2:
                    assert crawl.code() is None, crawl.text()
                    time.sleep(0.02)
            assert whole_lines(tmp_path / name / "out/pages.jsonl") >= 20


def test_a_closed_terminal_ends_the_run_cleanly(tmp_path: Path) -> None:
    """A run in a terminal that is closed saves its state and ends with 129, whatever can no longer be drawn."""
    with Server(Web(120), tmp_path / "asked.txt", slow=0.02) as server:
        settings = config(server, tmp_path / "out")
        master, slave = pty.openpty()
        terminal: dict[str, Any] = {
            "stdin": slave,
            "stdout": slave,
            "stderr": slave,
            "preexec_fn": lambda: pty_control(slave),
        }
        with running(start(tmp_path, settings, "--progress", "rich", **terminal)) as crawl:
            os.close(slave)
            server.wait_for(40, crawl)
            os.close(master)
            assert crawl.end(8) == 129
        code, text = run(tmp_path, settings)
        assert code == 0, text
        verify(server, tmp_path / "out")
        assert again(server, 1).total() == 0


def pty_control(slave: int) -> None:
    """Make the terminal the one that controls this process: then its end is told by SIGHUP."""
    import fcntl
    import termios

    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


def test_a_run_that_was_started_with_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    """A SIGHUP that was ignored when the run began stays ignored."""
    with Server(Web(60), tmp_path / "asked.txt", slow=0.02) as server:
        with running(start(tmp_path, config(server, tmp_path / "out"), through=["nohup"])) as crawl:
            server.wait_for(20, crawl)
            crawl.send(signal.SIGHUP)
            assert crawl.end() == 0, crawl.text()
        verify(server, tmp_path / "out")


def children(pid: int) -> list[int]:
    """The processes that `pid` has started."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(child) for child in found.stdout.split()]


def begun_with_a_large_page(server: Server, tmp_path: Path) -> dict[str, Any]:
    """A config whose crawl begins with a page for the process that reads large pages."""
    return config(server, tmp_path / "out", seeds=[server.url("/large"), server.url()])


def test_an_interrupt_of_the_whole_group_loses_no_large_page(tmp_path: Path) -> None:
    """Ctrl-C reaches the process that reads large pages, too: the page is read all the same, now or on resume."""
    with Server(Web(30, large=True), tmp_path / "asked.txt") as server:
        settings = begun_with_a_large_page(server, tmp_path)
        with running(start(tmp_path, settings)) as crawl:
            while not children(crawl.process.pid):
                assert crawl.code() is None, crawl.text()
            os.killpg(crawl.process.pid, signal.SIGINT)
            assert crawl.end(20) == 130, crawl.text()
            assert "Traceback" not in crawl.text()
        code, text = run(tmp_path, settings)
        assert code == 0, text
        verify(server, tmp_path / "out")


def test_a_killed_run_leaves_no_process_behind(tmp_path: Path) -> None:
    """The process that reads large pages ends when the crawl was killed."""
    with Server(Web(30, large=True), tmp_path / "asked.txt") as server:
        with running(start(tmp_path, begun_with_a_large_page(server, tmp_path))) as crawl:
            while len(left := children(crawl.process.pid)) < 2:  # the reader, and the tracker of multiprocessing
                assert crawl.code() is None, crawl.text()
            server.wait_for(20, crawl)
            crawl.kill()
        end = time.monotonic() + 10
        while any(alive(pid) for pid in left):
            assert time.monotonic() < end, f"{left} outlived the crawl"
            time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether `pid` runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
