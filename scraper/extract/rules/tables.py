"""HTML tables as rows: mappings with the texts of the header as keys, or lists of texts if there is no header.

The header is the first row, if it is in `thead` or all its cells are `th`. The text of a cell that spans several
columns or rows is repeated in each. An empty or repeated header text gets the number of its column.
"""

from __future__ import annotations

from typing import Any

from selectolax.lexbor import LexborNode

from scraper.extract.bounds import TABLE_CELLS_KEY
from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.visible_text import visible_text

# Columns or rows that one cell may span. The HTML standard has this limit for columns.
MAX_SPAN = 1_000


def read_table(table: LexborNode, context: PageContext) -> list[Any]:
    """The rows of `table`, without those of tables inside it, as long as the bound on cells allows.

    A cell that spans several counts as several. Rows beyond the bound are counted, a row that it cuts among them.
    """
    rows = [row for row in table.css("tr") if _belongs_to(row, table)]
    grid: list[list[str]] = []
    has_header = False
    spanning: dict[int, tuple[int, str]] = {}  # column: (rows still to fill, text)
    cells_left = context.bounds.table_cells
    for number, row in enumerate(rows):
        cells = [cell for cell in row.iter() if cell.tag in ("td", "th")]
        if number == 0:
            parent = row.parent
            has_header = bool(cells) and (
                (parent is not None and parent.tag == "thead") or all(cell.tag == "th" for cell in cells)
            )
        texts = _read_row(cells, spanning, cells_left + 1, context)
        cells_left -= len(texts)
        if cells_left < 0:
            context.beyond.add(TABLE_CELLS_KEY, len(rows) - number)
            break
        if texts:
            grid.append(texts)
    if has_header and grid:
        names = _column_names(grid[0])
        return [_row_as_mapping(names, texts) for texts in grid[1:]]
    return list(grid)


def _belongs_to(row: LexborNode, table: LexborNode) -> bool:
    ancestor = row.parent
    while ancestor is not None and ancestor.tag != "table":
        ancestor = ancestor.parent
    return ancestor is not None and ancestor.mem_id == table.mem_id


def _read_row(
    cells: list[LexborNode], spanning: dict[int, tuple[int, str]], cells_left: int, context: PageContext
) -> list[str]:
    texts: list[str] = []
    remaining = iter(cells)
    while len(texts) < cells_left:
        column = len(texts)
        # A cell from above takes this column, and the row's own cells move to the right.
        if (span := spanning.pop(column, None)) is not None:
            rows, text = span
            texts.append(text)
            if rows > 1:
                spanning[column] = (rows - 1, text)
            continue
        cell = next(remaining, None)
        if cell is None:
            # The row goes on only where cells from above still span; gaps before them are empty.
            if not any(spanned > column for spanned in spanning):
                break
            texts.append("")
            continue
        attributes = cell.attributes
        text = visible_text(cell, context.charge)
        rows = _parse_span(attributes.get("rowspan"))
        for _ in range(min(_parse_span(attributes.get("colspan")), cells_left - len(texts))):
            if rows > 1:
                spanning[len(texts)] = (rows - 1, text)
            texts.append(text)
    return texts


def _parse_span(text: str | None) -> int:
    text = (text or "").strip()
    return max(1, min(int(text), MAX_SPAN)) if text.isascii() and text.isdigit() and len(text) < 10 else 1


def _column_names(header: list[str]) -> list[str]:
    names: list[str] = []
    used: set[str] = set()
    for number, text in enumerate(header, 1):
        name = text if text and text not in used else f"{text} {number}".strip()
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
