"""Errors become messages and documented exit codes."""

from __future__ import annotations

import io
import sys

import pytest

from scraper.cli.exit_codes import BUG_MESSAGE, echo_err, ignore_terminal_errors, report_error
from scraper.errors import ConfigError, SinkError


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ConfigError("one\ntwo"), 2, "error: one\nerror: two\n"),
        (SinkError("out: the disk is full"), 3, "error: out: the disk is full\n"),
        (BrokenPipeError(), 0, ""),
        (KeyboardInterrupt(), 130, ""),
    ],
    ids=["config", "output", "closed pipe", "Ctrl-C"],
)
def test_an_error_has_a_message_and_a_code(
    error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line of the message is marked as an error; a closed pipe and Ctrl-C need no message."""
    assert report_error(error) == code
    assert capsys.readouterr().err == text


def test_a_bug_shows_its_traceback_and_where_to_report_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 70 is for what should never happen."""
    assert report_error(ZeroDivisionError("x")) == 70
    shown = capsys.readouterr().err
    assert "ZeroDivisionError: x" in shown
    assert BUG_MESSAGE in shown


@pytest.mark.parametrize("stream", [None, io.StringIO()], ids=["none", "closed"])
def test_a_missing_terminal_is_no_error(stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that nobody can read must not fail the run."""
    if stream is not None:
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    echo_err("nobody reads this")


def test_other_errors_are_not_ignored() -> None:
    """Only a closed or broken standard error is ignored: a ValueError of an open one is a bug."""
    with pytest.raises(ValueError, match="a bug"), ignore_terminal_errors():
        raise ValueError("a bug")
