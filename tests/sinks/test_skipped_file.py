"""skipped.jsonl is complete or not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scraper.errors import SinkError
from scraper.model import Skip
from scraper.sinks import skipped_file
from scraper.sinks.skipped_file import SkippedFile
from scraper.testing.frontier_contract import make_request

SKIPS = [Skip(make_request(f"https://a.example/{n}").url, "https://a.example/", "scope", "host") for n in range(9)]


@pytest.mark.parametrize("flush_bytes", [1, 1_000_000], ids=["line by line", "at once"])
async def test_it_holds_each_skip_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush_bytes: int) -> None:
    """One line each, and nothing under another name is left."""
    monkeypatch.setattr(skipped_file, "FLUSH_BYTES", flush_bytes)
    path = tmp_path / "skipped.jsonl"
    async with SkippedFile(path) as file:
        for skip in SKIPS:
            await file.write(skip)
        assert not path.exists()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["url"] for line in lines] == [skip.url.href for skip in SKIPS]
    assert lines[0] == {
        "url": "https://a.example/0",
        "parent": "https://a.example/",
        "reason": "scope",
        "rule": "host",
    }
    assert list(tmp_path.iterdir()) == [path]


async def test_an_error_leaves_the_earlier_file(tmp_path: Path) -> None:
    """A session that fails meanwhile does not replace the list of the one before."""
    path = tmp_path / "skipped.jsonl"
    path.write_text("earlier\n")

    async def fail() -> None:
        async with SkippedFile(path) as file:
            await file.write(SKIPS[0])
            raise RuntimeError("the run failed")

    with pytest.raises(RuntimeError, match="the run failed"):
        await fail()
    assert path.read_text() == "earlier\n"
    assert list(tmp_path.iterdir()) == [path]


async def test_a_folder_that_is_not_there_is_an_error_with_the_path(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(SinkError, match=r"skipped\.jsonl cannot be written"):
        async with SkippedFile(tmp_path / "gone" / "skipped.jsonl"):
            pass
