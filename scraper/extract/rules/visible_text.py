"""The text of an element as a reader sees it."""

from __future__ import annotations

from collections.abc import Callable

from selectolax.lexbor import LexborNode

INVISIBLE_TAGS = frozenset({"script", "style", "noscript"})
# Elements that stand on lines of their own: their texts are separated by a space, so that `<li>a<li>b` is not "ab".
BLOCK_TAGS = frozenset(
    {
        "address", "article", "aside", "blockquote", "br", "dd", "details", "dialog", "div", "dl", "dt", "fieldset",
        "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main",
        "nav", "ol", "option", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr",
        "ul",
    }
)  # fmt: skip


def visible_text(element: LexborNode, charge: Callable[[int], None] = lambda _: None) -> str:
    """The text of `element` without scripts and styles, blocks separated, white space collapsed.

    `charge` is called with the number of characters and elements read; it may raise to end the reading.
    """
    # 1. No content.
    first = element.first_child
    if first is None:
        return ""
    # 2. Only text: the usual case, and much faster than a walk.
    if first.next is None and first.is_text_node:
        text = first.text_content or ""
        charge(len(text))
        return " ".join(text.split())
    # 3. Elements inside: walk over them, with a space before and behind each block.
    parts: list[str] = []
    for node in element.traverse(include_text=True):
        tag = node.tag
        previous = node.prev
        if tag in BLOCK_TAGS or (previous is not None and previous.tag in BLOCK_TAGS):
            parts.append(" ")
        if tag == "-text":
            parent = node.parent
            if parent is None or parent.tag not in INVISIBLE_TAGS:
                text = node.text_content or ""
                charge(len(text) + 1)
                parts.append(text)
        else:
            charge(1)
    return " ".join("".join(parts).split())
