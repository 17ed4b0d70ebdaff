"""Commands that read a run folder read those of an earlier version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scraper.cli.app import command_line
from scraper.rundir.layout import RunLayout
from tests.compat.recordings import Recording, crawl_config, unpack
from tests.compat.site import FIRST_HOST, book_paths

KILLED, FINISHED = "crawl-killed", "crawl-finished"


def invoke(*arguments: str) -> Result:
    """Run a command; it must end with exit code 0."""
    result = CliRunner().invoke(command_line(), list(arguments))
    assert result.exit_code == 0, result.output
    return result


def config_file(recording: Recording) -> str:
    """The config of the recorded crawl, beside its folder."""
    path = recording.folder.with_suffix(".yaml")
    path.write_text(json.dumps(crawl_config(recording.port, recording.folder)))
    return str(path)


@pytest.mark.parametrize("name", [KILLED, FINISHED])
def test_status_shows_it(tmp_path: Path, name: str) -> None:
    """Both hosts and the items are shown."""
    recording = unpack(name, tmp_path / "out")
    text = invoke("status", str(recording.folder)).output
    assert f"{FIRST_HOST}:{recording.port}" in text


def test_status_as_json_has_the_recorded_figures(tmp_path: Path) -> None:
    """They are those of the records."""
    recording = unpack(FINISHED, tmp_path / "out")
    status = json.loads(invoke("status", str(recording.folder), "--json").output)
    pages = len(RunLayout(recording.folder).pages.read_text().splitlines())
    assert pages == 49
    assert str(pages) in json.dumps(status)


@pytest.mark.parametrize("name", [KILLED, FINISHED])
def test_why_explains_its_urls(tmp_path: Path, name: str) -> None:
    """A page that was fetched, and one that robots.txt forbids."""
    recording = unpack(name, tmp_path / "out")
    config = config_file(recording)
    start = f"http://{FIRST_HOST}:{recording.port}"
    assert "200" in CliRunner().invoke(command_line(), ["why", config, f"{start}/"]).output
    assert "robots" in CliRunner().invoke(command_line(), ["why", config, f"{start}/private/x"]).output


@pytest.mark.parametrize("name", [KILLED, FINISHED])
def test_report_is_written(tmp_path: Path, name: str) -> None:
    """One file, with the host in it."""
    recording = unpack(name, tmp_path / "out")
    invoke("report", str(recording.folder))
    assert FIRST_HOST in RunLayout(recording.folder).report.read_text()


def test_extract_reads_its_stored_pages(tmp_path: Path) -> None:
    """Labels and inherited fields of stored pages are understood: the same rules give the same items."""
    recording = unpack(FINISHED, tmp_path / "out")
    items = RunLayout(recording.folder).items
    before = items.read_text()
    invoke("extract", str(recording.folder), config_file(recording))
    assert sorted(items.read_text().splitlines()) == sorted(before.splitlines())
    assert len(before.splitlines()) == len(book_paths()) + 1
