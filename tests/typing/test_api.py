"""The public API's types, as two type checkers see them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

API = Path(__file__).with_name("api.py")
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "checker",
    [["mypy", "--strict", "--cache-dir", "{cache}"], ["basedpyright", "--level", "error"]],
    ids=["mypy", "pyright"],
)
def test_the_public_api_is_typed(checker: list[str], tmp_path: Path) -> None:
    """Every use in api.py has the type that it states, and nothing public is unknown."""
    command = [part.replace("{cache}", str(tmp_path)) for part in checker]
    done = subprocess.run([sys.executable, "-m", *command, str(API)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_wrong_use_is_found(tmp_path: Path) -> None:
    """The check above can fail."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import scraper\nasync def f() -> int:\n    return (await scraper.crawl('c.yaml')).why\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(wrong)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert 'expected "int"' in done.stdout
