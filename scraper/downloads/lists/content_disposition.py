"""The file name in a Content-Disposition header: RFC 6266, with the encodings of RFC 5987 and 8187.

Files are named before they are downloaded (file_names.py), so this field decides only when a URL has no name. A valid
field is read as the RFCs say: `filename*` wins over `filename`, quoted pairs are decoded, a percent sign in `filename`
is a percent sign, the first usable one of repeated parameters counts.

Many servers send invalid fields. Those with one sensible meaning are read: raw UTF-8, an unquoted name with spaces, a
missing type, a quote without end, a whole Windows path. A parameter without one (a broken percent triplet, bytes that
are not in the charset) is ignored, and the other parameter counts. RFC 2231 continuations (`filename*0`) are not part
of RFC 6266, and RFC 2047 encoded words are plain text.

Only the last part of a path counts: a server cannot choose a folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from scraper.downloads.lists.file_names import usable_name
from scraper.model import Headers

# Characters of a field that are read: the patterns take time for each of them.
MAX_FIELD_CHARS = 8192
MAX_PARAMETERS = 50

_CHARSETS = {
    **dict.fromkeys(("utf-8", "utf8"), "utf-8"),
    **dict.fromkeys(("iso-8859-1", "latin1", "us-ascii", "windows-1252"), "windows-1252"),
    **{name: name for name in ("iso-8859-2", "iso-8859-15", "windows-1250", "windows-1251", "koi8-r")},
    **{name: name for name in ("shift_jis", "euc-jp", "euc-kr", "gbk", "gb18030", "big5")},
    "gb2312": "gb18030",
}
_PARAMETER_NAME = re.compile(r"[\s;,]*([^=;,\"\s]*)\s*(=?)\s*", re.ASCII)
_QUOTED_VALUE = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"|\\?$)', re.DOTALL)
# An unquoted value ends at a semicolon, or at a comma with which a proxy has joined the next field.
_BARE_VALUE = re.compile(r"(?:[^;,]|,(?!\s{0,8}(?:attachment|inline|filename\*?)\s{0,8}(?:[;=,]|$)))*+", re.IGNORECASE)
_EXTENDED_VALUE = re.compile(r"([A-Za-z0-9!#$%&+^_`{}~-]+)'[^']{0,40}'([^'\s]*)", re.ASCII)
_BROKEN_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_WINDOWS_PATH = re.compile(r"[A-Za-z]:\\|\.{1,2}\\|\\\\[^\\]+\\")


def suggested_name(headers: Headers) -> str | None:
    """The safe file name that a response suggests; None without a usable one. Never raises.

    Of several fields the first with a name counts.
    """
    return next(filter(None, map(disposition_name, headers.get_all("Content-Disposition"))), None)


def disposition_name(value: str) -> str | None:
    """The safe file name in one field value, latin-1 text as in `Headers`; None when there is none."""
    plain = extended = None
    for name, text, is_quoted in _parse_parameters(value[:MAX_FIELD_CHARS]):
        if name == "filename*" and extended is None:
            extended = _usable_or_none(_decode_extended(text))
        elif name == "filename" and plain is None:
            plain = _usable_or_none(_decode_plain(text, is_quoted))
    return extended or plain


def _parse_parameters(value: str) -> Iterator[tuple[str, str, bool]]:
    """The parameters in order: lower-case name, value without quotes, and whether it had quotes."""
    at = 0
    for _ in range(MAX_PARAMETERS):
        head = _PARAMETER_NAME.match(value, at)
        assert head is not None
        at = head.end()
        if at >= len(value):
            return
        quoted = _QUOTED_VALUE.match(value, at)
        match = quoted or _BARE_VALUE.match(value, at)
        assert match is not None
        at = match.end()
        if head[2]:
            yield head[1].lower(), match[1] if quoted else match[0].strip(), quoted is not None
        elif not quoted and not head[1]:
            at += 1


def _decode_plain(text: str, is_quoted: bool) -> str:
    if is_quoted and not _WINDOWS_PATH.match(text):
        text = _QUOTED_PAIR.sub(r"\1", text)
    try:
        # The bytes as sent: UTF-8 if they are valid UTF-8, else latin-1, as the standard says.
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _decode_extended(text: str) -> str | None:
    """An ext-value (RFC 8187, 3.2.1) as text; None if it is invalid."""
    match = _EXTENDED_VALUE.fullmatch(text)
    charset = _CHARSETS.get(match[1].lower()) if match else None
    if match is None or charset is None or _BROKEN_PERCENT.search(match[2]):
        return None
    try:
        return unquote_to_bytes(match[2].encode("latin-1", "replace")).decode(charset)
    except UnicodeError:
        return None


def _usable_or_none(text: str | None) -> str | None:
    if not text:
        return None
    return usable_name(re.split(r"[/\\]", text)[-1])
