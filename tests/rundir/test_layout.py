"""The names of a run folder: all of them in one place, and all of them deleted by `--fresh`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scraper.rundir import layout
from scraper.rundir.layout import RunLayout
from scraper.sinks.csv import CsvSink
from scraper.sinks.interface import Sink
from scraper.sinks.jsonl import ItemsSink, PagesSink, RejectedSink
from scraper.sinks.page_store import PageStore
from scraper.sinks.sqlite import SqliteSink

PACKAGE = Path(layout.__file__).parents[1]
# The contract suites use names of outputs as examples of checkpoint names.
WITHOUT_LAYOUT = {PACKAGE / "rundir" / "layout.py", *(PACKAGE / "testing").rglob("*.py")}
FILE_NAME = re.compile(r"[a-z_]+\.(jsonl|json|csv|sqlite|parquet|txt|html|yaml|store)")


def names() -> set[str]:
    """Every name that the layout knows, without the folders above it."""
    run = RunLayout(Path("run"))
    paths = [getattr(run, name) for name in dir(run) if isinstance(getattr(RunLayout, name, None), property)]
    found = {path.name for path in [*paths, *run.own_files(), *run.own_folders()]}
    return {name for name in found if FILE_NAME.fullmatch(name)} | {layout.STATE_FOLDER}


def text_literals(source: str) -> Iterator[tuple[int, str]]:
    """The string literals of a module that are not docstrings, with their lines."""
    tree = ast.parse(source)
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node.lineno, node.value


def test_names_of_a_run_folder_are_written_in_the_layout_alone() -> None:
    """Elsewhere a name that is changed would be forgotten, and a new one would survive `--fresh`."""
    name = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, sorted(names())))})(?![\w-])")
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {text[:60]!r}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path not in WITHOUT_LAYOUT
        for line, text in text_literals(path.read_text("utf-8"))
        if name.search(text)
    ]
    assert found == []


def test_every_path_is_inside_the_folder(tmp_path: Path) -> None:
    """`RunLayout(folder)` leads nowhere else."""
    run = RunLayout(tmp_path)
    paths = [run.lock, run.frontier, run.download_queue, run.page_store, *run.own_files(), *run.own_folders()]
    assert all(path.is_relative_to(tmp_path) and path != tmp_path for path in paths)


@pytest.mark.parametrize(
    "make",
    [
        PagesSink,
        ItemsSink,
        RejectedSink,
        PageStore,
        lambda folder: CsvSink(folder, ["a"]),
        lambda folder: SqliteSink(folder, ["a"]),
    ],
    ids=["pages", "items", "rejected", "page store", "csv", "sqlite"],
)
async def test_what_a_sink_writes_is_deleted_by_fresh(tmp_path: Path, make: type[PagesSink]) -> None:
    """Each file that a sink leaves is one of `own_files`, or inside one of `own_folders`."""
    sink: Sink = make(tmp_path)
    await sink.open(None)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    await sink.aclose()
    run = RunLayout(tmp_path)
    assert written
    for path in [*written, *(path for path in tmp_path.rglob("*") if path.is_file())]:
        assert path in run.own_files() or any(path.is_relative_to(folder) for folder in run.own_folders()), path
