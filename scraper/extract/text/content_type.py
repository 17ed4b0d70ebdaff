"""Whether a response is HTML, XHTML, JSON or text, by its Content-Type or, if that says nothing, by its first bytes.

Sections are those of WHATWG MIME Sniffing.
"""

from __future__ import annotations

import re

from scraper.extract.text.charset import decode_as, sniff_encoding
from scraper.extract.text.mime_type import extract_mime_type
from scraper.model import Response

XHTML_TYPE = "application/xhtml+xml"
HTML_TYPES = frozenset({"text/html", XHTML_TYPE})
XML_TYPES = frozenset({"text/xml", "application/xml"})
OTHER_TEXT_TYPES = frozenset({"application/xml", "application/javascript", "application/x-ndjson"})
# Content types that say nothing (section 7): the body is examined instead.
UNKNOWN_TYPES = frozenset({"", "unknown/unknown", "application/unknown", "*/*"})
# Bytes of a body that are examined (section 5.2).
SNIFF_BYTES = 1445
# A body that begins with one of these tags is HTML (section 7.1).
HTML_START_REGEX = re.compile(
    rb"(?:\xef\xbb\xbf)?[\t\n\x0c\r ]*(?:<!--|<(?:!doctype\x20html|html|head|script|iframe|h1|div|font|table|a|style|"
    rb"title|b|body|br|p)[\x20>])",
    re.IGNORECASE,
)
# XML whose root element is `html`: a browser shows it as XHTML.
_XHTML_START_REGEX = re.compile(
    rb"(?:\xef\xbb\xbf)?[\t\n\r ]*(?:(?:<\?.*?\?>|<!--.*?-->|<!doctype[^>\[]*>)[\t\n\r ]*)*+"
    rb"<(?:[A-Za-z][\w.-]{0,40}:)?html[\t\n\r ][^>]*http://www\.w3\.org/1999/xhtml",
    re.DOTALL,
)
_XML_DECLARATION_REGEX = re.compile(rb"(?:\xef\xbb\xbf)?[\t\n\x0c\r ]*<\?xml")
_DOCTYPE_REGEX = re.compile(rb"(?i)<!doctype")
_UTF16_MARKS = (b"\xfe\xff", b"\xff\xfe")
# Bytes that no text has (section 3, "binary data byte").
_BINARY_BYTES = bytes([*range(9), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)])


def content_type_of(page: Response) -> str | None:
    """The Content-Type of `page`; several fields are one list, as the Fetch standard reads them. None without any."""
    values = page.headers.get_all("content-type")
    return ", ".join(values) if values else None


def media_type(content_type: str | None, page: Response | None = None) -> str:
    """The type by which `page` is read, in lower case and without parameters.

    That is the essence of `content_type`. If it says nothing, it is what the body looks like: `text/html`, `text/xml`,
    `text/plain`, or `application/octet-stream` for bytes that no text has; without a `page`, it is empty then.
    """
    declared = extract_mime_type(content_type)
    essence = declared.essence if declared is not None else ""
    if essence not in UNKNOWN_TYPES:
        return essence
    return _sniff_type(page.body.read()[:SNIFF_BYTES]) if page is not None else ""


def is_html(content_type: str | None, page: Response) -> bool:
    """Whether `page` is read as HTML or XHTML: by its type, or by its first bytes if there is none or it says nothing.

    XML is if its root element is that of XHTML.
    """
    essence = media_type(content_type, page)
    return essence in HTML_TYPES or (essence in XML_TYPES and _starts_as_xhtml(page))


def is_xhtml(content_type: str | None, page: Response) -> bool:
    """Whether `page` is HTML that XML's rules apply to."""
    essence = media_type(content_type, page)
    return essence == XHTML_TYPE or (essence in XML_TYPES and _starts_as_xhtml(page))


def is_json(content_type: str | None, page: Response | None = None) -> bool:
    """Whether a content type is one of JSON (section 4.6)."""
    essence = media_type(content_type, page)
    return essence in ("application/json", "text/json") or essence.endswith("+json")


def is_text(content_type: str | None, page: Response | None = None) -> bool:
    """Whether a content type is one of text: `text/*`, XML, scripts. If it says nothing, the bytes of `page` do."""
    essence = media_type(content_type, page)
    return essence.startswith("text/") or essence.endswith("+xml") or essence in OTHER_TEXT_TYPES


def looks_like_html(page: Response) -> bool:
    """Whether the body of `page` begins with a tag of HTML, whatever its type."""
    return HTML_START_REGEX.match(page.body.read()[:SNIFF_BYTES]) is not None


def decode_page(page: Response, content_type: str | None) -> str:
    """The body as text, without a byte order mark."""
    body = page.body.read()
    return decode_as(body, sniff_encoding(body, content_type)).removeprefix("\ufeff")


def _sniff_type(head: bytes) -> str:
    # Section 7.1 without images, archives and the like, which are all not read. A byte order mark of UTF-16 means text.
    if HTML_START_REGEX.match(head) is not None:
        return "text/html"
    if _XML_DECLARATION_REGEX.match(head) is not None:
        return "text/xml"
    if head.startswith(_UTF16_MARKS):
        return "text/plain"
    return "text/plain" if len(head.translate(None, _BINARY_BYTES)) == len(head) else "application/octet-stream"


def _starts_as_xhtml(page: Response) -> bool:
    head = page.body.read()[:SNIFF_BYTES]
    return _XHTML_START_REGEX.match(_DOCTYPE_REGEX.sub(b"<!doctype", head)) is not None
