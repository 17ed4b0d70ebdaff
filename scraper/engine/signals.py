"""What signals do: the first asks for a clean end, the second exits at once.

The state on disk is valid at every instant (each batch is one transaction), so exiting at once loses only what is not
settled yet. SIGHUP (the terminal was closed) stops a run too, unless it was started with `nohup`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scraper.engine.run_state import StopReason
from scraper.model import StopKind

# The exit code after each signal: 128 plus its number, as in shells.
EXIT_CODES = {"SIGHUP": 129, "SIGINT": 130, "SIGTERM": 143}
STOP_SIGNALS = tuple(signal.Signals[name] for name in EXIT_CODES if name in signal.Signals.__members__)


@contextmanager
def stop_on_signals(stop: Callable[[StopReason], None], on_force: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Inside, SIGINT, SIGTERM and SIGHUP call `stop`; a second one exits the process at once.

    `on_force` is called before that exit, to restore the terminal. Where the event loop cannot handle signals (Windows,
    or outside the main thread) nothing is installed.
    """
    loop = asyncio.get_running_loop()
    first: signal.Signals | None = None

    def on_signal(number: signal.Signals) -> None:
        nonlocal first
        if first is None:
            first = number
            stop(StopReason(StopKind.INTERRUPTED, number.name))
        # A closed terminal sends two SIGHUPs: one from the kernel, one from the shell. They count as one.
        elif not number.name == first.name == "SIGHUP":
            try:
                on_force()
            finally:
                os._exit(EXIT_CODES[number.name])

    installed = []
    for number in STOP_SIGNALS:
        if number.name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN:  # nohup
            continue
        try:
            loop.add_signal_handler(number, on_signal, number)
        except (NotImplementedError, RuntimeError, ValueError):
            continue
        installed.append(number)
    try:
        yield
    finally:
        for number in installed:
            loop.remove_signal_handler(number)
