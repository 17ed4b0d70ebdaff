"""Names of time zones, as offsets from UTC.

Names that stand for several zones (BST, IST) are unknown here; those of RFC 2822 mean what it says.
"""

from __future__ import annotations

import re
from datetime import date, timedelta, timezone

# RFC 2822, section 4.3, and names with one meaning. In hours from UTC.
ZONE_OFFSET_HOURS: dict[str, float] = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6,
    "pst": -8, "pdt": -7,
    "akst": -9, "akdt": -8, "hst": -10, "wet": 0, "west": 1, "cet": 1, "cest": 2, "mez": 1, "mesz": 2, "eet": 2,
    "eest": 3, "msk": 3, "pkt": 5, "wib": 7, "hkt": 8, "sgt": 8, "awst": 8, "jst": 9, "kst": 9, "acst": 9.5,
    "acdt": 10.5, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13,
}  # fmt: skip
# Zones of the United States whose offset depends on the day: its hours from UTC in winter.
US_ZONE_OFFSET_HOURS = {"et": -5, "ct": -6, "mt": -7, "pt": -8}
# The first year of the present rule for the US: summer time from the second Sunday of March to the first of November.
FIRST_YEAR_OF_US_RULE = 2007
OFFSET_REGEX = re.compile(r"(?:utc|gmt)?\s?(?P<sign>[-+])(?P<hours>[0-9]{1,2}):?(?P<minutes>[0-9]{2})?", re.IGNORECASE)


def parse_zone(name: str | None, remark: str | None, day: date) -> timezone | None:
    """The zone called `name`, or by an offset (`+0100`, `GMT+1`); else the one in parentheses behind the time.

    None if there is neither. Raises ValueError for a zone that is not known or that `day` does not settle.
    """
    if name is None:
        return None if not remark else parse_zone(remark, None, day)
    if found := OFFSET_REGEX.fullmatch(name):
        offset = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
        return timezone(-offset if found["sign"] == "-" else offset)
    name = name.lower()
    if name in US_ZONE_OFFSET_HOURS:
        return timezone(timedelta(hours=US_ZONE_OFFSET_HOURS[name] + _us_summer_hours(day)))
    if name not in ZONE_OFFSET_HOURS:
        raise ValueError("no such zone")
    return timezone(timedelta(hours=ZONE_OFFSET_HOURS[name]))


def _us_summer_hours(day: date) -> int:
    start, end = _nth_sunday(day.year, 3, 2), _nth_sunday(day.year, 11, 1)
    if day.year < FIRST_YEAR_OF_US_RULE or day in (start, end):
        raise ValueError("the day does not settle the offset")
    return 1 if start < day < end else 0


def _nth_sunday(year: int, month: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=6 - first.weekday() + 7 * (nth - 1))
