"""Lists of JSON lines."""

from __future__ import annotations

import orjson
import pytest

from scraper.downloads.lists.entry import BadLine, Entry
from scraper.transfer.checksum import Checksum
from tests.downloads.lists.reading import SHA, A, B, C, read, urls


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"url": A}, Entry(1, (A,)), id="url"),
        pytest.param(A, Entry(1, (A,)), id="string"),
        pytest.param({"urls": [A, B], "mirrors": [C]}, Entry(1, (A, B, C)), id="lists"),
        pytest.param(
            {"URL": A, "Out": "n", "dir": "d", "md5": "0" * 32},
            Entry(1, (A,), "n", "d", Checksum("md5", "0" * 32)),
            id="all",
        ),
        pytest.param({"url": A, "headers": {"A": "b"}}, Entry(1, (A,), headers=(("A", "b"),)), id="headers"),
        pytest.param({"url": A, "headers": ["A: b"]}, Entry(1, (A,), headers=(("A", "b"),)), id="headers as a list"),
        pytest.param({"url": A, "name": 7, "sha256": None, "other": {}}, Entry(1, (A,), "7"), id="number, null, other"),
        pytest.param(
            {"url": A, "md5": "0" * 32, "sha256": SHA}, Entry(1, (A,), checksum=Checksum("sha256", SHA)), id="two"
        ),
        pytest.param({"uri": ""}, "no URL", id="empty"),
        pytest.param({"x": 1}, "no URL", id="no url"),
        pytest.param({"url": A, "name": [1]}, "expected text", id="wrong type"),
        pytest.param({"url": True}, "expected text", id="boolean"),
        pytest.param({"url": A, "sha256": "0" * 32}, "sha256: ", id="wrong length"),
        pytest.param(7, "neither a JSON object", id="number"),
    ],
)
def test_a_json_line(value: object, expected: Entry | str) -> None:
    """An object has the columns of a CSV file; a string is the URL."""
    (found,) = read(orjson.dumps(value) + b"\n", "jsonl")
    if isinstance(expected, Entry):
        assert found == expected
    else:
        assert isinstance(found, BadLine)
        assert expected in found.reason


def test_json_that_is_broken_costs_one_line() -> None:
    """Deep nesting and half objects are bad lines; comments and blank lines are allowed."""
    content = f'{{"url":"{A}"}}\n\n# x\n{{"url"\n["{A}"]\n' + "[" * 5000 + f'\n{{"url":"{B}"}}\n'
    assert urls(content) == [A, "!4", "!5", "!6", B]
