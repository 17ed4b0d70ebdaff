"""`scrape bench` as a command."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from scraper.cli.app import command_line
from scraper.errors import ConfigError


def test_the_command_writes_json_and_a_page(tmp_path: Path) -> None:
    """One short scenario through the command line: files are written, and two results can be compared."""
    out, html = tmp_path / "a.json", tmp_path / "a.html"
    options = ["--scenario", "large-files", "--json", str(out), "--html", str(html), "--progress", "none"]
    done = CliRunner().invoke(command_line(), ["bench", *options])
    assert done.exit_code == 0, done.output
    assert "streamed to disk" in done.output
    values = json.loads(out.read_bytes())
    stream, buffer = values["sections"][0]["rows"]
    assert (stream["sample"]["pages"], buffer["sample"]["pages"]) == (24, 24)
    assert values["machine"]["python"]
    assert html.read_text("utf-8").startswith("<!DOCTYPE html>")
    compared = CliRunner().invoke(command_line(), ["bench", "--compare", str(out), str(out)])
    assert compared.exit_code == 0
    assert "No difference" in compared.output


def test_more_than_little_is_not_asked_by_a_script(tmp_path: Path) -> None:
    """Without a terminal to ask, and without --yes, a fast run is refused before any request."""
    urls = tmp_path / "urls.txt"
    urls.write_text("https://books.example/\n")
    done = CliRunner().invoke(command_line(), ["bench", str(urls), "--rate", "5/s"])
    assert isinstance(done.exception, ConfigError)
    assert "--yes" in str(done.exception)
