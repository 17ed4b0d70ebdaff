"""Make text from servers safe to show: no control characters, escape sequences, bidi overrides or line breaks.

A page's URL, an error's detail or a header may hold anything. On a terminal an escape sequence moves the cursor or
renames the window, a bidi override turns `fdp.exe` into `exe.make_pdf`, a line break forges a line of the log.
"""

from __future__ import annotations

import re

# Characters of a cleaned text, unless the caller passes a limit.
DEFAULT_MAX_CHARS = 200
# This many times the limit is cleaned before cutting, because escape sequences may fill the beginning.
_SCAN_FACTOR = 8

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]?"
)
_BLANKS = re.compile(r" {2,}")


def clean(text: str, limit: int = DEFAULT_MAX_CHARS) -> str:
    """`text` as one line of visible characters, at most `limit` long; what was cut is shown by `…`.

    Escape sequences are removed whole, line breaks and other blanks become one space, anything else that is not
    printable (Unicode categories Cc, Cf, Cs, Co, Cn, Zl, Zp) is dropped.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    seen = _ESCAPES.sub("", text[: limit * _SCAN_FACTOR])
    if not seen.isprintable():
        seen = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in seen)
    seen = _BLANKS.sub(" ", seen)
    if len(seen) <= limit and len(text) <= limit * _SCAN_FACTOR:
        return seen
    return seen[: max(0, limit - 1)] + "…"[:limit]
