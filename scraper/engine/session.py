"""What a session must know of the sessions before it: what has changed in the config, and what time it is."""

from __future__ import annotations

import math
from collections.abc import Iterable

CLOCK_CHECKPOINT = "clock"
"""The mark that holds the latest instant of a run (epoch seconds), stored with every group."""
CLOCK_TOLERANCE_SECONDS = 60.0
"""How far back the system's clock may stand without a word: it is set by a little all the time."""

_EFFECT_OF_CHANGE = {
    "seeds": "new seeds are asked for; what came of earlier ones stays",
    "scope": "it holds for links found from now on; what waits is asked for, what was skipped is not looked at again",
    "limits": "they hold from now on; the limits on pages count those of earlier sessions, too",
    "politeness": "it holds from the next request on; hosts that asked for a wait are still given it",
    "sitemaps": "it holds for hosts whose robots.txt is read from now on",
    "network": "it holds from the next request on",
    "headers": "they are sent from the next request on",
    "auth": "it holds from the next request on",
    "extract": "it holds for pages read from now on; items of pages that are recorded stay as they are",
    "files": "it holds for pages read from now on",
    "hooks": "they see pages from now on; what is recorded stays as it is",
    "output": "outputs that are no longer asked for stay as they are, and cannot be taken up again",
    "durability": "it holds from now on",
    "name": "nothing else follows from it",
}


def config_change_notices(sections: Iterable[str]) -> list[str]:
    """For each changed section of the config, a sentence that says what follows."""
    meaning = "it holds from now on; what is recorded stays as it is"
    return [
        f"the config has changed since the last session: {name}: {_EFFECT_OF_CHANGE.get(name, meaning)} (--fresh starts over)"
        for name in sections
    ]


def session_start(system_time: float, checkpoint: str | None) -> float:
    """The instant at which a session begins: what the `system` says, but never before the last one's `mark`.

    Retries and waits of hosts are kept as instants. Were the clock set back between two sessions, they would
    lie that much further ahead, and the run would wait for them.
    """
    try:
        latest = float(checkpoint or 0)
    except ValueError:
        return system_time
    return max(system_time, latest) if math.isfinite(latest) else system_time


def clock_set_back_notice(system_time: float, started_at: float) -> str:
    """A sentence about a clock that was set back while no session ran; empty when it was not, or by little."""
    behind = started_at - system_time
    if behind <= CLOCK_TOLERANCE_SECONDS:
        return ""
    return (
        f"the system's clock stands {behind:,.0f} s before the end of the last session: "
        "this run keeps its own time, so that no wait becomes longer"
    )
