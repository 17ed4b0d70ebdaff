"""JSON as scripts of pages hold it: inside comment marks, with comments, trailing commas, raw line breaks.

What can be meant in one way is read; anything else is none.
"""

from __future__ import annotations

import html
import re
from typing import Any

from scraper.extract.rules.json_document import read_json

_STRING = r'"(?:[^"\\]|\\.)*+"'
# Marks that hide a script from old parsers, alone or in a comment of JavaScript.
_MARK = r"(?:/\*[ \t]*|//[ \t]*)?(?:<!\[CDATA\[|\]\]>)(?:[ \t]*\*/)?"
_STRINGS_AND_MARKS = re.compile(rf"({_STRING})|{_MARK}|(?://[ \t]*)?(?:<!--|-->)", re.DOTALL)
_STRINGS_AND_COMMENTS = re.compile(rf"({_STRING})|{_MARK}|<!--.*?(?:-->|\Z)|/\*.*?(?:\*/|\Z)|//[^\n]*", re.DOTALL)
# A run of commas, and the bracket that closes behind it, or the end.
_STRINGS_AND_COMMAS = re.compile(rf"({_STRING})|,[\s,]*+([}}\]]|\Z)?", re.DOTALL)
# An escape that JSON does not have; `\'` is that of JavaScript.
_STRINGS = re.compile(_STRING, re.DOTALL)
_ESCAPES = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_JSON_ESCAPES = frozenset('"\\/bfnrt')


def parse_lenient_json(text: str) -> Any:
    """The JSON of a script; None if it is none.

    Allows comment marks around it (`<!--`, CDATA), comments of JavaScript and HTML, commas too many before a bracket or
    at the end, a semicolon at the end, raw line breaks in texts, and escapes that only JavaScript has.
    """
    text = text.strip("\ufeff \t\r\n;")
    try:
        return read_json(text).value  # numbers keep all their digits
    except ValueError:
        pass
    if '"' not in text and "&quot;" in text:  # the template has escaped the script
        text = html.unescape(text)
    # What stands between `<!--` and `-->` is the JSON itself, or a comment before it.
    for pattern in (_STRINGS_AND_MARKS, _STRINGS_AND_COMMENTS):
        value = _load(pattern.sub(_keep_string, text))
        if value is not None:
            return value
    return None


def _load(text: str) -> Any:
    text = _STRINGS_AND_COMMAS.sub(_drop_last_commas, text.strip(" \t\r\n;")).strip(" \t\r\n;")
    text = _STRINGS.sub(_repair_escapes, text)
    try:
        return read_json(text).value
    except ValueError:
        return None


def _keep_string(found: re.Match[str]) -> str:
    return found[1] or " "


def _drop_last_commas(found: re.Match[str]) -> str:
    return found[0] if found[1] is not None or found[2] is None else found[2]


def _repair_escapes(found: re.Match[str]) -> str:
    return _ESCAPES.sub(_repair_escape, found[0]) if "\\" in found[0] else found[0]


def _repair_escape(found: re.Match[str]) -> str:
    escape = found[1]
    if len(escape) > 1 or escape in _JSON_ESCAPES:
        return found[0]
    return escape if escape == "'" else rf"\\{escape}"
