"""The pattern of a URL: what stays of it when numbers, dates and the values of parameters are left out.

    http://h/cal/2024-01            http://h/cal/{date}
    http://h/list/57?sort=name      http://h/list/{n}?sort
    http://h/f/color=red;size=m     http://h/f?color&size
    http://h/http:/a/http:/b        http://h/http:/...      segments that occur twice

URLs that a site makes without end differ in just these, so they share a pattern. What pages of a pattern bring is
counted in `progress`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import unquote

PatternKind = Literal["single", "numbered", "combined", "dated"]

# Text that stands for what was left out.
DATE, NUMBER = "{date}", "{n}"
# Names of parameters whose number is a date.
DATE_PARAMS = frozenset(
    [
        "year",
        "month",
        "day",
        "week",
        "date",
        "yr",
        "mon",
        "from",
        "to",
        "start_date",
        "end_date",
        "startdate",
        "enddate",
    ]
)
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_YEAR = r"(?<!\d)(?:1[89]|2[0-9])\d\d"
_MONTH, _DAY = r"(?:0?[1-9]|1[0-2])(?!\d)", r"(?:[0-2]?[0-9]|3[01])(?!\d)"
# A year alone is none: it may be any number.
_DATE = re.compile(
    rf"{_YEAR}([-_./])(?:w?{_MONTH}|w[0-5]\d(?!\d))(?:\1{_DAY})?"
    r"|(?<!\d)(?:1[89]|2[0-9])\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)"
    rf"|(?<!\d)(?:{_DAY}[-_./])?{_MONTH}([-_./]){_YEAR}(?!\d)"
    rf"|{_YEAR}[-_./](?:{_MONTHS})(?![a-z])(?:[-_./]{_DAY})?"
    rf"|(?<![a-z])(?:{_MONTHS})[-_./]{_YEAR}(?!\d)",
    re.IGNORECASE | re.ASCII,
)
_NUMBER = re.compile(r"\d+", re.ASCII)
# Without any of these nothing is left out.
_VARIABLE = re.compile(r"[0-9?=]", re.ASCII)


class UrlPattern(NamedTuple):
    """What several URLs have in common.

    `text` names it for the user. `base` is its part before the parameters. `kind`: `dated` has a date, `combined` two
    parameters or a path that repeats itself, `numbered` a number, and `single` is anything else. URLs of one `family`
    lead to one another without bringing anything else: those of one base, and all dated ones of a site.
    """

    text: str
    base: str
    kind: PatternKind
    family: str


@lru_cache(maxsize=4_096)  # many pages have one parent, and each is a link before it is a page
def pattern_of(origin: str, target: str) -> UrlPattern:
    """The pattern of the URL with this origin (`http://h`) and target (`/path?query`)."""
    path, _, query = target.partition("?")
    segments = path.split("/")
    if _repeats(segments):
        base = f"{origin}/{_abstract(segments[1])}/..."
        return UrlPattern(base, base, "combined", base)
    if not _VARIABLE.search(target):
        base = origin + path
        return UrlPattern(base, base, "single", base)
    names: list[str] = []
    if "=" in path:
        path = "/".join(kept for kept in (_take_params(segment, names) for segment in segments) if kept is not None)
    base = origin + _abstract(path)
    dated = DATE in base
    has_number = NUMBER in base
    for member in query.split("&") if query else ():
        name, _, value = member.partition("=")
        names.append(name)
        value = unquote(value)
        dated = dated or (bool(value) and (_DATE.search(value) is not None or _is_date_param(name, value)))
        has_number = has_number or any(map(str.isdigit, value))
    kind: PatternKind = "dated" if dated else "combined" if len(names) > 1 else "numbered" if has_number else "single"
    text = base + ("?" + "&".join(sorted(set(names))) if names else "")
    return UrlPattern(text, base, kind, origin if dated else base)


def numbers_of(target: str) -> list[int]:
    """The numbers in a URL's target, of at most 18 digits."""
    return [int(found) for found in _NUMBER.findall(target) if len(found) <= 18]


def _abstract(path: str) -> str:
    return _NUMBER.sub(NUMBER, _DATE.sub(DATE, path))


def _is_date_param(name: str, value: str) -> bool:
    return value.isdigit() and name.lower().rpartition("[")[2].rstrip("]") in DATE_PARAMS


def _take_params(segment: str, names: list[str]) -> str | None:
    """The segment without its `name=value` parts, whose names are added; None when nothing else is in it."""
    if "=" not in segment:
        return segment
    kept: list[str] = []
    for part in segment.split(";"):
        name, found, _ = part.partition("=")
        (names if found else kept).append(name)
    return ";".join(kept) or None


def _repeats(segments: list[str]) -> bool:
    """Whether a segment other than a number occurs twice in the path."""
    if len(segments) < 4:  # "", "a", "a": a folder may well have the name of its parent
        return False
    words = [segment for segment in segments if segment and not segment.isdigit()]
    return len(set(words)) < len(words)
