"""Selects elements by CSS, as the Selectors standard says where the parser's own engine does not.

The engine differs in three ways:

1. A selector list gives an element once for each selector that matches. Here: once, in document order.
2. `[href]` matches an `xlink:href`, and so do the other attributes that SVG and MathML write with a prefix. Here it
   does not, unless a compound of an ancestor or a pseudo-class asks for it.
3. Some pseudo-classes match what they should not. Those are refused: see css_support.py.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

# Attributes that the HTML parser puts into a namespace inside SVG and MathML (HTML standard, 13.2.6.1).
PREFIXED_ATTRIBUTES = {
    name: f"xlink:{name}" for name in ("actuate", "arcrole", "href", "role", "show", "title", "type")
} | {
    "lang": "xml:lang",
    "space": "xml:space",
}

_STRING_REGEX = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
_ATTRIBUTE_REGEX = re.compile(r"\[\s*([\w-]+)")


class SelectorTraits(NamedTuple):
    """What the engine does not do for a selector.

    `is_list`: it may give an element twice. `parts`: the selectors of the list, each with the attributes that its last
    compound asks for and that may have a prefix; empty if none asks for one.
    """

    is_list: bool
    parts: tuple[tuple[str, tuple[str, ...]], ...]


def select(node: LexborNode | LexborHTMLParser, css: str) -> list[LexborNode]:
    """The elements in `node` that `css` matches, each once, in document order. `css` is a checked selector."""
    found: list[LexborNode] = node.css(css)
    traits = traits_of(css)
    if traits.is_list and len(found) > 1:
        # Of one element all results are beside each other, but not of every parser's version.
        found = list({element.mem_id: element for element in found}.values())
    if traits.parts:
        found = [element for element in found if _really_matches(element, traits.parts)]
    return found


def select_first(node: LexborNode | LexborHTMLParser, css: str) -> LexborNode | None:
    """The first element in `node` that `css` matches, in document order."""
    if traits_of(css).parts:
        found = select(node, css)
        return found[0] if found else None
    return node.css_first(css)


@lru_cache(maxsize=1024)
def traits_of(css: str) -> SelectorTraits:
    """The traits of a checked selector."""
    # Strings may hold any character; their places are kept, so that the parts can be cut out of `css` itself.
    bare = _STRING_REGEX.sub(lambda found: "_" * len(found[0]), css)
    parts, start, depth = [], 0, 0
    compound_start = 0
    for index, char in enumerate(bare + ","):
        if char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif depth == 0 and char in " >+~\t\n" and bare[index:].strip(" >+~\t\n")[:1] not in ("", ","):
            compound_start = index + 1
        elif depth == 0 and char == ",":
            names = _ATTRIBUTE_REGEX.findall(re.sub(r"\([^()]*\)", "", bare[compound_start:index]))
            prefixed = tuple(name for name in map(str.lower, names) if name in PREFIXED_ATTRIBUTES)
            parts.append((css[start:index].strip(), prefixed))
            start = compound_start = index + 1
    return SelectorTraits(len(parts) > 1, tuple(parts) if any(names for _, names in parts) else ())


def _really_matches(element: LexborNode, parts: tuple[tuple[str, tuple[str, ...]], ...]) -> bool:
    attributes = element.attributes
    for part, names in parts:
        if all(name in attributes or PREFIXED_ATTRIBUTES[name] not in attributes for name in names) and (
            len(parts) == 1 or element.css_matches(part)
        ):
            return True
    return False
