"""HTML tables as rows."""

from __future__ import annotations

import pytest

from scraper.extract.rules import tables
from tests.extract.rules.shop_page import value_of


def test_tables_become_rows() -> None:
    """By the header where there is one; spans fill all they cover; what is missing is empty."""
    assert value_of(css="table.s", table="rows", type="any") == [
        {"Name": "Cup", "Size": "1", "Size 3": "x"},
        {"Name": "Cup", "Size": "2", "Size 3": "2"},
        {"Name": "Jug", "Size": "", "Size 3": ""},
    ]
    assert value_of(css="table.b", table="rows", type="any") == [["a", "b"], ["c"]]
    assert value_of(css="h1", table="rows", type="any") is None
    assert len(value_of(css="table", table="rows", type="any", many=True)) == 2


def test_a_table_of_spans_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells that claim to span thousands make no more than the limit."""
    monkeypatch.setattr(tables, "MAX_CELLS", 50)
    page = "<table>" + "<tr><td colspan=900 rowspan=900>x</td></tr>" * 9 + "</table>"
    rows = value_of(page, css="table", table="rows", type="any")
    assert rows is None or sum(map(len, rows)) <= 50
