"""Text to dates, as people write them on web pages.

Dates are ISO 8601, RFC 2822 with the variants of feeds, `12 March 2024`, `March 12, 2024`, `2024/03/12` or `12.03.2024`
(day first), with the clock behind or in front. With slashes or dashes, and with dots beside am or pm, day and month
must be distinguishable: `03/04/2024` is rejected, because a wrong date is worse than none.
"""

from __future__ import annotations

import contextlib
import re
from datetime import date, datetime, time
from functools import lru_cache

from scraper.extract.rules.date_patterns import (
    CLOCK_FIRST_REGEX,
    CLOCK_REGEX,
    COMPACT_REGEX,
    DAY_REGEXES,
    INTRODUCTION_REGEX,
    ISO_REGEX,
    MONTH_NUMBERS,
    NUMERIC_REGEX,
    UNIX_REGEX,
    WEEK_REGEX,
    WEEKDAY_BEHIND_REGEX,
    WEEKDAY_REGEX,
)
from scraper.extract.rules.parse_failure import ParseFailure, quote
from scraper.extract.rules.time_zones import parse_zone

# Longest text that is parsed as a date, in characters.
MAX_DATE_CHARS = 120
# Years of dates in numbers: others belong to another calendar (1403/01/12 in Iran, 12/03/2567 in Thailand).
PLAUSIBLE_YEARS = range(1500, 2200)


def parse_date(text: str) -> str | ParseFailure:
    """`text` as a date (`2024-03-12`) or as a date and time (`2024-03-12T10:30:00+01:00`) in ISO 8601.

    A time without a zone stays without one; fractions of seconds are kept. Names of months and days must be English.
    """
    if len(text) > MAX_DATE_CHARS:
        return ParseFailure(f"too long for a date: {len(text)} characters, at most {MAX_DATE_CHARS}")
    text = " ".join(text.split())
    try:
        return _parse_iso(text) or _parse_written(text) or ParseFailure(f"not a date in a known form: {quote(text)}")
    except (ValueError, OverflowError):
        return ParseFailure(f"no such date: {quote(text)}")


def _parse_iso(text: str) -> str | None:
    """A date of ISO 8601 with T, t or a space before its time; None if `text` is none. Raises ValueError."""
    if not (text[:4].isdigit() and text.isascii()):
        return None
    # The usual forms, as the standard library reads them: it takes any separator and cuts fractions, so not others.
    if text[4:5] == "-" == text[7:8]:
        if len(text) == 10:
            return date.fromisoformat(text).isoformat()
        if text[10] in "Tt " and text[13:14] == ":" == text[16:17] and "." not in text and "," not in text:
            with contextlib.suppress(ValueError):
                return datetime.fromisoformat(text).isoformat()
    if WEEK_REGEX.fullmatch(text):
        return date.fromisoformat(text).isoformat()
    found = ISO_REGEX.fullmatch(text) or COMPACT_REGEX.fullmatch(text)
    if found is None:
        return None
    day = date(int(found["year"]), int(found["month"]), int(found["day"]))
    return _with_clock(day, found) if found["hour"] else day.isoformat()


@lru_cache(maxsize=2048)  # the items of a listing often have one date
def _parse_written(text: str) -> str | ParseFailure | None:
    text = _after(INTRODUCTION_REGEX, text).strip(" ,;|•·.").removeprefix("the ")
    # 1. Tue Mar 12 10:30:00 GMT 2024: the clock stands inside.
    if found := UNIX_REGEX.fullmatch(text):
        return _with_clock(_named_day(found), found)
    # 2. 10:30 am, 12 March 2024
    clock: re.Match[str] | None = None
    if found := CLOCK_FIRST_REGEX.match(text):
        clock, text = found, text[found.end() :]
    # 3. The date, and what is behind it: a weekday, a clock.
    text = _after(WEEKDAY_REGEX, text)
    for pattern in (*DAY_REGEXES, NUMERIC_REGEX):
        if (found := pattern.match(text)) is None:
            continue
        rest = _after(WEEKDAY_BEHIND_REGEX, text[found.end() :]).rstrip(" .,;")
        clock_behind = CLOCK_REGEX.fullmatch(rest) if rest else None
        if (rest and clock_behind is None) or (clock is not None and clock_behind is not None):
            continue
        clock = clock_behind or clock
        day = _numeric_day(found, clock, text) if pattern is NUMERIC_REGEX else _named_day(found)
        if isinstance(day, ParseFailure):
            return day
        return day.isoformat() if clock is None else _with_clock(day, clock)
    return None


def _after(pattern: re.Pattern[str], text: str) -> str:
    """What stands behind a match of `pattern` at the beginning of `text`, or all of it."""
    found = pattern.match(text)
    return text[found.end() :] if found else text


def _named_day(found: re.Match[str]) -> date:
    """The day of a match whose month is a name, or whose year is in front. Raises ValueError."""
    month, year = found["month"], found["year"]
    if month.isdigit():
        if int(year) not in PLAUSIBLE_YEARS:
            raise ValueError("a year of another calendar")
        return date(int(year), int(month), int(found["day"]))
    return date(_full_year(year), MONTH_NUMBERS[month.lower()], int(found["day"]))


def _full_year(year: str) -> int:
    """The year of two or four digits. Raises ValueError where the conventions for two differ."""
    if len(year) == 4:
        return int(year)
    year = year.lstrip("'’")
    # RFC 2822 counts 50 to 99 to the last century, POSIX 69 to 99.
    short = int(year)
    if 50 <= short < 70:
        raise ValueError("1950 or 2050")
    return 2000 + short if short < 50 else 1900 + short


def _numeric_day(found: re.Match[str], clock: re.Match[str] | None, text: str) -> date | ParseFailure:
    """The day of 12.03.2024, 12/03/2024 or 12-03-2024. Raises ValueError."""
    first, second, year = int(found["first"]), int(found["second"]), int(found["year"])
    if year not in PLAUSIBLE_YEARS:
        raise ValueError("a year of another calendar")
    # With dots the day is first, except where people write am and pm. Otherwise only a number above 12, or two equal
    # ones, decide.
    day_first = found["separator"] == "." and not (clock is not None and clock["am_or_pm"])
    if not day_first and first <= 12 and second <= 12 and first != second:
        return ParseFailure(f"day and month cannot be told apart: {quote(text)}")
    month, day = (first, second) if second > 12 else (second, first)
    return date(year, month, day)


def _with_clock(day: date, found: re.Match[str]) -> str:
    """`day` with the time of the match. Raises ValueError for an impossible time."""
    groups = found.groupdict()
    hour, am_or_pm = int(groups["hour"]), (groups.get("am_or_pm") or "").lower()
    if am_or_pm:
        if not 1 <= hour <= 12:
            raise ValueError("no such hour")
        hour = hour % 12 + (12 if am_or_pm.startswith("p") else 0)
    fraction = groups.get("fraction") or ""
    zone = parse_zone(groups.get("zone") or groups.get("zone_behind"), groups.get("remark"), day)
    moment = datetime.combine(
        day,
        time(hour, int(groups["minute"] or 0), int(groups.get("second") or 0), int(fraction[:6].ljust(6, "0"))),
        zone,
    )
    written = moment.isoformat()
    # datetime has microseconds; nanoseconds are put behind them.
    return written[:26] + fraction[6:] + written[26:] if len(fraction) > 6 and moment.microsecond else written
