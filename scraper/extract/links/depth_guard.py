"""A bound on the time that building a page's tree can take.

For many tags the HTML standard makes a parser walk the whole stack of open elements, so a page of nothing but
`<div>` costs the square of its length: 100,000 of them, half a megabyte, take the parser eleven seconds. Before a page
with very many tags is parsed, its nesting is therefore estimated, in linear time, on its bytes. The estimate errs on
the high side for broken pages and knows nothing of foreign content; real pages stay a hundred times below the limit.

Large pages are common (an index, a manual on one page) and pay for every tag, so an element that holds text alone,
which most do, is taken in one step with its end tag.
"""

from __future__ import annotations

import re

# Tags up to which no nesting can be slow.
MAX_UNCHECKED_TAGS = 8_000
# Sum, over all tags, of the elements open there, beyond which a page is not parsed (about 0.2 s).
MAX_STACK_STEPS = 60_000_000

_TAG_NAME = rb"([a-z][^\s/>]{0,30}+)"
_TAG_ATTRIBUTES = rb"[^>\"']*+(?:(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))[^>\"']*+)*+"
_TAG_REGEX = re.compile(
    rb"<(?:"
    + _TAG_NAME
    + _TAG_ATTRIBUTES
    + rb"(>[^<]*+</\1>)?+|/"
    + _TAG_NAME
    + _TAG_ATTRIBUTES
    + rb"|!--.*?(?:-->|\Z))",
    re.IGNORECASE | re.DOTALL,
)
_RAW_TEXT_TAGS = frozenset(b"script style textarea title xmp iframe noembed noframes".split())
_RAW_TEXT_END_REGEX = re.compile(rb"</(?:" + b"|".join(sorted(_RAW_TEXT_TAGS)) + rb")(?=[\s/>])", re.IGNORECASE)
# Elements that cannot nest by themselves: void ones, and those whose next sibling ends them.
_NEVER_NESTED_TAGS = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li dt dd tr td th option".split()
)


def is_too_deep(markup: bytes) -> bool:
    """Whether parsing `markup` (bytes in an ASCII-compatible encoding) could take long because of its nesting."""
    if markup.count(b"<") <= MAX_UNCHECKED_TAGS:
        return False
    open_now: dict[bytes, int] = {}
    depth = work = 0
    at: int | None = 0
    while at is not None:
        start, at = at, None
        for match in _TAG_REGEX.finditer(markup, start):
            opened, only_text, closed = match.groups()
            if only_text is not None:
                work += 2 * depth + 1
            elif opened is not None:
                opened = opened.lower()
                if opened in _RAW_TEXT_TAGS:  # what looks like a tag in it is none
                    end = _RAW_TEXT_END_REGEX.search(markup, match.end())
                    at = end.start() if end is not None else None
                    break
                work += depth
                if opened not in _NEVER_NESTED_TAGS:
                    open_now[opened] = open_now.get(opened, 0) + 1
                    depth += 1
            elif closed is not None:
                work += depth
                closed = closed.lower()
                if count := open_now.get(closed, 0):
                    open_now[closed] = count - 1
                    depth -= 1
            if work > MAX_STACK_STEPS:
                return True
    return False
