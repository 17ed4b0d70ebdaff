"""What signals do: the first asks for a clean end, the second ends at once.

The state on disk is valid at every instant (each group is one transaction), so ending at once loses no more than the
pages in flight. A terminal that is closed (SIGHUP) counts as a request to end, unless the run was started not to care
(`nohup`).
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scraper.engine.run_state import StopReason

EXIT_CODES = {"SIGHUP": 129, "SIGINT": 130, "SIGTERM": 143}
"""The exit code after each signal, by its name: 128 and its number, as shells have it."""
STOP_SIGNALS = tuple(signal.Signals[name] for name in EXIT_CODES if name in signal.Signals.__members__)
INTERRUPTED = "interrupted"


@contextmanager
def stop_on_signals(stop: Callable[[StopReason], None], on_force: Callable[[], None] = lambda: None) -> Iterator[None]:
    """While inside, SIGINT, SIGTERM and SIGHUP call `stop`; a second one ends the process at once.

    `on_force` is called before that, to leave the terminal as it was found. Where the event loop cannot take signals
    (Windows, or outside the main thread) nothing is installed.
    """
    loop = asyncio.get_running_loop()
    first: signal.Signals | None = None

    def on_signal(number: signal.Signals) -> None:
        nonlocal first
        if first is None:
            first = number
            stop(StopReason(INTERRUPTED, number.name))
        elif not number.name == first.name == "SIGHUP":  # both the kernel and the shell tell of a closed terminal
            try:
                on_force()
            finally:
                os._exit(EXIT_CODES[number.name])

    installed = []
    for number in STOP_SIGNALS:
        if number.name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN:
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
