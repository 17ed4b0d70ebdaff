"""`scrape` and `python -m scraper`: the first code of ours that runs.

Loading the command line takes most of a tenth of a second. Ctrl-C in that time ends the process at once, without the
traceback that Python would print from the middle of an import; nothing is under way that could be lost.
"""

from __future__ import annotations

import gc
import os
import signal

INTERRUPTED = 130
YOUNG_OBJECTS = 50_000
"""Allocations between two looks of the garbage collector. Python's 700 are for programs that leave cycles behind; here
a look finds nothing, while modules are loaded as little as while pages come."""


def main() -> None:
    """Run the command line; always leaves by SystemExit with a documented code."""
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
    # Whoever started us may have us ignore the signal (nohup, a shell's background job): that stays so.
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from scraper.cli.app import main as run

    gc.freeze()  # all of it stays: the collector need not look at it, and counts anew what the command itself loads
    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run()
    finally:
        if ours:  # while the interpreter takes itself down, too: everything is closed
            signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    # In here, since the process that reads large pages imports this module too, and needs no command line.
    main()
