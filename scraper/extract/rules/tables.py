"""An HTML table as rows: mappings by the header's texts where it has a header, else lists of texts.

The header is the first row when all of its cells are `th`, or the first row of `thead`. A cell that spans columns or
rows stands in each place it covers. A header text that is empty or was there before gets its column's number.
"""

from __future__ import annotations

from typing import Any

from selectolax.lexbor import LexborNode

from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.visible_text import visible_text

# Most cells of one table, spans counted.
MAX_CELLS = 100_000
# Most columns a cell may span (the HTML standard's own bound).
MAX_SPAN = 1_000


def read_table(table: LexborNode, context: PageContext) -> list[Any]:
    """The rows of `table`, without those of tables inside it; cut at `MAX_CELLS`."""
    rows = [row for row in table.css("tr") if _belongs_to(row, table)]
    grid: list[list[str]] = []
    headed = False
    below: dict[int, tuple[int, str]] = {}  # column: rows still covered from above, text
    room = MAX_CELLS
    for number, row in enumerate(rows):
        cells = [cell for cell in row.iter() if cell.tag in ("td", "th")]
        if number == 0:
            parent = row.parent
            headed = bool(cells) and (
                (parent is not None and parent.tag == "thead") or all(cell.tag == "th" for cell in cells)
            )
        line = _read_row(cells, below, room, context)
        room -= len(line)
        if room <= 0:
            break
        if line:
            grid.append(line)
    if headed and grid:
        names = _column_names(grid[0])
        return [_row_as_mapping(names, line) for line in grid[1:]]
    return list(grid)


def _belongs_to(row: LexborNode, table: LexborNode) -> bool:
    above = row.parent
    while above is not None and above.tag != "table":
        above = above.parent
    return above is not None and above.mem_id == table.mem_id


def _read_row(cells: list[LexborNode], below: dict[int, tuple[int, str]], room: int, context: PageContext) -> list[str]:
    line: list[str] = []
    waiting = iter(cells)
    while len(line) < room:
        column = len(line)
        if (covered := below.pop(column, None)) is not None:
            rows, text = covered
            line.append(text)
            if rows > 1:
                below[column] = (rows - 1, text)
            continue
        cell = next(waiting, None)
        if cell is None:
            if not any(node > column for node in below):
                break
            line.append("")
            continue
        attributes = cell.attributes
        text = visible_text(cell, context.charge)
        rows = _parse_span(attributes.get("rowspan"))
        for _ in range(min(_parse_span(attributes.get("colspan")), room - len(line))):
            if rows > 1:
                below[len(line)] = (rows - 1, text)
            line.append(text)
    return line


def _parse_span(text: str | None) -> int:
    text = (text or "").strip()
    return max(1, min(int(text), MAX_SPAN)) if text.isascii() and text.isdigit() and len(text) < 10 else 1


def _column_names(header: list[str]) -> list[str]:
    names: list[str] = []
    taken: set[str] = set()
    for number, text in enumerate(header, 1):
        name = text if text and text not in taken else f"{text} {number}".strip()
        while name in taken:
            name += "_"
        taken.add(name)
        names.append(name)
    return names


def _row_as_mapping(names: list[str], line: list[str]) -> dict[str, str]:
    """A row as a mapping. What stands beyond the header is named by its column's number, what is missing is empty."""
    row = dict.fromkeys(names, "")
    for number, text in enumerate(line):
        row[names[number] if number < len(names) else str(number + 1)] = text
    return row
