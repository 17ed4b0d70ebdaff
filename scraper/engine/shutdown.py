"""What signals do: the first asks for a clean end, the second ends at once.

The state on disk is valid at every instant (each group is one transaction), so ending at once loses no more than the
pages in flight.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scraper.engine.floor import Floor, Stop

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}
INTERRUPTED = "interrupted"


@contextmanager
def signals_stop(floor: Floor, on_force: Callable[[], None] = lambda: None) -> Iterator[None]:
    """While inside, SIGINT and SIGTERM stop the run on `floor`; a second one ends the process at once.

    `on_force` is called before that, to leave the terminal as it was found. Where the event loop cannot take signals
    (Windows, or outside the main thread) nothing is installed.
    """
    loop = asyncio.get_running_loop()
    asked = False

    def on_signal(number: signal.Signals) -> None:
        nonlocal asked
        if asked:
            on_force()
            os._exit(SIGNALS[number])
        asked = True
        floor.stop(Stop(INTERRUPTED, number.name))

    installed = []
    for number in SIGNALS:
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
