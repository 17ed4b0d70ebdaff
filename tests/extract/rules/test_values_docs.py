"""docs/values.md cannot drift: the texts it calls refused are refused, and those with one value have it."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from scraper.extract.rules.date_parser import parse_date
from scraper.extract.rules.number_parser import parse_decimal
from scraper.extract.rules.parse_failure import ParseFailure

ROWS = [
    ([text for text in re.findall("`([^`]+)`", cells[0]) if "..." not in text and "<sup>" not in text], cells[1])
    for line in (Path(__file__).parents[3] / "docs/values.md").read_text("utf-8").splitlines()
    if line.startswith("| `") and (cells := [cell.strip() for cell in line.strip("|").split(" | ")])
]


@pytest.mark.parametrize(("texts", "said"), [row for row in ROWS if not row[1].startswith("with ")], ids=str)
def test_the_documented_values_are_read(texts: list[str], said: str) -> None:
    """Each text of a row gives the value at its place, or the only one."""
    values = said.split(", ")
    for index, text in enumerate(texts):
        expected = values[index] if len(values) > 1 else said
        is_date = bool(re.match(r"\d{4}-\d\d-\d\d", said)) or text in REFUSED_DATES
        found = parse_date(text) if is_date else parse_decimal(text)
        if expected == "refused":
            assert isinstance(found, ParseFailure), text
        else:
            assert found == (expected if is_date else Decimal(expected)), text


REFUSED_DATES = {
    text for texts, said in ROWS[[row[1] for row in ROWS].index("2024-03-12") :] for text in texts if said == "refused"
}
