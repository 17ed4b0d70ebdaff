"""How a benchmark is shown in a terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from scraper.bench.measure.compare import compare
from scraper.cli.bench_screen import render, render_comparison
from tests.bench.rows import WHOLE, report, row


@pytest.mark.parametrize("width", [80, 160])
def test_the_screen_fits_the_terminal(width: int) -> None:
    """No line is wider than the terminal, and everything that was found is on it."""
    text = StringIO()
    console = Console(file=text, width=width, highlight=False)
    render(WHOLE, console)
    shown = text.getvalue()
    assert max(map(len, shown.splitlines())) <= width
    for words in ("1,400", "knee", "Little", "p95", "The machine was busy.", "concurrency: 64", "It <works>."):
        assert words in shown


def test_a_comparison_is_shown() -> None:
    """Both figures, the change and the cautions are on the screen."""
    text = StringIO()
    found = compare(report(row(4, 80)), report(row(4, 120), complete=False))
    render_comparison(found, ("a.json", "b.json"), Console(file=text, width=80))
    for words in ("a.json", "80.0", "120", "+50%", "stopped early"):
        assert words in text.getvalue()
