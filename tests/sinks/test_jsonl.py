"""The records of the sinks for JSON lines; durability is in test_append_file.py and test_contract.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson

from scraper.model import Extraction, FieldError
from scraper.sinks.jsonl import ItemsSink, RejectedSink
from scraper.testing.fakes import make_result


async def test_items_are_one_a_line_in_order(tmp_path: Path) -> None:
    """Every item of a page has its own line; a page without items has none."""
    sink = ItemsSink(tmp_path)
    await sink.open(None)
    sink.write(make_result("https://a.example/1", "", 200, {"n": 1}, {"n": 2}))
    sink.write(make_result("https://a.example/2"))
    await sink.aclose()
    lines = [orjson.loads(line) for line in (tmp_path / "items.jsonl").read_bytes().splitlines()]
    assert lines == [{"url": "https://a.example/1", "n": 1}, {"url": "https://a.example/1", "n": 2}]


async def test_a_rejected_value_names_its_rule_and_its_field(tmp_path: Path) -> None:
    """One line for each value that could not be read; pages without any have none."""
    sink = RejectedSink(tmp_path)
    await sink.open(None)
    errors = (
        FieldError("price", "no number: 'free'", 1, item_kept=True),
        FieldError("n", "missing", 0, item_kept=False),
    )
    sink.write(replace(make_result("https://a.example/1"), extraction=Extraction(field_errors=errors)))
    sink.write(make_result("https://a.example/2"))
    await sink.aclose()
    lines = [orjson.loads(line) for line in (tmp_path / "rejected.jsonl").read_bytes().splitlines()]
    url = "https://a.example/1"
    assert lines == [
        {"url": url, "rule": 1, "field": "price", "reason": "no number: 'free'", "kept": True},
        {"url": url, "rule": 0, "field": "n", "reason": "missing", "kept": False},
    ]
