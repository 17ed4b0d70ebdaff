"""Limits the time that parsing a page can take because of its nesting.

For many tags the HTML standard makes a parser walk the whole stack of open elements. A page of nothing but `<div>`
therefore takes time in proportion to the square of its length: 100,000 of them (half a megabyte) take eleven seconds.
So before a page with many tags is parsed, its nesting is estimated on its bytes, in linear time. The estimate is too
high for broken pages and ignores the special rules of SVG and MathML; real pages stay a hundred times below the limit.
"""

from __future__ import annotations

import re

# With so few tags no nesting is slow, and the check is skipped.
MAX_UNCHECKED_TAGS = 8_000
# Elements open at a tag, summed over all tags: the steps of the parser. With more a page is not parsed (about 0.2 s).
MAX_STACK_STEPS = 60_000_000

_TAG_NAME = rb"([a-z][^\s/>]{0,30}+)"
_TAG_ATTRIBUTES = rb"[^>\"']*+(?:(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))[^>\"']*+)*+"
# A start tag; if its element holds only text, which is most common, with the text and the end tag: one match for two.
_START_TAG = _TAG_NAME + _TAG_ATTRIBUTES + rb"(>[^<]*+</\1>)?+"
_END_TAG = rb"/" + _TAG_NAME + _TAG_ATTRIBUTES
_COMMENT = rb"!--.*?(?:-->|\Z)"
_TAG_REGEX = re.compile(
    rb"<(?:" + rb"|".join((_START_TAG, _END_TAG, _COMMENT)) + rb")",
    re.IGNORECASE | re.DOTALL,
)
# Elements whose content is text for the parser, whatever it looks like.
_RAW_TEXT_TAGS = frozenset(b"script style textarea title xmp iframe noembed noframes".split())
_RAW_TEXT_END_REGEX = re.compile(rb"</(?:" + b"|".join(sorted(_RAW_TEXT_TAGS)) + rb")(?=[\s/>])", re.IGNORECASE)
# Elements that are never inside each other: those without content, and those that end when the next one begins.
_NEVER_NESTED_TAGS = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li dt dd tr td th option".split()
)


def is_too_deep(markup: bytes) -> bool:
    """Whether `markup`, in an ASCII-compatible encoding, could take long to parse because of its nesting."""
    if markup.count(b"<") <= MAX_UNCHECKED_TAGS:
        return False
    open_count: dict[bytes, int] = {}  # by tag name
    depth = steps = 0
    position: int | None = 0
    while position is not None:
        start, position = position, None
        for match in _TAG_REGEX.finditer(markup, start):
            opened, only_text, closed = match.groups()
            if only_text is not None:
                steps += 2 * depth + 1
            elif opened is not None:
                opened = opened.lower()
                if opened in _RAW_TEXT_TAGS:  # go on behind it
                    end = _RAW_TEXT_END_REGEX.search(markup, match.end())
                    position = end.start() if end is not None else None
                    break
                steps += depth
                if opened not in _NEVER_NESTED_TAGS:
                    open_count[opened] = open_count.get(opened, 0) + 1
                    depth += 1
            elif closed is not None:
                steps += depth
                closed = closed.lower()
                if count := open_count.get(closed, 0):
                    open_count[closed] = count - 1
                    depth -= 1
            if steps > MAX_STACK_STEPS:
                return True
    return False
