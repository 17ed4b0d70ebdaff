"""Exit codes, and how errors become messages on standard error.

The codes are part of the interface: README.md has the table. Codes 2 (usage) and 3 (output cannot be written) come from
`ScraperError.exit_code` of the exceptions in errors.py.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from scraper.errors import ScraperError

EXIT_OK = 0
EXIT_FAILED = 1

EXIT_CHECKSUM_MISMATCH = 4
EXIT_BUG = 70
EXIT_INTERRUPTED = 130
BUG_MESSAGE = (
    "This is a bug in scraper, not something you did. Please report it with the lines above and your config\n"
    "(without secrets). Nothing that was settled is lost: the same command resumes the run."
)


def echo_err(message: str) -> None:
    """Write one message to standard error."""
    if sys.stderr is None:  # the process was started without standard error (`2>&-`)
        return
    with ignore_terminal_errors():
        sys.stderr.write(message.rstrip("\n") + "\n")
        sys.stderr.flush()


@contextmanager
def ignore_terminal_errors() -> Iterator[None]:
    """Ignore errors of writing to standard error inside: a closed terminal must not fail the run."""
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) and not sys.stderr.closed:
            raise  # ValueError means "closed file" only if it is closed; anything else is a bug
        # Text is still buffered. The interpreter flushes it at exit, would fail again and exit with 120: send it to
        # /dev/null instead.
        with suppress(OSError, ValueError):
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, sys.stderr.fileno())
            os.close(devnull)


def open_missing_streams() -> None:
    """Open /dev/null as standard input, output or error if the process was started without them (`>&-`).

    Otherwise the next file that is opened, perhaps an output, gets descriptor 0, 1 or 2, and whatever the interpreter
    or a library prints is written into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # `os.open` returns the lowest free descriptor, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  stays open until exit


def report_error(error: BaseException) -> int:
    """Print a message about `error` on standard error and return its exit code.

    A closed pipe (`scrape schema | head`) is no error. Anything unexpected is a bug: traceback and exit code 70.
    """
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
