"""docs/explain.md and docs/screens.py: what they say is what happens."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from tests.explain.conftest import ROOT, RunCommand

TUTORIAL = (ROOT / "docs" / "explain.md").read_text()
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```$", TUTORIAL, re.DOTALL | re.MULTILINE)


def test_every_command_of_the_tutorial_works(
    shop: str, run_command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, in an empty folder, each ends with 0; what the page quotes of their output is in it."""
    monkeypatch.chdir(tmp_path)
    result = ""
    lines = [line for language, block in BLOCKS if language == "sh" for line in block.splitlines()]
    assert lines[0].startswith("python -m scraper.demo_site.site --port 8000")
    for line in lines[1:]:
        program, *arguments = shlex.split(line.replace("http://127.0.0.1:8000", shop))
        assert program == "scrape"
        done = run_command(*arguments)
        assert done.exit_code == 0, f"{line}\n{done.output}"
        result += done.output
    result += (tmp_path / "shop.yaml").read_text()
    quoted = [line for language, block in BLOCKS if language != "sh" for line in block.splitlines()]
    assert [line for line in quoted if line.strip() not in result] == []
    assert (tmp_path / "report.html").stat().st_size > 5_000
    assert (tmp_path / "out" / "shop" / "items.jsonl").stat().st_size > 1_000


def test_the_table_of_reasons_names_what_can_be_said() -> None:
    """Every word that `scrape why` can decide by stands in the tutorial."""
    source = (ROOT / "scraper" / "explain" / "runs" / "why.py").read_text()
    words = set(re.findall(r'Decision\(\s*"(\w+)"', source)) | {"scope", "trap", "depth", "nofollow", "robots"}
    assert {word for word in words if f"`{word}`" not in TUTORIAL} == set()


@pytest.mark.slow
def test_the_screens_are_made(tmp_path: Path) -> None:
    """The script runs the real program and writes pictures that load nothing."""
    place = importlib.util.spec_from_file_location("screens", ROOT / "docs" / "screens.py")
    assert place is not None
    assert place.loader is not None
    screens = importlib.util.module_from_spec(place)
    place.loader.exec_module(screens)
    screens.main(tmp_path, pages=200)
    pictures = {path.stem: path.read_text() for path in tmp_path.iterdir()}
    assert set(pictures) == {"init", "validate", "try", "dry-run", "crawl", "why", "status"}
    assert all("@font-face" not in text and "<svg" in text for text in pictures.values())
    for name, part in (("crawl", "pages/s"), ("why", "Disallow"), ("try", "price_color"), ("validate", "max_pages")):
        assert part in pictures[name], name
