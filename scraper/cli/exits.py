"""Errors as sentences and exit codes. The table is part of the interface: see docs/exit-codes in the README."""

from __future__ import annotations

import sys
import traceback

from scraper.errors import ScraperError

OK = 0
FAILED = 1
USAGE = 2
OUTPUT = 3
INTEGRITY = 4
BUG = 70
BUG_REPORT = (
    "This is a bug in scraper, not something you did. Please report it with the lines above and your config\n"
    "(without secrets). Nothing that was settled is lost: the same command resumes the run."
)


def say(message: str) -> None:
    """Write one message to standard error."""
    try:
        sys.stderr.write(message.rstrip("\n") + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return  # the terminal is gone: there is nobody to tell


def exit_for(error: BaseException) -> int:
    """Say what went wrong, and return the exit code that goes with it."""
    if isinstance(error, ScraperError):
        lines = str(error).splitlines() or [type(error).__name__]
        for line in lines:
            say(f"error: {line}")
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        return OK
    if isinstance(error, KeyboardInterrupt):
        return 130
    say("".join(traceback.format_exception(error)))
    say(BUG_REPORT)
    return BUG
