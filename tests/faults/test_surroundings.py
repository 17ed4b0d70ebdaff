"""What else may happen around a run: few open files, no console, a second run, a server that goes and comes back."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

import scraper
from scraper.testing.local_server import LocalServer, Reply
from tests.faults.runs import (
    SiteProcess,
    crawl_config,
    killed_on_exit,
    read_json_lines,
    run_crawl,
    start_crawl,
    verify_complete_crawl,
)
from tests.faults.web import SiteContent


def test_few_open_files(tmp_path: Path) -> None:
    """With `ulimit -n 64` a crawl of 64 requests at once does with fewer, says so, and misses nothing."""
    with SiteProcess(SiteContent(150), tmp_path / "asked.txt") as server:
        settings = crawl_config(server, tmp_path / "out", limits={"concurrency": 64, "retries": 4})
        code, text = run_crawl(tmp_path, settings, through=["prlimit", "--nofile=64"])
        assert code == 0, text
        assert "too few open files for 64 requests at once" in text
        verify_complete_crawl(server, tmp_path / "out")


def test_a_low_limit_that_may_be_raised_is_raised(tmp_path: Path) -> None:
    """A soft limit on open files below what the run needs is raised as far as the hard one lets it."""
    with SiteProcess(SiteContent(30), tmp_path / "asked.txt") as server:
        settings = crawl_config(server, tmp_path / "out", limits={"concurrency": 64, "retries": 4})
        code, text = run_crawl(tmp_path, settings, through=["prlimit", "--nofile=64:1024"])
        assert (code, "too few open files" in text) == (0, False), text
        verify_complete_crawl(server, tmp_path / "out")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(tmp_path: Path, closed: str) -> None:
    """Without standard streams a run works as ever, and nothing that is printed ends up in its files."""
    with SiteProcess(SiteContent(30), tmp_path / "asked.txt") as server:
        through = ["sh", "-c", f'exec "$@" {closed}', "sh"]
        code, text = run_crawl(tmp_path, crawl_config(server, tmp_path / "out"), through=through)
        assert code == 0, text
        verify_complete_crawl(server, tmp_path / "out")


@pytest.mark.parametrize("mode", ["json", "plain", "rich"])
def test_a_reader_that_leaves(tmp_path: Path, mode: str) -> None:
    """When the pipe that a run writes to is closed (SIGPIPE), the run goes on and ends with its own exit code."""
    with SiteProcess(SiteContent(80), tmp_path / "asked.txt", slow=0.02) as server:
        pipe: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with killed_on_exit(
            start_crawl(tmp_path, crawl_config(server, tmp_path / "out"), "--progress", mode, "-v", **pipe)
        ) as crawl:
            assert crawl.process.stdout is not None
            crawl.process.stdout.readline()
            crawl.process.stdout.close()
            assert crawl.wait_for_exit() == 0
        verify_complete_crawl(server, tmp_path / "out")


@pytest.mark.slow
def test_two_runs_on_one_folder(tmp_path: Path) -> None:
    """The second is refused with exit code 2 and the first one's pid, asks for nothing, and does the first no harm."""
    with SiteProcess(SiteContent(80), tmp_path / "asked.txt", slow=0.2) as server:
        settings = crawl_config(server, tmp_path / "out")
        with killed_on_exit(start_crawl(tmp_path, settings)) as first:
            server.wait_for_requests(10, first)
            other = crawl_config(server, tmp_path / "out", seeds=[server.url("/other")])
            others = [start_crawl(tmp_path / "second", other), start_crawl(tmp_path / "third", other, "--fresh")]
            for crawl in others:
                assert (crawl.wait_for_exit(), f"process {first.process.pid} is at work" in crawl.output()) == (
                    2,
                    True,
                ), crawl.output()
            assert first.wait_for_exit() == 0, first.output()
        assert "/other" not in server.requested_paths()
        verify_complete_crawl(server, tmp_path / "out")


@pytest.mark.slow
def test_a_server_that_is_restarted(tmp_path: Path) -> None:
    """A server that is killed twice in the middle of a crawl and comes back costs time and nothing else."""
    with SiteProcess(SiteContent(150), tmp_path / "asked.txt", slow=0.01) as server:
        with killed_on_exit(start_crawl(tmp_path, crawl_config(server, tmp_path / "out"))) as crawl:
            for count in (40, 120):
                server.wait_for_requests(count, crawl)
                server.kill()
                time.sleep(0.7)
                server.start()
            assert crawl.wait_for_exit() == 0, crawl.output()
        verify_complete_crawl(server, tmp_path / "out")


@pytest.mark.slow
async def test_name_servers_that_are_gone_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts whose names cannot be resolved for now are put off; when the name servers are back every page is there."""
    asked: list[str] = []
    system = socket.getaddrinfo

    def moody(host: str, *rest: Any, **named: Any) -> Any:
        if not host.endswith(".localhost"):
            return system(host, *rest, **named)
        asked.append(host)
        if len(asked) <= 5:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", moody)
    async with LocalServer({"*": Reply(body=b"<p>here")}) as site:
        names = [f"{name}.localhost" for name in "abcde"]
        summary = await scraper.crawl(
            {
                "seeds": [site.url("/", host) for host in names],
                "politeness": {"per_host": {"rate": "unlimited"}},
                "sitemaps": "off",
                "output": {"folder": str(tmp_path / "out")},
            }
        )
    records = read_json_lines(tmp_path / "out" / "pages.jsonl")
    assert [record["error_detail"] for record in records] == [None] * 5
    assert (summary.ok, summary.failed) == (5, 0)
