"""The forms of dates and clocks, as patterns."""

from __future__ import annotations

import re

from scraper.extract.rules.time_zones import US_ZONE_OFFSET_HOURS, ZONE_OFFSET_HOURS

MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
# By full name and by the first three letters.
MONTH_NUMBERS = {name[:length]: number for number, name in enumerate(MONTH_NAMES, 1) for length in (3, len(name))} | {
    "sept": 9
}

# Parts. A weekday beside a date is ignored, not checked.
_WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"
_MONTH = rf"(?P<month>{'|'.join(sorted(MONTH_NUMBERS, key=len, reverse=True))})(?![a-z])"
_DAY = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>[0-9]{4}(?![0-9])|['’]?[0-9]{2}(?![0-9:]))"
_OFFSET = r"[-+][0-9]{1,2}(?::?[0-9]{2})?"
_FRACTION = r"(?:[.,](?P<fraction>[0-9]{1,9}))?"
_ISO_CLOCK = (
    rf"(?P<hour>[0-9]{{2}})(?::(?P<minute>[0-9]{{2}})(?::(?P<second>[0-9]{{2}}){_FRACTION})?)?"
    r"\s?(?P<zone>[Zz]|[-+][0-9]{2}(?::?[0-9]{2})?)?"
)
_ZONE = rf"\s?(?P<zone>(?:utc|gmt)?\s?{_OFFSET}|[a-z]{{1,5}})?(?:\s?\((?P<remark>[^()]{{0,40}})\))?"
_KNOWN_ZONE = (
    rf"(?:\s?(?P<zone>(?:utc|gmt)?\s?{_OFFSET}|{'|'.join((*ZONE_OFFSET_HOURS, *US_ZONE_OFFSET_HOURS))})(?![a-z]))?"
)
# 10:30, 10:30:15.5, 10.30 am, 10am. A point and a bare hour need am or pm.
_CLOCK = (
    r"(?=[0-9]{1,2}(?::[0-9]{2}|(?:\.[0-9]{2})?\s?[ap]\.?\s?m\b))"
    rf"(?P<hour>[0-9]{{1,2}})(?:[:.](?P<minute>[0-9]{{2}})(?::(?P<second>[0-9]{{2}}){_FRACTION})?)?"
    r"(?:\s?(?P<am_or_pm>[ap]\.?\s?m\b\.?)|\s?(?:hrs?|hours|uhr)\b)?"
)


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


ISO_REGEX = _compile(
    rf"(?P<year>[0-9]{{4}})-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})(?:(?:T|\s(?=[0-9]{{2}}:)){_ISO_CLOCK})?"
)
# 20240312, 20240312T103000Z, 20240312103000
COMPACT_REGEX = _compile(
    r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
    rf"(?:T(?P<hour>[0-9]{{2}})(?:(?P<minute>[0-9]{{2}})(?:(?P<second>[0-9]{{2}}){_FRACTION})?)?"
    r"(?P<zone>[Zz]|[-+][0-9]{2}(?::?[0-9]{2})?)?)?"
)
WEEK_REGEX = _compile("[0-9]{4}-W[0-9]{2}-[0-9]|[0-9]{4}W[0-9]{3}")

WEEKDAY_REGEX = _compile(rf"{_WEEKDAY}\.?(?:,\s?|\s|(?=[0-9]))")
WEEKDAY_BEHIND_REGEX = _compile(rf",?\s\(?{_WEEKDAY}\)?(?![a-z])")
INTRODUCTION_REGEX = _compile(
    r"(?:(?:first|last|originally|date|article|article's)\s)?"
    r"(?:published|posted|updated|modified|created|released?|added|issued|submitted|edited|written|uploaded|revised|"
    r"reviewed|date|dated|publication|effective|on)"
    r"(?:\s(?:date|on|at|time))?(?:\s?[:\-–—|]\s?|\s)"
)
# Dates whose month is a name, or whose year is in front.
DAY_REGEXES = tuple(
    map(
        _compile,
        (
            # 12 March 2024, 12th of March, 2024, 12-Mar-24, 12/Mar/2024
            rf"{_DAY}\.?[\s/-]?(?:of\s)?{_MONTH}\.?,?[\s/-]?{_YEAR}",
            # March 12, 2024, Mar-12-2024, Mar 12, '24
            rf"{_MONTH}\.?[\s/-]?{_DAY}(?:,\s?|\s|[/-])(?P<year>[0-9]{{4}}|['’][0-9]{{2}})(?![0-9:])",
            # 2024 March 12, 2024-Mar-12
            rf"(?P<year>[0-9]{{4}}),?[\s/-]{_MONTH}\.?[\s/-]{_DAY}(?![0-9:])",
            # 2024/03/12
            r"(?P<year>[0-9]{4})(?P<separator>[./-])\s?(?P<month>[0-9]{1,2})(?P=separator)\s?(?P<day>[0-9]{1,2})(?![0-9])",
        ),
    )
)
# 12.03.2024, 12/03/2024, 12-03-2024
NUMERIC_REGEX = _compile(
    r"(?P<first>[0-9]{1,2})\s?(?P<separator>[./-])\s?(?P<second>[0-9]{1,2})\s?(?P=separator)\s?(?P<year>[0-9]{4})(?![0-9])"
)
# Tue Mar 12 10:30:00 2024, Tue Mar 12 10:30:00 GMT 2024
UNIX_REGEX = _compile(
    rf"{_WEEKDAY},?\s{_MONTH}\s{{1,2}}{_DAY},?\s(?P<hour>[0-9]{{1,2}}):(?P<minute>[0-9]{{2}}):(?P<second>[0-9]{{2}})"
    rf"(?:\s(?P<zone>[a-z]{{1,5}}|{_OFFSET}|(?:utc|gmt){_OFFSET}))?\s(?P<year>[0-9]{{4}})"
    rf"(?:\s(?P<zone_behind>{_OFFSET}|[a-z]{{1,5}}))?"
)
# What stands between a date and a clock: 12 March 2024 - 10:30, ... at 10:30, 2024/03/12T10:30, 12/Mar/2024:10:30:00.
# A dash without spaces is none: of 2024-03-12-05:00 the end is a zone.
CLOCK_REGEX = _compile(rf"(?:,?\s(?:[-–—|@·•/,]\s)?(?:at\s)?|,|T|:(?=[0-9]{{2}}:[0-9]{{2}}:)){_CLOCK}{_ZONE}")
CLOCK_FIRST_REGEX = _compile(rf"{_CLOCK}{_KNOWN_ZONE}(?:,?\s(?:(?:[-–—|@·•/,]|on)\s)?|,)")
