"""A bound on the time that building a page's tree can take.

For many tags the HTML standard makes a parser walk the whole stack of open elements, so a page of nothing but
`<div>` costs the square of its length: 100,000 of them, half a megabyte, take the parser eleven seconds. Before a page
with very many tags is parsed, its nesting is therefore estimated, in linear time, on its bytes. The estimate errs on
the high side for broken pages and knows nothing of foreign content; real pages stay a hundred times below the limit.
"""

from __future__ import annotations

import re

CHECKED_FROM = 8_000
"""Tags up to which no nesting can be slow."""
MAX_WORK = 60_000_000
"""Sum, over all tags, of the elements open there, beyond which a page is not parsed (about 0.2 s)."""

_RAW = rb"script|style|textarea|title|xmp|iframe|noembed|noframes"
_TAG = re.compile(
    rb"<!--.*?(?:-->|\Z)"
    rb"|<(?:" + _RAW + rb")(?=[\s/>])[^>]*+(?:>|\Z)"
    rb"|<(/?)([a-z][^\s/>]{0,30}+)(?:[^>\"']|\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))*+",
    re.IGNORECASE | re.DOTALL,
)
_RAW_END = re.compile(rb"</(?:" + _RAW + rb")(?=[\s/>])", re.IGNORECASE)
# Elements that cannot nest by themselves: void ones, and those whose next sibling ends them.
_FLAT = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li dt dd tr td th option".split()
)


def too_deep(markup: bytes) -> bool:
    """Whether parsing `markup` (bytes in an ASCII-compatible encoding) could take long because of its nesting."""
    if markup.count(b"<") <= CHECKED_FROM:
        return False
    open_now: dict[bytes, int] = {}
    depth = work = at = 0
    while (match := _TAG.search(markup, at)) is not None:
        at = match.end()
        name = match[2]
        if name is None:
            if markup[match.start() + 1] != 0x21:  # raw text: what looks like a tag in it is none
                end = _RAW_END.search(markup, at)
                at = end.start() if end is not None else len(markup)
            continue
        name = name.lower()
        work += depth
        if name in _FLAT:
            continue
        count = open_now.get(name, 0)
        if not match[1]:
            open_now[name] = count + 1
            depth += 1
        elif count:
            open_now[name] = count - 1
            depth -= 1
        if work > MAX_WORK:
            return True
    return False
