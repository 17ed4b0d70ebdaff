"""One run at a time in a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scraper.errors import FrontierError, RunLockedError
from scraper.rundir.layout import RunLayout
from scraper.rundir.lock import RunLock

HOLD = """
import sys
from pathlib import Path
from scraper.rundir.lock import RunLock
with RunLock(Path(sys.argv[1])):
    sys.stdout.write("held\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""


def test_a_held_folder_refuses_and_names_the_holder(tmp_path: Path) -> None:
    """The second to come gets `RunLockedError` with the pid of the first."""
    with RunLock(tmp_path):
        with pytest.raises(RunLockedError) as caught, RunLock(tmp_path):
            pytest.fail("two in one folder")
        assert caught.value.pid == os.getpid()
        assert RunLayout(tmp_path).lock.read_text() == f"{os.getpid()}\n"


def test_a_lock_can_be_taken_again_after_it_was_let_go(tmp_path: Path) -> None:
    """Leaving the block frees the folder, also when it raised."""
    lock = RunLock(tmp_path / "new" / "folder")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), lock:
            raise ZeroDivisionError
    with lock:
        assert RunLayout(tmp_path / "new" / "folder").lock.exists()


def test_a_killed_holder_frees_the_folder(tmp_path: Path) -> None:
    """The operating system lets go of the lock: no stale lock file ever blocks a resume."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunLockedError) as caught, RunLock(tmp_path):
            pytest.fail("two in one folder")
        assert caught.value.pid == holder.pid
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with RunLock(tmp_path):
        assert RunLayout(tmp_path).lock.read_text() == f"{os.getpid()}\n"


def test_an_unreadable_pid_is_left_out(tmp_path: Path) -> None:
    """A lock file that holds no number locks all the same."""
    with RunLock(tmp_path):
        RunLayout(tmp_path).lock.write_text("who knows")
        with pytest.raises(RunLockedError) as caught, RunLock(tmp_path):
            pytest.fail("two in one folder")
        assert caught.value.pid is None
        assert "another process" in str(caught.value)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A file where the folder should be is named."""
    (tmp_path / ".scrape").write_text("")
    with pytest.raises(FrontierError, match="cannot write"), RunLock(tmp_path):
        pytest.fail("locked a file")
