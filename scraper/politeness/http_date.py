"""HTTP dates, strictly: the three forms of RFC 9110 section 5.6.7 and nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

# Days whose first instant is cached: the files of one site were mostly changed on few days.
MAX_CACHED_DAYS = 512

_MONTHS = {
    name: number
    for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)  # noqa: SIM905
}
_MONTH = "(?P<month>" + "|".join(_MONTHS) + ")"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_SHORT_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY = "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
_DATE_PATTERNS = (
    # IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
    re.compile(rf"{_SHORT_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    # RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
    re.compile(rf"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    # asctime: Sun Nov  6 08:49:37 1994
    re.compile(rf"{_SHORT_DAY} {_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)
# Two digits to their seconds in the day. Leap seconds (:60) are not in here: the patterns handle them.
_HOUR_SECONDS = {f"{n:02}": n * 3600 for n in range(24)}
_MINUTE_SECONDS = {f"{n:02}": n * 60 for n in range(60)}
_SECONDS = {f"{n:02}": n for n in range(60)}


def parse_http_date(text: str, now: float) -> float | None:
    """The instant (epoch seconds) that `text` names, or None when it is no HTTP-date.

    The weekday must be a weekday but is not checked against the date. `now` (epoch seconds) resolves a two-digit year:
    one that would be more than 50 years in the future is in the past century (RFC 9110 section 5.6.7).
    """
    # The form that servers must send is parsed by position, at a third of the cost; anything odd about it falls through
    # to the patterns.
    if len(text) == 29 and text[19] == text[22] == ":" and text[25:] == " GMT":
        hour, minute = _HOUR_SECONDS.get(text[17:19]), _MINUTE_SECONDS.get(text[20:22])
        second = _SECONDS.get(text[23:25])
        if hour is not None and minute is not None and second is not None:
            midnight = _midnight_of(text[:17])
            return None if midnight is None else midnight + (hour + minute + second)
    return _parse_by_pattern(text, now)


@lru_cache(maxsize=MAX_CACHED_DAYS)
def _midnight_of(day: str) -> float | None:
    """When the day begins that an IMF-fixdate names in its first 17 characters."""
    # `now` is only for two-digit years, which this form does not have.
    return _parse_by_pattern(day + "00:00:00 GMT", 0.0)


def _parse_by_pattern(text: str, now: float) -> float | None:
    for pattern in _DATE_PATTERNS:
        if found := pattern.fullmatch(text):
            break
    else:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:
        this_year = datetime.fromtimestamp(now, UTC).year
        year += this_year - this_year % 100
        if year > this_year + 50:
            year -= 100
    try:
        instant = datetime(
            year,
            _MONTHS[found["month"]],
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            # The grammar allows leap seconds, datetime does not.
            59 if found["second"] == "60" else int(found["second"]),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return instant.timestamp()
