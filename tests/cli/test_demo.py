"""`scrape demo` end to end, against what the bundled shop says there is."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Scrape


@pytest.mark.slow
def test_the_demo_finds_everything_and_the_breaker_recovers(scrape: Scrape, tmp_path: Path) -> None:
    """One command, no network: all products, a breaker that opened, and outputs that agree with each other."""
    ran = scrape("demo", "--output", "demo", "--pages", "150", "--progress", "plain")
    assert ran.code == 0, ran.err
    folder = tmp_path / "demo"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["why"] == "finished"
    assert summary["breaker_openings"]["total"] >= 1
    pages = [json.loads(line) for line in (folder / "pages.jsonl").read_text().splitlines()]
    parts = [page for page in pages if "/parts/" in page["url"]]
    assert len(parts) >= 10
    assert all(page["status"] == 200 for page in parts)
    items = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    assert len(items) == summary["items"] > 20
    with sqlite3.connect(folder / "items.sqlite") as db:
        assert db.execute("SELECT count(*) FROM items").fetchone()[0] == len(items)
    db.close()
    covers = [page for page in pages if page["kind"] == "file" and page["status"] == 200]
    assert covers
    assert all((folder / page["path"]).stat().st_size == page["bytes"] for page in covers)
    skipped = [json.loads(line) for line in (folder / "skipped.jsonl").read_text().splitlines()]
    assert {"robots"} <= {skip["reason"] for skip in skipped}
    assert not {skip["url"] for skip in skipped} & {page["url"] for page in pages}
