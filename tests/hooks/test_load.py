"""Hooks are found by name, and what is wrong with them is said in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from scraper.errors import HookError
from scraper.hooks.load import load_hook

ONE_HOOK = "from scraper.hooks.interface import Hook\nclass Mine(Hook):\n    pass\n"


def test_a_file_with_one_hook_needs_no_class_name(tmp_path: Path) -> None:
    """The only hook of a module is taken."""
    (tmp_path / "one.py").write_text(ONE_HOOK)
    assert type(load_hook("one.py", tmp_path)).__name__ == "Mine"


def test_a_class_is_chosen_by_name(tmp_path: Path) -> None:
    """`file.py:Class` names one of several hooks."""
    (tmp_path / "two.py").write_text(ONE_HOOK + "class Other(Hook):\n    pass\n")
    assert type(load_hook("two.py:Other", tmp_path)).__name__ == "Other"


@pytest.mark.parametrize(
    ("name", "source", "says"),
    [
        ("gone.py", None, "there is no file"),
        ("nowhere.at.all", None, "cannot be imported"),
        ("broken.py", "1 / 0", "ZeroDivisionError"),
        ("empty.py", "", "defines 0 hooks"),
        ("two.py", ONE_HOOK + "class B(Hook): pass\n", "name one as two.py:Class"),
        ("one.py:Missing", ONE_HOOK, "has no 'Missing'"),
        ("other.py:Plain", "class Plain: pass\n", "not a scraper.Hook"),
        ("needs.py:Needs", ONE_HOOK + "class Needs(Hook):\n    def __init__(self, x): pass\n", "could not be created"),
    ],
)
def test_a_hook_that_cannot_be_used_is_a_clear_error(tmp_path: Path, name: str, source: str | None, says: str) -> None:
    """Missing, broken, ambiguous and wrong hooks raise HookError that names the hook."""
    if source is not None:
        (tmp_path / name.partition(":")[0]).write_text(source)
    with pytest.raises(HookError, match=says):
        load_hook(name, tmp_path)
