"""Warnings about patterns without effect."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from scraper.cli.app import command_line
from scraper.config.reading.load import parse_config
from scraper.config.reading.pattern_warnings import pattern_warnings

CONFIG = """
seeds: [http://a.example/]
scope: {allow: [/shop/, '^/shop/'], deny: ['#top'], traps: {allow: ['^shop']}}
files: {match: ['^/f', '\\.pdf$']}
extract:
  - {match: '^/p/', fields: {t: h1}, follow: [{match: '^/q/'}, {match: /r/}]}
"""
KEYS = [
    "scope.allow[1]",
    "scope.deny[0]",
    "scope.traps.allow[0]",
    "files.match[0]",
    "extract[0].match",
    "extract[0].follow[0].match",
]


def test_every_key_that_takes_a_pattern_for_urls_is_looked_at() -> None:
    """Each pattern that can never match has a sentence with its key; the others have none."""
    assert [text.partition(":")[0] for text in pattern_warnings(parse_config(CONFIG))] == KEYS


def test_validate_warns(tmp_path: Path) -> None:
    """The config is valid, exit code 0, and the warnings stand on stderr."""
    file = tmp_path / "c.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    done = CliRunner().invoke(command_line(), ["validate", str(file)])
    assert done.exit_code == 0
    assert done.stderr.count("can never match") == len(KEYS)
    assert "can never match" not in done.stdout
