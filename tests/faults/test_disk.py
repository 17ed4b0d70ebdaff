"""Disks that are full, limited or read-only: a sentence, exit code 3, whole files; and with room the run completes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.runs import SiteProcess, count_whole_lines, crawl_config, run_crawl, verify_complete_crawl
from tests.faults.web import SiteContent

KIB = 1024
EXIT_OUTPUT = 3


def assert_clean_stop(code: int, text: str, out: Path) -> None:
    """The run ended with a sentence that names the trouble, and tore nothing."""
    assert code == EXIT_OUTPUT, text
    assert "error: " in text
    assert "Traceback" not in text
    for name in ("pages.jsonl", "items.jsonl", "skipped.jsonl"):
        count_whole_lines(out / name)
    if (csv := out / "items.csv").exists():
        assert csv.read_bytes().endswith(b"\r\n") or not csv.stat().st_size


@contextmanager
def tmpfs(folder: Path, size: int, *options: str) -> Iterator[None]:
    """A disk of `size` bytes of its own at `folder`."""
    folder.mkdir()
    more = ",".join([f"size={size}", *options])
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", more, "tmpfs", str(folder)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("disks cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk(tmp_path: Path) -> None:
    """However full it is, the run stops with exit code 3 and whole files; each time there is more room it goes on, and
    in the end it is complete and exact."""
    out = tmp_path / "out"
    with SiteProcess(SiteContent(150), tmp_path / "asked.txt") as server, tmpfs(out, 64 * KIB):
        settings = crawl_config(server, out)
        for size in (64, 200, 400, 700, 1200, 1800, 2600, 3600):
            subprocess.run(["mount", "-o", f"remount,size={size * KIB}", str(out)], check=True)
            code, text = run_crawl(tmp_path, settings)
            assert_clean_stop(code, text, out)
            assert "full" in text or "space" in text or "disk" in text, text
        subprocess.run(["mount", "-o", f"remount,size={64 * KIB * KIB}", str(out)], check=True)
        code, text = run_crawl(tmp_path, settings)
        assert code == 0, text
        verify_complete_crawl(server, out)


@pytest.mark.parametrize("limit", [10_000, 60_000, 200_000, 700_000], ids=lambda limit: f"{limit:,} bytes")
def test_a_limit_on_the_size_of_files(tmp_path: Path, limit: int) -> None:
    """With `ulimit -f` the run stops with exit code 3 and whole files; without the limit it completes."""
    out = tmp_path / "out"
    with SiteProcess(SiteContent(150), tmp_path / "asked.txt") as server:
        settings = crawl_config(server, out)
        code, text = run_crawl(tmp_path, settings, through=["prlimit", f"--fsize={limit}"])
        assert_clean_stop(code, text, out)
        code, text = run_crawl(tmp_path, settings)
        assert code == 0, text
        verify_complete_crawl(server, out)


@pytest.mark.parametrize("resumed", [False, True], ids=["a new run", "a run that goes on"])
def test_a_read_only_disk(tmp_path: Path, resumed: bool) -> None:
    """A read-only disk is reported before the first request."""
    out = tmp_path / "out"
    with SiteProcess(SiteContent(30), tmp_path / "asked.txt") as server, tmpfs(out, 64 * KIB * KIB):
        if resumed:
            assert run_crawl(tmp_path, crawl_config(server, out), "--max-pages", "5")[0] == 0
        asked = len(server.requested_paths())
        subprocess.run(["mount", "-o", "remount,ro", str(out)], check=True)
        code, text = run_crawl(tmp_path, crawl_config(server, out))
        assert_clean_stop(code, text, out)
        assert "read-only" in text.lower()
        assert len(server.requested_paths()) == asked


@pytest.mark.parametrize("place", ["a file/out", "a file", "/proc/nothing/out", "/dev/full/out"])
def test_an_output_that_cannot_be_a_folder(tmp_path: Path, place: str) -> None:
    """A path below a file, a file itself, and places where nobody may make folders are refused in a sentence."""
    (tmp_path / "a file").write_text("mine")
    with SiteProcess(SiteContent(1), tmp_path / "asked.txt") as server:
        code, text = run_crawl(tmp_path, crawl_config(server, tmp_path / place))
        assert (code, "Traceback" in text, server.requested_paths()) == (EXIT_OUTPUT, False, []), text
        assert place in text
    assert (tmp_path / "a file").read_text() == "mine"


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="there is no /dev/full here")
def test_a_screen_on_a_full_disk_costs_nothing(tmp_path: Path) -> None:
    """When what the run says cannot be written, the run itself goes on."""
    with SiteProcess(SiteContent(30), tmp_path / "asked.txt") as server:
        with open("/dev/full", "w") as full:  # noqa: PTH123
            code, _ = run_crawl(tmp_path, crawl_config(server, tmp_path / "out"), stdout=full, stderr=full)
        assert code == 0
        verify_complete_crawl(server, tmp_path / "out")
