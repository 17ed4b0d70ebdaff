"""Comparing two reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scraper.bench.measure.compare import compare
from tests.bench.rows import WHOLE, report, row


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
