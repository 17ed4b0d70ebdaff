"""Ctrl-C at any moment after our first line is a quiet end with 130, never a traceback."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scraper.cli import app

ROOT = Path(__file__).parents[2]
INTERRUPTED_AT = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
signal.signal(signal.SIGINT, signal.{handler})
sys.argv = ["scrape", *{arguments!r}]
from scraper.__main__ import main
main()
"""


def run(name: str, *arguments: str, handler: str = "default_int_handler") -> subprocess.CompletedProcess[str]:
    """Run the command line, interrupted when the module `name` is imported."""
    code = INTERRUPTED_AT.format(name=name, handler=handler, arguments=arguments)
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "name", ["scraper.cli.app", "typer", "scraper.cli.validate", "scraper.config.reading.load", "yaml"]
)
def test_an_interrupt_while_we_load_is_quiet(name: str) -> None:
    """Before the command line is there, while it is made, while a command loads what it needs."""
    ended = run(name, "validate", "configs/quickstart.yaml")
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As nohup and a shell's background jobs want it."""
    ended = run("typer", "--version", handler="SIG_IGN")
    assert (ended.returncode, ended.stdout.split()[:1]) == (0, ["scrape"])


def test_the_installed_command_is_this_entry() -> None:
    """pyproject.toml names a function that is there."""
    target = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["scrape"]
    module, name = target.split(":")
    assert module == "scraper.__main__"
    assert callable(getattr(importlib.import_module(module), name))


def test_an_interrupt_while_the_command_line_is_made_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What typer does not catch by itself ends with 130 as well."""

    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "command_line", interrupted)
    with pytest.raises(SystemExit) as left:
        app.main([])
    assert left.value.code == 130
