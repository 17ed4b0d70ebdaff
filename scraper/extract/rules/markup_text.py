"""Texts that hold markup: entities and tags inside JSON-LD, JSON and attributes."""

from __future__ import annotations

import html
import re

from selectolax.lexbor import LexborHTMLParser

from scraper.extract.rules.visible_text import visible_text

# Only with a semicolon: an address with ?a=1&copy=2 holds no copyright sign.
ENTITY_REGEX = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# Tags that stand in texts. Others may be what a text is about: <your name>.
TAG_REGEX = re.compile(
    r"</?(?:a|abbr|b|blockquote|br|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|q|s|small|span|strong|sub|sup|table|tbody"
    r"|td|th|tr|u|ul)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)


def decode_entities(text: str) -> str:
    """`text` with its entities decoded once: `&amp;amp;` becomes `&amp;`."""
    return ENTITY_REGEX.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text


def markup_to_text(text: str) -> str:
    """`text`, a piece of HTML, as a page would show it: without tags, entities decoded, blocks set apart."""
    body = LexborHTMLParser(text).body
    return "" if body is None else visible_text(body)
