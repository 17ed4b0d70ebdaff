"""The command line as a user runs it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class CommandResult:
    """How a command ended."""

    code: int
    out: str
    err: str


Scrape = Callable[..., CommandResult]


@pytest.fixture
def scrape(tmp_path: Path) -> Scrape:
    """Run `scrape` with these arguments in an empty folder."""

    def run(*arguments: str, cwd: Path = tmp_path, env: dict[str, str] | None = None) -> CommandResult:
        done = subprocess.run(
            [sys.executable, "-m", "scraper", *arguments],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "COLUMNS": "100", **(env or {})},
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    return run
