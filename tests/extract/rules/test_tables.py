"""HTML tables as rows."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.extract.bounds import TABLE_CELLS_KEY, PageBounds
from scraper.extract.rules.tables import read_table
from tests.extract.rules.product_page import context_of
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


def test_a_table_of_spans_is_bounded() -> None:
    """Cells that claim to span thousands make no more than the limit, and the rows beyond it are counted."""
    page = "<table>" + "<tr><td colspan=900 rowspan=900>x</td></tr>" * 9 + "</table>"
    assert bounded(page, table_cells=50) == ([], 9)


@pytest.mark.parametrize(("cells", "rows", "left_out"), [(6, 3, 0), (5, 2, 1), (4, 2, 1), (1, 0, 3)])
def test_a_row_is_whole_or_counted(cells: int, rows: int, left_out: int) -> None:
    """A row that the bound would cut is left out with those behind it, and one that fits is read."""
    found, beyond = bounded("<table>" + "<tr><td>a<td>b" * 3 + "</table>", table_cells=cells)
    assert (len(found), beyond) == (rows, left_out)


def bounded(page: str, **bounds: int) -> tuple[list[Any], int]:
    """The rows of the page's table, and how many were counted as left out."""
    context = context_of(page, bounds=PageBounds(**bounds))
    return read_table(context.root.css_first("table"), context), context.beyond.counts.get(TABLE_CELLS_KEY, 0)
