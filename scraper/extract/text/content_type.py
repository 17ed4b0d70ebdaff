"""Whether a response is HTML, JSON or text, by its Content-Type or its first bytes.

Sections are those of WHATWG MIME Sniffing.
"""

from __future__ import annotations

import re

from scraper.extract.text.charset import decode_as, sniff_encoding
from scraper.model import Response

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
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


def is_html(content_type: str | None, page: Response) -> bool:
    """Whether `page` is read as HTML: by its type, or by its first bytes if there is none or it says nothing."""
    essence = _essence(content_type)
    if essence in HTML_TYPES:
        return True
    return essence in UNKNOWN_TYPES and HTML_START_REGEX.match(page.body.read()[:SNIFF_BYTES]) is not None


def is_json(content_type: str | None) -> bool:
    """Whether a content type is one of JSON (section 4.6)."""
    essence = _essence(content_type)
    return essence in ("application/json", "text/json") or essence.endswith("+json")


def is_text(content_type: str | None) -> bool:
    """Whether a content type is one of text: `text/*`, XML, scripts."""
    essence = _essence(content_type)
    return essence.startswith("text/") or essence.endswith("+xml") or essence in OTHER_TEXT_TYPES


def decode_page(page: Response, content_type: str | None) -> str:
    """The body as text, without a byte order mark."""
    body = page.body.read()
    return decode_as(body, sniff_encoding(body, content_type)).removeprefix("\ufeff")


def _essence(content_type: str | None) -> str:
    """The type without its parameters, in lower case."""
    return (content_type or "").partition(";")[0].strip().lower()
