"""Crawler traps, recognized by the shape of a URL: too long, too deep, repeating, too many parameters.

Such URLs come from calendars, broken relative links and combined filters, which produce them without end. Every limit
can be changed or turned off, the rejection names the limit, and `allow` patterns exempt URLs that are no traps.
"""

from __future__ import annotations

from dataclasses import dataclass

# Longest repeated sequence of path segments that is searched for.
MAX_CYCLE_SEGMENTS = 8


@dataclass(frozen=True, slots=True)
class TrapSettings:
    """Limits beyond which a discovered URL is a trap; 0 or None turns a limit off.

    `max_length`: characters of the URL. `max_segments`: segments of its path. `max_params`: parameters of its query.
    `max_repeats`: how often the same sequence of segments may follow itself (`/a/b/a/b/` is two). `max_unproductive`:
    pages of one pattern in a row that bring nothing new (`progress`). `allow`: regular expressions; URLs in which one
    is found are never traps.
    """

    max_length: int | None = 2048
    max_segments: int | None = 16
    max_repeats: int | None = 2
    max_params: int | None = 10
    max_unproductive: int | None = 100
    allow: tuple[str, ...] = ()


def find_trap(href: str, settings: TrapSettings) -> str | None:
    """The limit that the canonical `href` exceeds, such as `traps.max_segments: 16`, or None. Ignores `allow`.

    Of several, the first in the order length, segments, repeats, params.
    """
    if settings.max_length and len(href) > settings.max_length:
        return f"traps.max_length: {settings.max_length}"
    address, _, query = href.partition("?")
    segments = address.split("/")[3:]
    if segments and segments[-1] == "":  # a final slash is no segment
        segments.pop()
    if settings.max_segments and len(segments) > settings.max_segments:
        return f"traps.max_segments: {settings.max_segments}"
    # Without two equal segments nothing repeats: this spares most URLs the search.
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
    """Whether a sequence of at most `MAX_CYCLE_SEGMENTS` segments occurs more than `limit` times in a row.

    Takes at most `MAX_CYCLE_SEGMENTS` steps a segment. After Heritrix's PathologicalPathDecideRule.
    """
    count = len(segments)
    for cycle in range(1, min(MAX_CYCLE_SEGMENTS, count // (limit + 1)) + 1):
        # `limit` + 1 occurrences of a sequence are `cycle * limit` segments that equal the one `cycle` before them.
        equal_in_a_row = 0
        for index in range(cycle, count):
            equal_in_a_row = equal_in_a_row + 1 if segments[index] == segments[index - cycle] else 0
            if equal_in_a_row >= cycle * limit:
                return True
    return False
