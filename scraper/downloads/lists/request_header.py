"""Request header fields as users write them: `Name: value`."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_NAME_CHARS = 100
# Servers refuse longer values.
MAX_VALUE_CHARS = 8192

_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_RESERVED_NAMES = re.compile(
    "accept-encoding|connection|content-length|expect|host|if-(?:none-)?match|if-(?:un)?modified-since|if-range"
    "|keep-alive|range|te|trailer|transfer-encoding|upgrade",
    re.IGNORECASE,
)


class BadHeader(NamedTuple):
    """Text that is no header field, or one that a user may not set. `reason` does not repeat it: it may be a secret."""

    reason: str


def parse_header(text: str) -> tuple[str, str] | BadHeader:
    """Read `Name: value` (RFC 9110, section 5).

    Fields that this program must set itself are refused: a resumed download would be wrong otherwise.
    """
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not _FIELD_NAME.fullmatch(name) or len(name) > MAX_NAME_CHARS:
        return BadHeader("a header is a name, a colon and a value")
    if _RESERVED_NAMES.fullmatch(name):
        return BadHeader(f"the header {name} cannot be set: it is set automatically")
    if len(value) > MAX_VALUE_CHARS:
        return BadHeader(f"the header {name} is longer than {MAX_VALUE_CHARS:,} characters")
    if not _FIELD_VALUE.fullmatch(value):
        return BadHeader(f"the header {name} holds a character that headers cannot carry")
    return name, value
