"""The numbers of a report, collected from record files."""

from __future__ import annotations

from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from scraper.report.html.figures import MAX_COLUMNS, EvenSample, RunFigures, Timeline, gather_figures
from scraper.report.html.page import ReportFacts, render_report
from tests.explain.big_run import EVIL, START


@given(st.lists(st.floats(0, 10**7), min_size=1, max_size=200))
def test_a_timeline_is_bounded_and_loses_nothing(instants: list[float]) -> None:
    """However long the run is: few columns, and their sum is what was counted."""
    timeline = Timeline()
    for at in instants:
        timeline.add(START + at, failed=at % 2 > 1, size=3)
    assert max(timeline.columns) < MAX_COLUMNS
    assert sum(ok + failed for ok, failed, _ in timeline.columns.values()) == len(instants)


@given(st.integers(0, 3000))
def test_a_spread_is_even_and_bounded(count: int) -> None:
    """Between n and 2n values, from all over, when there are as many."""
    spread = EvenSample(10)
    for n in range(count):
        if spread.is_wanted():
            spread.add(n)
    assert min(count, 10) <= len(spread.kept) <= 20
    if count >= 40:
        assert max(spread.kept) >= count // 2


def test_what_is_no_record_is_passed_over(tmp_path: Path) -> None:
    """An unfinished line, a list, junk values: the report is made of the rest."""
    lines = [b'{"url":"https://a.example/","status":200,"bytes":5,"elapsed_ms":1}', b"[1]", b"\xff\xfe", b'{"url":']
    odd = orjson.dumps({"url": None, "bytes": "x", "depth": -5, "fetched_at": "never", "elapsed_ms": None})
    (tmp_path / "pages.jsonl").write_bytes(b"\n".join([*lines[:3], odd, lines[3]]))
    figures = gather_figures(tmp_path)
    assert (figures.records, figures.ok) == (2, 2)
    assert "https://" in render_report(ReportFacts(figures, {}))
    assert render_report(ReportFacts(RunFigures(), {})).startswith("<!doctype html>")


def test_rejected_values_are_counted_by_field_and_reason(tmp_path: Path) -> None:
    """With an example address each."""
    bad = {"url": "https://a.example/1", "field": "price", "reason": f"not a number: {EVIL}", "rule": 0}
    (tmp_path / "rejected.jsonl").write_bytes(3 * (orjson.dumps(bad) + b"\n"))
    figures = gather_figures(tmp_path)
    assert list(figures.rejected.values()) == [[3, "https://a.example/1"]]
    assert "not a number" in render_report(ReportFacts(figures, {}))
