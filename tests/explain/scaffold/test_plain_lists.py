"""Definition lists, plain lists and tables on a page that is one item."""

from __future__ import annotations

from tests.explain.scaffold.proposals import items_of


def test_definitions_are_two_lists_of_one_item() -> None:
    """A glossary has no blocks: its terms and what they mean."""
    items, _ = items_of("<h1>Glossary</h1><dl>" + "".join(f"<dt>T{n}<dd>means {n}" for n in range(4)) + "</dl>")
    assert items[0].fields == {
        "title": "Glossary", "terms": ["T0", "T1", "T2", "T3"],
        "definitions": ["means 0", "means 1", "means 2", "means 3"],
    }  # fmt: skip
