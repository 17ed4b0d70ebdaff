"""The bundled shop, and one finished run of it, for all tests of this folder."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

import scraper
from scraper.cli.app import command_line
from scraper.config.reading.load import load_config
from scraper.errors import ScraperError

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class FinishedRun:
    """A run of the shop: its config, its folder and the shop's address (still answering)."""

    config: Path
    folder: Path
    shop: str


@dataclass(frozen=True)
class CommandResult:
    """How a command ended."""

    exit_code: int
    output: str


RunCommand = Callable[..., CommandResult]


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    """Run a command in this process; errors become exit codes as `main` makes them."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, stdin: str | None = None) -> CommandResult:
        done = CliRunner().invoke(command_line(), list(arguments), input=stdin)
        if isinstance(done.exception, ScraperError):
            return CommandResult(done.exception.exit_code, done.output + str(done.exception))
        assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
        return CommandResult(done.exit_code, done.output)

    return run


@pytest.fixture(scope="session")
def shop() -> Iterator[str]:
    """The bundled shop in a process of its own."""
    command = [sys.executable, "-m", "scraper.demo_site.site", "--until-eof", "--pages", "60", "--outage", "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        process.stdout.readline()
        yield address
        process.stdin.close()


@pytest.fixture(scope="session")
def finished(shop: str, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A finished run of the shop by a copy of configs/shop.yaml."""
    folder = tmp_path_factory.mktemp("run")
    text = (ROOT / "configs" / "shop.yaml").read_text()
    text = text.replace("http://127.0.0.1:8000", shop).replace("rate: 20/s", "rate: 500/s")
    text = text.replace("folder: out/shop", f"folder: {folder / 'out'}").replace("retries: 3", "retries: 1")
    config = folder / "shop.yaml"
    config.write_text(text)
    asyncio.run(scraper.crawl(load_config(config, ["politeness.adaptive=false", "limits.max_pages=75"])))
    return FinishedRun(config, folder / "out", shop)
