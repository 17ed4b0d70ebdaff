"""Parses Content-Type fields: MIME Sniffing, section 4.4, and "extract a MIME type" of the Fetch standard.

A field may be sent twice, or be a list that a proxy has joined. The last member that is a MIME type counts; a member
that is none (`html`, `"text/html"`) says nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

# Longest value that is parsed, in characters; what is behind is ignored.
MAX_VALUE_CHARS = 1_000
# Distinct values that are remembered: a site sends few.
CACHE_SIZE = 256

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_ESSENCE_REGEX = re.compile(rf"[\t\n\r ]*({_NAME}/{_NAME})[\t\n\r ]*(?:;|\Z)")
# A parameter: its name, and a value in quotes (what follows up to the next `;` is ignored) or without.
_PARAMETER_REGEX = re.compile(
    r"""[\t\n\r ]*([^;=]*?)[\t\n\r ]*(?:=[\t\n\r ]*(?:"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)[^;]*|([^;]*)))?(?:;|\Z)""",
    re.DOTALL,
)
_QUOTED_PAIR_REGEX = re.compile(r"\\(.)", re.DOTALL)
# A member of a list: commas inside quotes do not end it.
_MEMBER_REGEX = re.compile(r"""((?:[^",]|"(?:[^"\\]|\\.)*+(?:"|\\?\Z))*+)(?:,|\Z)""", re.DOTALL)


class MimeType(NamedTuple):
    """`essence`: type and subtype, in lower case. `charset`: the parameter of that name as written, or None."""

    essence: str
    charset: str | None = None


def parse_mime_type(text: str) -> MimeType | None:
    """`text`, one MIME type with parameters in any order; None if it is none. The first charset counts."""
    found = _ESSENCE_REGEX.match(text)
    if found is None:
        return None
    charset, at = None, found.end()
    while charset is None and at < len(text) and (parameter := _PARAMETER_REGEX.match(text, at)) is not None:
        at = parameter.end()
        if parameter[1].lower() == "charset":
            value = parameter[3]
            # Single quotes are none of the standard's, but sites write them, and no label has any.
            charset = _unquote(parameter[2]) if value is None else value.rstrip("\t\n\r ").strip("'")
            charset = charset or None
    return MimeType(found[1].lower(), charset)


def extract_mime_type(value: str | None) -> MimeType | None:
    """The MIME type that a Content-Type field says, several fields joined by commas; None if it says nothing.

    A member without a charset keeps that of an earlier member with the same essence.
    """
    return _extract(value[:MAX_VALUE_CHARS]) if value else None


@lru_cache(maxsize=CACHE_SIZE)
def _extract(value: str) -> MimeType | None:
    result: MimeType | None = None
    at = 0
    while at <= len(value) and (member := _MEMBER_REGEX.match(value, at)) is not None:
        at = max(member.end(), at + 1)
        parsed = parse_mime_type(member[1])
        if parsed is None or parsed.essence == "*/*":
            continue
        if parsed.charset is None and result is not None and parsed.essence == result.essence:
            parsed = result
        result = parsed
    return result


def _unquote(text: str | None) -> str | None:
    return None if text is None else _QUOTED_PAIR_REGEX.sub(r"\1", text)
