"""Errors as sentences and exit codes. The table is part of the interface: see docs/exit-codes in the README."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from scraper.errors import ScraperError

EXIT_OK = 0
EXIT_FAILED = 1
USAGE = 2
OUTPUT = 3
EXIT_CHECKSUM_MISMATCH = 4
EXIT_BUG = 70
EXIT_INTERRUPTED = 130
BUG_MESSAGE = (
    "This is a bug in scraper, not something you did. Please report it with the lines above and your config\n"
    "(without secrets). Nothing that was settled is lost: the same command resumes the run."
)


def echo_err(message: str) -> None:
    """Write one message to standard error."""
    if sys.stderr is None:  # the process was started without one
        return
    with ignore_terminal_errors():
        sys.stderr.write(message.rstrip("\n") + "\n")
        sys.stderr.flush()


@contextmanager
def ignore_terminal_errors() -> Iterator[None]:
    """Write to standard error inside: when the terminal is gone there is nobody to tell, and nothing fails of it."""
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) and not sys.stderr.closed:
            raise
        # What is buffered would fail again when the interpreter ends, and become the exit code: it runs into nothing.
        with suppress(OSError, ValueError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, sys.stderr.fileno())
            os.close(nothing)


def open_missing_streams() -> None:
    """Give a process that was started without standard streams (`>&-`) some that lead nowhere.

    Else the next files to be opened, outputs perhaps, get the numbers of those streams, and whatever the interpreter
    or a library says there is written into them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number: this one
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  it is open to the end


def report_error(error: BaseException) -> int:
    """Say what went wrong, and return the exit code that goes with it."""
    if isinstance(error, ScraperError):
        lines = str(error).splitlines() or [type(error).__name__]
        for line in lines:
            echo_err(f"error: {line}")
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        return EXIT_OK
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    echo_err("".join(traceback.format_exception(error)))
    echo_err(BUG_MESSAGE)
    return EXIT_BUG
