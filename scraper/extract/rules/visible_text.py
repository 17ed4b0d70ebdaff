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


# Stands between the digits of two elements in texts that are read as numbers: the invisible separator of Unicode.
ELEMENT_JOINT = "\u2063"


def digits_meet(parts: list[str], text: str) -> bool:
    """Whether the text before, the last of `parts`, ends with a digit and `text` begins with one."""
    before = next((part for part in reversed(parts) if part), "")
    return before[-1:].isdigit() and text[:1].isdigit()


def visible_text(element: LexborNode, charge: Callable[[int], None] = lambda _: None, joint: str = "") -> str:
    """The text of `element` without scripts and styles, blocks separated, white space collapsed.

    `charge` is called with the number of characters and elements read; it may raise to end the reading. `joint` is put
    where digits of two elements meet: `19<sup>99</sup>` is a price of 19.99, and no 1999.
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
    text_parent = 0  # of the text before, by its address
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
                if joint:
                    address = 0 if parent is None else parent.mem_id
                    if text_parent != address and digits_meet(parts, text):
                        parts.append(joint)
                    text_parent = address
                parts.append(text)
        else:
            charge(1)
    return " ".join("".join(parts).split())
