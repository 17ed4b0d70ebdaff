"""Shapes of URLs that a site makes without end: calendars, relative links that pile up, filters that multiply.

Every limit can be set or turned off, every refusal names its limit, and a pattern can spare URLs that only look so.
"""

from __future__ import annotations

from dataclasses import dataclass

# Longest repeating group of path segments that is looked for.
MAX_CYCLE_SEGMENTS = 8


@dataclass(frozen=True, slots=True)
class TrapSettings:
    """When a discovered URL counts as a trap; 0 or None turns a limit off.

    `max_length` is characters of the URL, `max_segments` parts of its path, `max_params` parts of its query.
    `max_repeats` is how often a group of segments may stand in the path one after the other (`/a/b/a/b/` is two).
    URLs in which one of the regular expressions `allow` is found are never traps.
    """

    max_length: int | None = 2048
    max_segments: int | None = 16
    max_repeats: int | None = 2
    max_params: int | None = 10
    allow: tuple[str, ...] = ()


def find_trap(href: str, settings: TrapSettings) -> str | None:
    """The limit that `href` (canonical) exceeds, as `traps.max_segments: 16`, or None. Does not look at `allow`.

    The order is length, segments, repeats, params; the first one exceeded is named.
    """
    if settings.max_length and len(href) > settings.max_length:
        return f"traps.max_length: {settings.max_length}"
    address, _, query = href.partition("?")
    segments = address.split("/")[3:]
    if segments and segments[-1] == "":  # a closing slash is not a segment
        segments.pop()
    if settings.max_segments and len(segments) > settings.max_segments:
        return f"traps.max_segments: {settings.max_segments}"
    if (
        settings.max_repeats
        and len(set(segments)) < len(segments)
        and has_repeated_cycle(segments, settings.max_repeats)
    ):
        return f"traps.max_repeats: {settings.max_repeats}"
    if settings.max_params and query and query.count("&") >= settings.max_params:
        return f"traps.max_params: {settings.max_params}"
    return None


def has_repeated_cycle(segments: list[str], limit: int) -> bool:
    """Whether a group of at most `MAX_CYCLE_SEGMENTS` segments stands more than `limit` times in a row.

    Time is `MAX_CYCLE_SEGMENTS` steps a segment at most. The idea is Heritrix's PathologicalPathDecideRule.
    """
    count = len(segments)
    for cycle in range(1, min(MAX_CYCLE_SEGMENTS, count // (limit + 1)) + 1):
        run = 0
        for at in range(cycle, count):
            run = run + 1 if segments[at] == segments[at - cycle] else 0
            if run >= cycle * limit:
                return True
    return False
