"""The short way to read arguments says what typer says, and what a command does not need is not loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.core import TyperCommand
from typer.testing import CliRunner

from scraper.cli.app import COMMANDS, command_line
from scraper.cli.fast_args import FastCommand

ROOT = Path(__file__).parents[2]
LOADED_MODULES_PROGRAM = """
import sys
sys.argv = ["scrape", *{arguments!r}]
from scraper.__main__ import main
try:
    main()
except SystemExit as left:
    assert left.code == {code}, left.code
print(*sys.modules, file=sys.stdout)
"""


def loaded_modules(*arguments: str, code: int = 0) -> set[str]:
    """The modules that a process has loaded which ran this command."""
    program = LOADED_MODULES_PROGRAM.format(arguments=arguments, code=code)
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(ended.stdout.split("\n")[-2].split())


@pytest.mark.parametrize(
    "how", [(), ("-q",), ("--progress", "none", "--per-host", "8", "--timeout", "20s")], ids=" ".join
)
def test_a_download_loads_nothing_that_it_does_not_need(tmp_path: Path, how: tuple[str, ...]) -> None:
    """pydantic, rich, the benchmark, the other commands, other processes: none of it for a list of files."""
    (tmp_path / "list.txt").write_text("http://127.0.0.1:1/file\n")
    there = loaded_modules(
        "download", str(tmp_path / "list.txt"), "-o", str(tmp_path / "out"), "--retries", "0", *how, code=1
    )
    rooms = {name.split(".")[0] for name in there}
    assert "httpx" in rooms
    assert not rooms & {"pydantic", "pydantic_core", "rich", "yaml", "selectolax", "multiprocessing"}
    assert not {
        name for name in there if name.startswith(("scraper.bench", "scraper.explain", "scraper.config.schema.crawl"))
    }
    commands = {module for module, _ in COMMANDS.values()}
    assert there & commands == {"scraper.cli.download"}


QUICK_CRAWL = """
name: nobody-there
seeds: ["http://127.0.0.1:1/"]
sitemaps: off
limits: {retries: 0}
politeness: {robots: ignore}
network: {allow_private: true}
"""


def test_a_crawl_that_shows_nothing_loads_nothing_to_show_it(tmp_path: Path) -> None:
    """No rich, no other commands, and no processes while no page is large."""
    (tmp_path / "crawl.yaml").write_text(QUICK_CRAWL)
    there = loaded_modules("crawl", str(tmp_path / "crawl.yaml"), "-o", str(tmp_path / "out"), "-q", code=1)
    rooms = {name.split(".")[0] for name in there}
    assert {"pydantic", "yaml"} <= rooms
    assert not rooms & {"rich", "multiprocessing"}
    assert there & {module for module, _ in COMMANDS.values()} == {"scraper.cli.crawl"}


def commands(cls: type[TyperCommand]) -> dict[str, Any]:
    """Every command as typer makes it with `cls`."""
    app = command_line()
    for command in app.registered_commands:
        command.cls = cls
    return dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


FAST_COMMANDS, TYPER_COMMANDS = commands(FastCommand), commands(TyperCommand)


def parse(command: Any, arguments: list[str]) -> object:
    """What the command's function would be called with, or the sentence of the usage error."""
    try:
        context = command.make_context("it", list(arguments))
    except typer.Exit as left:
        return left.exit_code
    except Exception as error:  # noqa: BLE001  whatever it is, it must be the same
        return type(error).__name__, str(error)
    values = {name: tuple(v) if isinstance(v, list | tuple) else v for name, v in context.params.items()}
    return {name: (type(value), value) for name, value in values.items()}, context.args


NUMBERS = ("0", "7", "-1", "+7", "007", "1_0", "16", "17", " 8", "8.0", "1e3", "99999", "9999999999", "٣")
TEXTS = ("list.txt", "-", "--", "x", "", "é", "\udcff", "/", "no/such", "a\0b", "rename", "RENAME", "json", "auto")
WORDS = st.sampled_from(NUMBERS + TEXTS)


@pytest.mark.parametrize("name", list(COMMANDS))
@given(words=st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_read_the_short_way_is_what_typer_reads(name: str, words: st.DataObject) -> None:
    """The same values of the same types, or the same complaint, for every command and whatever stands there."""
    options = sorted(
        {option for parameter in FAST_COMMANDS[name].params for option in parameter.opts if option[0] == "-"}
    )
    word = st.one_of(WORDS, st.sampled_from(options)) if options else WORDS
    arguments = words.draw(st.lists(word, max_size=6))
    assert parse(FAST_COMMANDS[name], arguments) == parse(TYPER_COMMANDS[name], arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["list.txt"],
        ["list.txt", "-o", "out", "--concurrency", "8", "--collision", "skip", "-H", "A: b", "-H", "C: d", "--fresh"],
        ["list.txt", "--concurrency", "0"],
        ["list.txt", "--segments", "17"],
        ["list.txt", "--retries", "many"],
        ["list.txt", "--collision", "none"],
        ["list.txt", "another.txt"],
        ["\udcff.txt"],
        [],
    ],
    ids=" ".join,
)
def test_a_download_is_asked_for_as_typer_reads_it(arguments: list[str]) -> None:
    """Ordinary calls, and each way to be wrong."""
    assert parse(FAST_COMMANDS["download"], arguments) == parse(TYPER_COMMANDS["download"], arguments)


def test_a_file_that_may_not_be_read_is_typers_to_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that is there and closed to us is a usage error, as it is without the short way."""
    monkeypatch.setattr("os.access", lambda *_: False)
    arguments = ["list.txt", "-o", str(tmp_path)]
    assert parse(FAST_COMMANDS["download"], arguments) == parse(TYPER_COMMANDS["download"], arguments)
    assert "not readable" in str(parse(FAST_COMMANDS["download"], arguments))


def test_a_command_that_stands_alone_shows_the_help_that_it_shows_among_all() -> None:
    """Only the requested command is registered; its help is the same."""
    for name in COMMANDS:
        shown = [CliRunner().invoke(command_line(first), [name, "--help"]).output for first in ("", name)]
        assert shown[0] == shown[1] != ""


def test_an_unknown_command_is_told_what_it_may_have_meant() -> None:
    """With all commands there are names to compare with."""
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(command_line("downlod"), ["downlod"]).output
    assert "Did you mean 'download'?" in shown
