"""HTML tables as rows: mappings with the texts of the header as keys, or lists of texts if there is no header.

Cells take their places by the table model of the HTML standard (4.9.12.1): a span ends with its row group, `rowspan=0`
reaches to that end, and `tfoot` comes last. Where two cells overlap, the later one counts; rows that only a span claims
are none. The text of a cell that spans several columns or rows is repeated in each.

The header is what stands in `thead`, else the rows at the beginning whose cells are all `th` (the corner may be an
empty `td`). A column's name is made of its texts in all header rows. An empty or repeated name gets the number of its
column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from selectolax.lexbor import LexborNode

from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.extract.rules.visible_text import visible_text

# Cells of one table; a cell that spans several counts as several.
MAX_CELLS = 100_000
# Columns and rows that one cell may span: limits of the HTML standard.
MAX_COLSPAN = 1_000
MAX_ROWSPAN = 65_534

_ROW_GROUPS = frozenset({"thead", "tbody", "tfoot"})
# "Rules for parsing non-negative integers" (HTML 2.3.4.2): what follows the digits is ignored.
_SPAN_REGEX = re.compile(r"[\t\n\f\r ]*(?:\+?([0-9]+)|-(0+)(?![0-9]))")


class _Row(NamedTuple):
    """The texts of a row by column, whether it stands in `thead`, and whether its cells look like those of a header."""

    texts: list[str]
    in_thead: bool
    all_th: bool
    cell_count: int


def read_table(table: LexborNode, context: PageContext) -> list[Any] | ParseFailure:
    """The rows of `table`, without those of tables inside it; a failure if it has more than `MAX_CELLS`."""
    rows: list[_Row] = []
    cells_left = MAX_CELLS
    for group in _row_groups(table):
        places = _ColumnPlaces()
        for row in group.rows:
            cells = [cell for cell in row.iter() if cell.tag in ("td", "th")]
            texts = places.place_row(cells, cells_left, context)
            if texts is None:
                return ParseFailure(f"a table of more than {MAX_CELLS} cells")
            cells_left -= len(texts)
            if texts:
                rows.append(_Row(texts, group.tag == "thead", _looks_like_header(cells, texts), len(cells)))
    header, body = _split_header(rows)
    if not header:
        return [row.texts for row in body]
    names = _column_names(header)
    return [_row_as_mapping(names, row.texts) for row in body]


class _RowGroup(NamedTuple):
    tag: str
    rows: list[LexborNode]


def _row_groups(table: LexborNode) -> Iterator[_RowGroup]:
    """The row groups in the order of the table model. Rows that stand in the table itself are a group, too."""
    footers: list[_RowGroup] = []
    loose: list[LexborNode] = []
    for child in table.iter():
        tag = child.tag
        if tag == "tr":
            loose.append(child)
        elif tag in _ROW_GROUPS:
            if loose:
                yield _RowGroup("", loose)
                loose = []
            group = _RowGroup(tag, [row for row in child.iter() if row.tag == "tr"])
            if tag == "tfoot":
                footers.append(group)
            else:
                yield group
    if loose:
        yield _RowGroup("", loose)
    yield from footers


class _ColumnPlaces:
    """Gives the cells of a row group their columns, row by row.

    `_spans`: by column, the cells that reach into later rows, as (last row, text); the last of a list counts.
    """

    __slots__ = ("_row", "_spans")

    def __init__(self) -> None:
        self._row = 0
        self._spans: dict[int, list[tuple[int, str]]] = {}

    def place_row(self, cells: list[LexborNode], cells_left: int, context: PageContext) -> list[str] | None:
        """The texts of the next row, empty where there is no cell. None if they are more than `cells_left`."""
        slots = {column: spans[-1][1] for column, spans in self._spans.items()}
        covered_from_above = frozenset(slots)
        added: list[tuple[int, int, str]] = []  # column, last row, text
        column = 0
        for cell in cells:
            while column in covered_from_above:
                column += 1
            attributes = cell.attributes
            text = visible_text(cell, context.charge)
            columns = max(1, min(_parse_span(attributes.get("colspan")), MAX_COLSPAN))
            rows = min(_parse_span(attributes.get("rowspan")), MAX_ROWSPAN) or MAX_CELLS  # 0: to the end of the group
            if column + columns > cells_left:
                return None
            for covered in range(column, column + columns):
                slots[covered] = text
                if rows > 1:
                    added.append((covered, self._row + rows - 1, text))
            column += columns
        self._end_row(added)
        width = max(slots, default=-1) + 1
        return [slots.get(number, "") for number in range(width)] if width <= cells_left else None

    def _end_row(self, added: list[tuple[int, int, str]]) -> None:
        for column in list(self._spans):
            reaching = [span for span in self._spans[column] if span[0] > self._row]
            if reaching:
                self._spans[column] = reaching
            else:
                del self._spans[column]
        for column, last_row, text in added:
            self._spans.setdefault(column, []).append((last_row, text))
        self._row += 1


def _parse_span(text: str | None) -> int:
    """The number of columns or rows that a cell asks for; 1 if it is none."""
    found = _SPAN_REGEX.match(text) if text is not None else None
    if found is None:
        return 1
    digits = (found[1] or found[2]).lstrip("0") or "0"
    return int(digits) if len(digits) < 10 else MAX_ROWSPAN


def _looks_like_header(cells: list[LexborNode], texts: list[str]) -> bool:
    tags = [cell.tag for cell in cells]
    if len(tags) > 1 and tags[0] == "td" and not texts[0]:  # the corner above a column of row headers
        del tags[0]
    return bool(tags) and all(tag == "th" for tag in tags)


def _split_header(rows: list[_Row]) -> tuple[list[_Row], list[_Row]]:
    """The header's rows and the others."""
    start = 0
    while start < len(rows) and not any(rows[start].texts):
        start += 1
    by_thead = start < len(rows) and rows[start].in_thead
    end = start
    while end < len(rows) and (rows[end].in_thead if by_thead else rows[end].all_th):
        end += 1
    if end == start:
        return [], rows  # empty rows before the data are data, too
    if end == len(rows) and not by_thead:
        end = start + 1  # a table of nothing but `th`: the first row names the columns
    header = [row for row in rows[start:end] if any(row.texts)]
    # A title over the whole width names no column, unless there is nothing else.
    naming = [row for row in header if row.cell_count > 1 or len(row.texts) == 1]
    return naming or header[:1], rows[end:]


def _column_names(header: list[_Row]) -> list[str]:
    names: list[str] = []
    used: set[str] = set()
    for number in range(max(len(row.texts) for row in header)):
        # A cell that spans several header rows is one text.
        texts = dict.fromkeys(row.texts[number] for row in header if number < len(row.texts) and row.texts[number])
        text = " ".join(texts)
        name = text if text and text not in used else f"{text} {number + 1}".strip()
        while name in used:
            name += "_"
        used.add(name)
        names.append(name)
    return names


def _row_as_mapping(names: list[str], texts: list[str]) -> dict[str, str]:
    """A row as a mapping. Cells beyond the header have their column's number as key; missing cells are empty."""
    row = dict.fromkeys(names, "")
    for number, text in enumerate(texts):
        row[names[number] if number < len(names) else str(number + 1)] = text
    return row
