"""What holds for every test: the signals that the processes it starts begin with."""

from __future__ import annotations

import signal

if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # Under nohup. A handler, unlike "ignored", is not inherited: so tests of a hangup start processes that feel one,
    # and the tests themselves go on when their terminal closes.
    signal.signal(signal.SIGHUP, lambda *_: None)
