"""HTML tables as rows."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.extract.rules import tables
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.rule import RuleSettings
from tests.extract.rules.shop_page import extract, value_of


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


def rows_of(markup: str) -> Any:
    return value_of(f"<table>{markup}</table>", css="table", table="rows", type="any")


HEAD = "<tr><th>A<th>B</tr>"


@pytest.mark.parametrize(
    ("markup", "rows"),
    [
        pytest.param(
            "<tr><td rowspan=0>1<td>2<tr><td>3<tr><td>4", [["1", "2"], ["1", "3"], ["1", "4"]], id="rowspan 0"
        ),
        pytest.param(
            "<tbody><tr><td rowspan=0>1<td>2<tr><td>3<tbody><tr><td>4<td>5",
            [["1", "2"], ["1", "3"], ["4", "5"]],
            id="rowspan 0 ends with its group",
        ),
        pytest.param(
            "<tbody><tr><td rowspan=9>1<td>2<tbody><tr><td>3<td>4",
            [["1", "2"], ["3", "4"]],
            id="rowspan beyond its group",
        ),
        pytest.param("<tr><td rowspan=9>1<td>2", [["1", "2"]], id="rowspan beyond the table"),
        pytest.param("<tr><td rowspan=70000>1<td>2<tr><td>3", [["1", "2"], ["1", "3"]], id="rowspan beyond its limit"),
        pytest.param("<tr><td rowspan='2;'>1<td>2<tr><td>3", [["1", "2"], ["1", "3"]], id="rubbish behind the number"),
        pytest.param("<tr><td rowspan='\t+2'>1<td>2<tr><td>3", [["1", "2"], ["1", "3"]], id="plus sign"),
        pytest.param("<tr><td rowspan=2.9>1<td>2<tr><td>3", [["1", "2"], ["1", "3"]], id="fraction"),
        pytest.param("<tr><td rowspan=-2>1<td>2<tr><td>3", [["1", "2"], ["3"]], id="negative"),
        pytest.param("<tr><td rowspan=-0>1<td>2<tr><td>3", [["1", "2"], ["1", "3"]], id="negative zero"),
        pytest.param("<tr><td rowspan=two>1<td>2<tr><td>3", [["1", "2"], ["3"]], id="no number"),
        pytest.param("<tr><td rowspan=''>1<td>2<tr><td>3", [["1", "2"], ["3"]], id="nothing"),
        pytest.param("<tr><td colspan=0>1<td>2", [["1", "2"]], id="colspan 0"),
        pytest.param("<tr><td colspan='2 columns'>1<td>2", [["1", "1", "2"]], id="colspan in words"),
        pytest.param(
            "<tr><td rowspan=2>a<td>b<td rowspan=2>c<tr><td colspan=2>d<tr><td>1<td>2<td>3",
            [["a", "b", "c"], ["a", "d", "d"], ["1", "2", "3"]],
            id="overlap",
        ),
        pytest.param(
            "<tr><td>a<td rowspan=3>b<tr><td colspan=2 rowspan=1>c<tr><td>d",
            [["a", "b"], ["c", "c"], ["d", "b"]],
            id="what was overlapped goes on",
        ),
        pytest.param(
            "<tr><td rowspan=2>a<td colspan=2>b<tr><td>c<td>d", [["a", "b", "b"], ["a", "c", "d"]], id="both spans"
        ),
        pytest.param("<tr><td>1<td>2<td rowspan=2>3<tr><td>4", [["1", "2", "3"], ["4", "", "3"]], id="gap"),
        pytest.param("<tfoot><tr><td>3<tbody><tr><td>1<tr><td>2", [["1"], ["2"], ["3"]], id="tfoot comes last"),
        pytest.param("<caption>x</caption><colgroup><col><col></colgroup><tr><td>1", [["1"]], id="caption and columns"),
        pytest.param("<tr><td>1<table><tr><td>2<td>3</table><td>4", [["1 2 3", "4"]], id="a table inside"),
    ],
)
def test_cells_stand_where_the_table_model_places_them(markup: str, rows: list[list[str]]) -> None:
    """HTML standard, 4.9.12.1, "forming a table"."""
    assert rows_of(markup) == rows


@pytest.mark.parametrize(
    ("markup", "rows"),
    [
        pytest.param(HEAD + "<tr><td>1<td>2", [{"A": "1", "B": "2"}], id="row of th"),
        pytest.param("<tr></tr>" + HEAD + "<tr><td>1<td>2", [{"A": "1", "B": "2"}], id="empty row before"),
        pytest.param("<tr><td></tr>" + HEAD + "<tr><td>1<td>2", [{"A": "1", "B": "2"}], id="empty cells before"),
        pytest.param("<thead><tr></tr></thead>" + HEAD + "<tr><td>1<td>2", [{"A": "1", "B": "2"}], id="empty thead"),
        pytest.param("<thead><tr><td>A<td>B<tbody><tr><td>1<td>2", [{"A": "1", "B": "2"}], id="td in thead"),
        pytest.param("<tr><td><th>A<th>B<tr><th>1<td>2<td>3", [{"1": "1", "A": "2", "B": "3"}], id="corner"),
        pytest.param(
            "<thead><tr><th rowspan=2>A<th colspan=2>B<tr><th>C<th>D<tbody><tr><td>1<td>2<td>3",
            [{"A": "1", "B C": "2", "B D": "3"}],
            id="two rows in thead",
        ),
        pytest.param(
            "<tr><th>A<th colspan=2>B</tr><tr><th><th>C<th>D</tr><tr><td>1<td>2<td>3",
            [{"A": "1", "B C": "2", "B D": "3"}],
            id="two rows of th",
        ),
        pytest.param("<tr><th colspan=2>Title</tr>" + HEAD + "<tr><td>1<td>2", [{"A": "1", "B": "2"}], id="title"),
        pytest.param("<tr><th>A<tr><th>B<tr><th>C", [{"A": "B"}, {"A": "C"}], id="nothing but th"),
        pytest.param("<tr><th>A<th>A<th><tr><td>1<td>2<td>3", [{"A": "1", "A 2": "2", "3": "3"}], id="same names"),
        pytest.param("<tr><th>A<td>1<tr><th>B<td>2", [["A", "1"], ["B", "2"]], id="th at the side"),
        pytest.param("<thead><tr><th>A</thead>", None, id="nothing but a header"),
    ],
)
def test_the_header_names_the_columns(markup: str, rows: Any) -> None:
    """All its rows together, from the first that has any text."""
    assert rows_of(markup) == rows


def test_a_table_that_is_too_large_is_refused_and_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a table would pass for a whole one."""
    monkeypatch.setattr(tables, "MAX_CELLS", 3)
    rule = RuleSettings(fields=(FieldSettings("t", "table", table="rows", type="any"),))
    found = extract(rule, text="<table><tr><td>1<td>2<tr><td>3<td>4</table>")
    assert [error.reason for error in found.field_errors] == ["a table of more than 3 cells"]


@pytest.mark.parametrize("cell", ["<td rowspan=65534 colspan=1000>x", "<td rowspan=0>x", "<td>x" * 100])
def test_spans_take_no_long_time(cell: str) -> None:
    """However many cells claim however much: the table is refused."""
    rule = RuleSettings(fields=(FieldSettings("t", "table", table="rows", type="any"),))
    found = extract(rule, text="<table>" + f"<tr>{cell}</tr>" * 3000 + "</table>")
    assert len(found.field_errors) == 1
