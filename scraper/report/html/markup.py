"""Build HTML that is safe from injection: every string is escaped unless it is `Markup` made here.

Titles, URLs and items of pages may be hostile. `tag` escapes everything that is not `Markup`, attributes included, so
that it is impossible to forget.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_VOID_ELEMENTS = frozenset({"meta", "br", "rect", "line"})


class Markup(str):
    """A string that is HTML already. Make it with the functions of this module."""

    __slots__ = ()


Child = str | int | None


def tag(name: str, /, *children: Child | Iterable[Child], **attributes: str | float | None) -> Markup:
    """An element. In attribute names a trailing underscore is removed and others become hyphens; None omits one."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape_text(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = join(*children)
    if name in _VOID_ELEMENTS and not inner:
        return Markup(f"<{name}{shown}>" if name in ("meta", "br") else f"<{name}{shown}/>")
    return Markup(f"<{name}{shown}>{inner}</{name}>")


def join(*children: Child | Iterable[Child]) -> Markup:
    """Strings and markup, concatenated."""
    parts: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, str | int):
            parts.append(child if isinstance(child, Markup) else escape_text(str(child)))
        else:
            parts.append(join(*child))
    return Markup("".join(parts))


def escape_text(text: str) -> Markup:
    """A string, escaped. Invisible characters that reorder or hide text (bidi overrides, controls) become U+FFFD."""
    return Markup(escape(_INVISIBLE.sub("\ufffd", text), quote=True))


def link(href: str, limit: int = 300) -> Markup:
    """A link to an http or https URL; any other URL (`javascript:`) as plain text."""
    shown = href if len(href) <= limit else href[: limit - 1] + "…"
    # Browsers would run `javascript:` and open `data:` URLs.
    if not href.startswith(("http://", "https://")):
        return escape_text(shown)
    return tag("a", shown, href=href[:4_000], rel="noreferrer noopener")
