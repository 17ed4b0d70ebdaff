"""Finds the character encoding of a page and decodes its text.

The encoding is the first that one of these gives (HTML standard, 13.2.3):

1. a byte order mark;
2. the `charset` of the Content-Type header;
3. a declaration in the first 1024 bytes (`<meta charset>`, `<meta http-equiv>`, `<?xml encoding?>`);
4. a `<meta>` further behind, if there is text that is not ASCII (13.2.3.5);
5. the bytes: valid UTF-8 is UTF-8, ASCII with the escapes of ISO-2022-JP is that, other bytes are given to a
   statistical detection;
6. windows-1252, if the detection finds nothing.

UTF-8, the usual case, needs no decoding after `sniff_encoding`: the HTML parser takes these bytes as they are.
"""

from __future__ import annotations

import re
from itertools import islice

from selectolax.lexbor import LexborHTMLParser

from scraper.extract.links.depth_guard import is_too_deep
from scraper.extract.text.encodings import encoding_for_codec, encoding_for_label, python_codec
from scraper.extract.text.mime_type import extract_mime_type

# Bytes at the start of a page in which a declaration counts.
PRESCAN_BYTES = 1024
# Bytes of text with non-ASCII characters that are given to the detection.
SAMPLE_BYTES = 4096
# Rows of non-ASCII bytes that are examined, and how much a single letter in a word of ASCII counts against them.
MAX_EXAMINED_RUNS = 4_000
WESTERN_WEIGHT = 4
# With fewer non-ASCII letters the detection cannot tell Western from Central European texts: the first are more common.
MIN_LETTERS = 12
# A page is UTF-8 with a few errors, and not another encoding, if it has at least so many non-ASCII bytes per error.
MIN_BYTES_PER_ERROR = 20

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16be"), (b"\xff\xfe", "utf-16le"))
_HEADER_CHARSET_REGEX = re.compile(r"""[;,\s]charset\s*=\s*["']?([^"'\s;,]{1,40})""", re.IGNORECASE)
_META_CHARSET_REGEX = re.compile(rb"""charset[\s]*=[\s]*(?:"([^"]*)"|'([^']*)'|([^"'\s;][^\s;]*))""", re.IGNORECASE)
_XML_ENCODING_REGEX = re.compile(rb"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z0-9._:\-]{1,40})["']""")
_ATTRIBUTE_REGEX = re.compile(
    rb"""[\t\n\f\r /]*(?:>|([^\t\n\f\r />][^\t\n\f\r />=]*)"""
    rb"""(?:[\t\n\f\r ]*=[\t\n\f\r ]*("[^"]*"|'[^']*'|[^\t\n\f\r >]*))?)"""
)
_META_TAG_REGEX = re.compile(rb"<meta[\t\n\f\r /]", re.IGNORECASE)
_ANY_TAG_REGEX = re.compile(rb"</?[A-Za-z][^\t\n\f\r >]*")
_LATE_META_REGEX = re.compile(rb"<meta[\t\n\f\r /][^>]{0,1000}?charset", re.IGNORECASE)
# What letters of Central Europe become in windows-1252. U+FFFD: a byte that it does not have.
_SYMBOL_IN_WORD_REGEX = re.compile("[A-Za-z][\u00b3\u00b9\u00bf\u00a3\u00a5\u00b6\u00bc\u00be][a-z]|\ufffd")
_JAPANESE_ESCAPE_REGEX = re.compile(rb"\x1b(?:\$[@B]|\([BJI])")
_NON_ASCII_BYTES_REGEX = re.compile(rb"([\x80-\xff]+)")
_NON_ASCII_BYTES = bytes(range(0x80, 0x100))
# From a non-ASCII byte to the next delimiter, which cannot be part of a multi-byte character.
_NON_ASCII_RUN_REGEX = re.compile(rb"[\x80-\xff][^\n\r<>]{0,4095}")
# Up to the last byte that cannot be part of a multi-byte character.
_COMPLETE_CHARS_REGEX = re.compile(rb".*[ -/:;=?]", re.DOTALL)

# The encodings that the detection chooses from: those that pages without a declaration are really written in.
_CANDIDATE_CODECS = [
    *("cp1252", "cp1251", "cp932", "gb18030", "cp949", "cp1250", "cp1253", "big5hkscs", "big5", "euc_jp", "koi8_r"),
    *("cp1254", "cp1255", "cp1256", "cp1257", "cp874", "iso8859_2", "iso2022_jp"),
]
# Encodings for which the detection mistakes windows-1252.
_LATIN_CODECS = frozenset({"cp1250", "cp1254", "cp1257", "iso8859_2"})
_WESTERN_CODECS = ["cp1252", *sorted(_LATIN_CODECS)]


def sniff_encoding(data: bytes, content_type: str | None) -> str:
    """The encoding of the page `data`, by its name in the WHATWG Encoding standard, in lower case.

    `content_type` is the value of that header. Never raises. Takes microseconds, or about a millisecond if the page
    declares nothing and is not UTF-8.
    """
    for bom, name in _BOMS:
        if data.startswith(bom):
            return name
    if content_type:
        label = _header_charset(content_type)
        if label is not None and (declared := encoding_for_label(label)) is not None:
            return declared
    return declared_encoding(data[:PRESCAN_BYTES]) or _late_declaration(data) or _detect_encoding(data)


def _header_charset(content_type: str) -> str | None:
    media_type = extract_mime_type(content_type)
    if media_type is not None:
        return media_type.charset
    # It is no MIME type, but may still name the encoding: `text/html charset=gbk`.
    parameter = _HEADER_CHARSET_REGEX.search(content_type)
    return parameter[1] if parameter is not None else None


def sniff_and_decode(data: bytes, content_type: str | None) -> tuple[str, str]:
    """The text of the page `data`, and its encoding (see `sniff_encoding`).

    Bytes that are no character in that encoding become U+FFFD; a byte order mark is removed. Never raises.
    """
    name = sniff_encoding(data, content_type)
    return decode_as(data, name), name


def decode_as(data: bytes, name: str) -> str:
    """`data` decoded as the encoding `name`, without a byte order mark; malformed sequences become U+FFFD."""
    for bom, bom_name in _BOMS:
        if name == bom_name and data.startswith(bom):
            data = data[len(bom) :]
            break
    return data.decode(python_codec(name), "replace")


def declared_encoding(head: bytes) -> str | None:
    """The encoding that `head`, the beginning of a page, declares; None if it declares none (HTML, 13.2.3.2).

    Reads `<meta charset>`, `<meta http-equiv=content-type>` and an XML declaration. Comments and the attributes of
    other tags are skipped: what looks like a declaration there is none.
    """
    lowered = head.lower()
    if b"charset" not in lowered and b"encoding" not in lowered:
        return None
    # At each `<`, as in the standard's prescan: skip a comment, read a meta, skip another tag with its attributes, skip
    # a doctype or the like, or go on by one byte.
    at, end = 0, len(head)
    while 0 <= (at := head.find(b"<", at)) < end:
        if head.startswith(b"<!--", at):
            close = head.find(b"-->", at + 2)
            at = close + 3 if close >= 0 else end
        elif _META_TAG_REGEX.match(head, at):
            attributes, at = _parse_attributes(head, at + 5)
            if (declared := _meta_encoding(attributes)) is not None:
                return declared
        elif tag := _ANY_TAG_REGEX.match(head, at):
            _, at = _parse_attributes(head, tag.end())
        elif head[at + 1 : at + 2] in (b"!", b"/", b"?"):
            close = head.find(b">", at)
            at = close + 1 if close >= 0 else end
        else:
            at += 1
    xml = _XML_ENCODING_REGEX.match(head)
    return _encoding_for_declaration(xml[1]) if xml is not None else None


def _late_declaration(data: bytes) -> str | None:
    """What a `<meta>` behind the first bytes declares, wherever it stands; None if ASCII is all there is to decode."""
    if len(data) <= PRESCAN_BYTES or _LATE_META_REGEX.search(data, PRESCAN_BYTES) is None or data.isascii():
        return None
    if is_too_deep(data):
        return None
    # The parser knows what is a tag, and what only looks like one in a script or a comment.
    for node in LexborHTMLParser(data).css("meta"):
        attributes = {
            name.encode("utf-8", "replace"): (value or "").encode("utf-8", "replace")
            for name, value in node.attributes.items()
        }
        if (declared := _meta_encoding(attributes)) is not None:
            return declared
    return None


def _parse_attributes(head: bytes, at: int) -> tuple[dict[bytes, bytes], int]:
    """The attributes of a tag from `at` on (the first of equal names counts), and where the tag ends."""
    found: dict[bytes, bytes] = {}
    while (match := _ATTRIBUTE_REGEX.match(head, at)) is not None:
        at = match.end()
        if match[1] is None:
            break
        value = match[2] or b""
        if value[:1] in (b'"', b"'") and len(value) > 1:
            value = value[1:-1]
        found.setdefault(match[1].lower(), value)
    return found, at


def _meta_encoding(meta: dict[bytes, bytes]) -> str | None:
    if b"charset" in meta:
        return _encoding_for_declaration(meta[b"charset"])
    if meta.get(b"http-equiv", b"").lower() == b"content-type":
        match = _META_CHARSET_REGEX.search(meta.get(b"content", b""))
        if match is not None:
            return _encoding_for_declaration(match[1] or match[2] or match[3] or b"")
    return None


def _encoding_for_declaration(label: bytes) -> str | None:
    name = encoding_for_label(label.decode("latin-1"))
    # The declaration was found by its ASCII bytes, so the page cannot be UTF-16, whatever it says.
    return "utf-8" if name in {"utf-16le", "utf-16be"} else name


def _detect_encoding(data: bytes) -> str:
    if data.isascii():
        return "iso-2022-jp" if b"\x1b" in data and _is_iso_2022_jp(data) else "utf-8"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"
    non_ascii = len(data) - len(data.translate(None, _NON_ASCII_BYTES))
    if data.decode("utf-8", "replace").count("\ufffd") * MIN_BYTES_PER_ERROR <= non_ascii:
        return "utf-8"
    return _detect_legacy(data)


def _is_iso_2022_jp(data: bytes) -> bool:
    if _JAPANESE_ESCAPE_REGEX.search(data) is None:
        return False
    try:
        data.decode("iso2022_jp")
    except UnicodeDecodeError:
        return False
    return True


def _looks_western(data: bytes) -> bool:
    """Whether single letters that are not ASCII stand in words of ASCII letters, as in all languages of Western Europe.

    In other alphabets, and in encodings with several bytes a character, such bytes stand in rows.
    """
    single = in_rows = 0
    for run in islice(_NON_ASCII_BYTES_REGEX.finditer(data), MAX_EXAMINED_RUNS):
        if len(run[1]) > 1:
            in_rows += len(run[1])
        elif data[max(run.start() - 1, 0) : run.start()].isalpha() or data[run.end() : run.end() + 1].isalpha():
            single += 1
    return single * WESTERN_WEIGHT >= in_rows


def _trim_cut_character(run: bytes) -> bytes:
    """`run` without the half character that cutting it at `SAMPLE_BYTES` may have left at its end."""
    if len(run) < SAMPLE_BYTES:
        return run
    complete = _COMPLETE_CHARS_REGEX.match(run)
    # Without any delimiter, an even number of bytes: most multi-byte encodings use two a character.
    return complete[0] if complete is not None else run[: len(run) // 2 * 2]


def _detect_legacy(data: bytes) -> str:
    from charset_normalizer import from_bytes  # a slow import (0.1 s) that few crawls need

    # Only runs with non-ASCII bytes are sampled: markup and scripts say nothing about the encoding.
    sample = bytearray()
    for run in _NON_ASCII_RUN_REGEX.finditer(data):
        sample += _trim_cut_character(run[0]) + b"\n"
        if len(sample) >= SAMPLE_BYTES:
            break
    text = bytes(sample)
    codecs = _CANDIDATE_CODECS
    if _looks_western(data):
        codecs = _WESTERN_CODECS
        letters = len(text) - len(text.translate(None, _NON_ASCII_BYTES))
        if letters < MIN_LETTERS and _SYMBOL_IN_WORD_REGEX.search(text.decode("cp1252", "replace")) is None:
            return "windows-1252"
    matches = from_bytes(text, cp_isolation=codecs, enable_fallback=False)
    best = matches.best()
    if best is None:
        return "windows-1252"
    if best.encoding in _LATIN_CODECS and (
        any(match.encoding == "cp1252" and match.chaos <= best.chaos for match in matches)
        or text.decode("cp1252", "replace") == text.decode(best.encoding, "replace")
    ):
        # Western and Central European texts look alike to the detection. When windows-1252 fits as well, it is chosen:
        # it is far more common.
        return "windows-1252"
    return encoding_for_codec(best.encoding) or ("big5" if best.encoding == "big5" else "windows-1252")
