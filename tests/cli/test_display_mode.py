"""Which display a run gets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scraper.cli.display_mode import TERMINAL_VARIABLES, ProgressMode, open_display, stderr_may_be_terminal
from scraper.report.json_lines import JsonLines


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error is no terminal, and no variable claims that it is."""
    for name in TERMINAL_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)


@pytest.mark.usefixtures("piped")
@pytest.mark.parametrize(
    ("mode", "listeners"),
    [(ProgressMode.AUTO, 1), (ProgressMode.PLAIN, 1), (ProgressMode.JSON, 1), (ProgressMode.NONE, 0)],
)
def test_without_a_terminal_auto_means_plain(mode: ProgressMode, listeners: int) -> None:
    """Every mode but `none` has one listener; there is no live display to stop."""
    with open_display(mode) as display:
        assert display.mode is (ProgressMode.PLAIN if mode is ProgressMode.AUTO else mode)
        assert len(display.listeners) == listeners
        assert display.display is None
        display.restore_terminal()


@pytest.mark.usefixtures("piped")
def test_a_log_file_is_a_listener_of_its_own(tmp_path: Path) -> None:
    """It is written beside whatever is shown, and made at once."""
    with open_display(ProgressMode.JSON, log_file=tmp_path / "run.log") as display:
        assert [isinstance(listener, JsonLines) for listener in display.listeners] == [False, True]
    assert (tmp_path / "run.log").exists()


@pytest.mark.usefixtures("piped")
@pytest.mark.parametrize("name", TERMINAL_VARIABLES)
def test_a_variable_may_claim_a_terminal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """rich obeys these variables, so they decide whether rich is asked at all."""
    assert not stderr_may_be_terminal()
    monkeypatch.setenv(name, "1")
    assert stderr_may_be_terminal()
