"""The chart of circuit breakers: one horizontal strip per host, over all sessions of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from scraper.report.breaker_log import SESSION_BEGIN, SESSION_END
from scraper.report.html.charts import legend_entry, time_axis, utc_text
from scraper.report.html.figures import Timeline, parse_instant
from scraper.report.html.markup import Markup, tag

MAX_STRIPS = 30
MAX_PIECES = 200
MAX_SESSIONS = 200
NOT_CLOSED_STATES = ("open", "half-open", "blocked")
# States that last from one session to the next; a half-open probe does not.
LASTING_STATES = ("open", "blocked")


class Transition(NamedTuple):
    """A host's breaker changed to `state` at the instant `at` (epoch seconds)."""

    at: float
    host: str
    state: str


class TimeSpan(NamedTuple):
    """From one instant to another, epoch seconds."""

    start: float
    end: float


def parse_transitions(steps: Sequence[Mapping[str, Any]]) -> list[Transition]:
    """The transitions of `read_transitions` with a valid time, session boundaries among them."""
    read = ((parse_instant(step["at"]), step) for step in steps)
    return [Transition(at, step["host"], step["state"]) for at, step in read if at is not None]


def find_sessions(changes: Sequence[Transition], pages: Timeline, now: float | None) -> list[TimeSpan]:
    """When sessions were running, the latest `MAX_SESSIONS`.

    A session without an end was killed: it ends with its last transition or page. The last one of a running run ends
    at `now` (epoch seconds; None when it is not running).
    """
    begins = [index for index, change in enumerate(changes) if change.state == SESSION_BEGIN]
    if not begins or begins[0] > 0:  # the beginning was dropped from the file, or written by an older version
        begins.insert(0, 0)
    sessions = []
    for index, following in pairwise([*begins, len(changes)]):
        own = changes[index:following]
        start, until = own[0].at, changes[following].at if following < len(changes) else math.inf
        known = [own[-1].at, pages.end_before(until) or start]
        if own[-1].state != SESSION_END:
            known += [now] if until == math.inf and now is not None else []
            sessions.append(TimeSpan(start, max(known)))
        else:
            sessions.append(TimeSpan(start, own[-1].at))
    return sessions[-MAX_SESSIONS:]


def breaker_chart(changes: Sequence[Transition], sessions: Sequence[TimeSpan]) -> Markup:
    """The chart: when each host's breaker was not closed, within sessions only. Both arguments are in time order."""
    whole = TimeSpan(sessions[0].start, max(sessions[-1].end, sessions[0].start + 1))
    by_host: dict[str, list[Transition]] = {}
    for change in changes:
        if change.host:
            by_host.setdefault(change.host, []).append(change)
    hosts = sorted(by_host, key=lambda host: -len(by_host[host]))
    rows = [_row(host, by_host[host], sessions, whole) for host in hosts[:MAX_STRIPS]]
    more = len(hosts) - MAX_STRIPS
    rest = tag("p", f"and {more:,} more hosts", class_="dim") if more > 0 else None
    caption = "Circuit breakers: when hosts were paused"
    if len(sessions) > 1:
        caption += f", in {len(sessions):,} sessions"
    key = tag("p", [legend_entry(state, state) for state in NOT_CLOSED_STATES], class_="key")
    return tag("figure", tag("figcaption", caption), rows, time_axis(*whole, class_="axis strip-axis"), rest, key)


def _row(host: str, changes: Sequence[Transition], sessions: Sequence[TimeSpan], whole: TimeSpan) -> Markup:
    pieces = []
    for state, piece in open_spans(changes, sessions)[:MAX_PIECES]:
        scale = 100 / (whole.end - whole.start)
        left, width = (piece.start - whole.start) * scale, (piece.end - piece.start) * scale
        # At least 0.4 % wide, so that a short pause can be seen.
        style = f"left:{min(99.6, max(0.0, left)):.2f}%;width:{max(0.4, min(100.0, width)):.2f}%"
        tooltip = f"{state} {utc_text(piece.start)} to {utc_text(piece.end)}"
        pieces.append(tag("span", "", class_=f"piece {state}", style=style, title=tooltip))
    opened = sum(change.state in LASTING_STATES for change in changes)
    label = f"{host}: opened {'once' if opened == 1 else f'{opened:,} times'}, last {changes[-1].state}"
    strip = tag("div", pieces, class_="strip", role="img", aria_label=label)
    return tag("div", tag("div", host, class_="strip-name"), strip, class_="strip-row")


def open_spans(changes: Sequence[Transition], sessions: Sequence[TimeSpan]) -> list[tuple[str, TimeSpan]]:
    """The spans in which one host's breaker was open, half-open or blocked while a session was running."""
    pieces = []
    # The last state lasts until the end of the sessions.
    forever = Transition(float("inf"), "", "")
    for change, following in pairwise([*changes, forever]):
        if change.state not in NOT_CLOSED_STATES:
            continue
        for session in sessions:
            start, end = max(change.at, session.start), min(following.at, session.end)
            begins_in_session = session.start <= change.at
            if start < end and (begins_in_session or change.state in LASTING_STATES):
                pieces.append((change.state, TimeSpan(start, end)))
    return pieces
