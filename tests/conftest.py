"""What holds for every test: how hypothesis measures time, and the signals that started processes begin with."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# A busy machine is no failure: an example may take as long as it takes. The rest is the profile that was chosen
# before, which on a CI machine tries the same examples every time.
settings.register_profile("any speed", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")

if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # Under nohup. A handler, unlike "ignored", is not inherited: so tests of a hangup start processes that feel one,
    # and the tests themselves go on when their terminal closes.
    signal.signal(signal.SIGHUP, lambda *_: None)
