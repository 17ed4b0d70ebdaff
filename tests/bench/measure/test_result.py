from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from scraper.bench.html_report import render_page
from scraper.bench.measure.compare import compare
from scraper.bench.measure.result import Sample, check_writable, median_sample, read_report, to_json, write_file
from scraper.cli.bench_screen import render, render_comparison
from scraper.errors import ConfigError, SinkError
from tests.bench.rows import ladder, report, row

WHOLE = report(
    *ladder(row(128, 1400, cpu_share=0.97, cpu_ms=0.7)),
    knee=64,
    recommended="limits:\n  concurrency: 64\n",
    max_server_rate=9000.0,
    warnings=("The machine was busy.",),
)


def test_a_report_survives_its_json(tmp_path: Path) -> None:
    """What is read back is what was written."""
    path = tmp_path / "a.json"
    write_file(path, to_json(WHOLE))
    assert to_json(read_report(path)) == to_json(WHOLE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format": 99}',
        to_json(WHOLE).replace(b'"rate": 20', b'"rate": "fast"'),
        to_json(WHOLE).replace(b'"sections": [', b'"sections": [7, '),
        b"\xff\xfe",
    ],
    ids=["empty", "list", "no-keys", "other-format", "text-for-number", "odd-section", "binary"],
)
def test_what_is_no_report_is_refused(tmp_path: Path, content: bytes) -> None:
    """Any other file is a sentence, not a crash."""
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="not the result of a benchmark"):
        read_report(path)


def test_an_output_that_cannot_be_written_is_told_before(tmp_path: Path) -> None:
    """A minute of measuring is not thrown away for a folder that is not there."""
    for path in (tmp_path / "nowhere" / "a.json", tmp_path):
        with pytest.raises(SinkError, match="cannot be written"):
            check_writable(path)
    check_writable(tmp_path / "a.json")


def test_rounds_are_merged_by_their_medians() -> None:
    """Figures are medians, counts are sums, and what was never known stays unknown."""
    rounds = [
        Sample(10, 1.0, rate, 0.05, 0.06, 0.07, errors=1, lag=lag, causes={"timeout": 1})
        for rate, lag in ((10.0, 0.1), (30.0, None), (11.0, 0.3))
    ]
    found = median_sample(rounds)
    assert (found.rate, found.pages, found.errors, found.causes) == (11.0, 30, 3, {"timeout": 3})
    assert found.lag == pytest.approx(0.2)
    assert found.server_cpu is None


@pytest.mark.parametrize(
    ("after", "finding"),
    [
        (row(4, 80), "No difference is larger"),
        (row(4, 120), "Faster: engine, 4."),
        (row(4, 60), "Slower: engine, 4."),
        (row(4, 120, spread=0.6), "No difference is larger"),
        (row(4, 82), "No difference is larger"),
        (row(8, 82), "no row in common"),
    ],
    ids=["same", "faster", "slower", "noisy", "small", "nothing-common"],
)
def test_only_what_is_more_than_the_spread_counts(after: object, finding: str) -> None:
    """A difference within the rounds' own spread is none."""
    found = compare(report(row(4, 80, spread=0.02)), report(after))  # type: ignore[arg-type]
    assert finding in found.findings[0]


def test_results_that_cannot_be_compared_are_cautioned() -> None:
    """Other machines, other settings and broken runs are named."""
    other = replace(WHOLE, machine={**WHOLE.machine, "cores": 8}, settings={"latency": 0.2}, complete=False)
    cautions = " ".join(compare(WHOLE, other).warnings)
    for words in (
        "differ in cores: 2 and 8",
        "differ in latency: 0.05 and 0.2",
        "second was stopped early",
        "was busy",
    ):
        assert words in cautions


def test_the_page_is_whole_and_escaped() -> None:
    """The page needs nothing from elsewhere, has the plots, and what comes from outside is text in it."""
    text = render_page(WHOLE)
    assert "Test &lt;CPU&gt;" in text
    assert "It &lt;works&gt;." in text
    assert not any(word in text for word in ("<script", "http://", "https://", "@import", "src="))
    assert "prefers-color-scheme:dark" in text
    charts = text.split("<svg")[1:]
    assert len(charts) == 4
    for chart in charts:
        root = ET.fromstring("<svg" + chart.partition("</svg>")[0] + "</svg>")
        assert root.findall(".//path")


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
