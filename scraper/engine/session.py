"""What a session must know of the sessions before it: what has changed in the config, and what time it is."""

from __future__ import annotations

import math
from collections.abc import Iterable

# Name of the checkpoint that holds the latest instant of a run (epoch seconds), stored with every batch.
CLOCK_CHECKPOINT = "clock"
# Name of the checkpoint that holds what pages of each pattern have brought (`urls.progress`).
PROGRESS_CHECKPOINT = "url progress"
# A system clock that is set back by less is not mentioned: time synchronisation does that all the time.
CLOCK_TOLERANCE_SECONDS = 60.0

_EFFECT_OF_CHANGE = {
    "seeds": "new seeds are requested; records of earlier ones stay",
    "scope": "applies to links found from now on; what is queued is requested, what was skipped stays skipped",
    "limits": "apply from now on; limits on pages count those of earlier sessions, too",
    "politeness": "applies from the next request on; waits that hosts asked for are still kept",
    "sitemaps": "applies to hosts whose robots.txt is read from now on",
    "network": "applies from the next request on",
    "headers": "sent from the next request on",
    "auth": "applies from the next request on",
    "login": "applies to pages fetched from now on",
    "extract": "applies to pages fetched from now on; recorded items are not extracted again (see scrape extract)",
    "files": "applies to pages fetched from now on",
    "hooks": "called from now on; what is recorded stays as it is",
    "output": "outputs that were removed keep their contents, and cannot be resumed later",
    "durability": "applies from now on",
    "name": "no effect on this run",
}
_OTHER_EFFECT = "applies from now on; what is recorded stays as it is"


def config_change_notices(sections: Iterable[str]) -> list[str]:
    """For each changed section of the config, a sentence that says what the change affects."""
    notices = []
    for name in sections:
        effect = _EFFECT_OF_CHANGE.get(name, _OTHER_EFFECT)
        notices.append(f"the config has changed since the last session: {name}: {effect} (--fresh starts over)")
    return notices


def session_start(system_time: float, checkpoint: str | None) -> float:
    """The instant at which a session begins: the system's time, but never before the `checkpoint` of the last session.

    Retries and waits of hosts are stored as instants. If the clock was set back between two sessions, they would lie
    further ahead by as much, and the run would wait for them.
    """
    try:
        latest = float(checkpoint or 0)
    except ValueError:
        return system_time
    return max(system_time, latest) if math.isfinite(latest) else system_time


def clock_set_back_notice(system_time: float, started_at: float) -> str:
    """A sentence about a clock that was set back between sessions; empty if it was not, or only by a little.

    `started_at` is `session_start`.
    """
    behind = started_at - system_time
    if behind <= CLOCK_TOLERANCE_SECONDS:
        return ""
    return (
        f"the system clock is {behind:,.0f} s behind the end of the previous session; "
        "scheduled waits are kept relative to that session"
    )
