"""Counts of a list, and what failed.txt says about its lines."""

from __future__ import annotations

import pytest

from scraper.downloads.list_counts import ListCounts


@pytest.mark.parametrize(
    ("counts", "comments"),
    [
        (ListCounts(), []),
        (ListCounts(bad_lines=1, problems=["line 1: no URL"]), ["line 1: no URL"]),
        (
            ListCounts(bad_lines=1_200, unnamed=34, problems=["line 1: no URL"]),
            ["line 1: no URL", "and 1,233 more lines without a download: manifest.jsonl has a record of each"],
        ),
        (ListCounts(skipped=5, repeated=5, complete=5), []),
    ],
    ids=["none", "one", "more than are kept", "no failures"],
)
def test_comments_name_the_first_problems_and_count_the_others(counts: ListCounts, comments: list[str]) -> None:
    """Skipped, repeated and complete lines are no failures."""
    assert list(counts.failed_comments()) == comments
