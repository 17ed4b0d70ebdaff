"""Signatures that group similar elements, and CSS selectors that match such a group."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborNode

from scraper.explain.scaffold.field_names import NAME_BY_TAG
from scraper.extract.links.document import Document

# Matches of a guessed selector that are compared with the elements it is meant for.
MAX_MATCHES_CHECKED = 500
# Elements of one block that are read.
MAX_INNER_ELEMENTS = 200
# Ancestors of an element that are searched for an id or class.
MAX_ANCESTORS = 4
# Classes for an element's position or state: they do not tell what kind of element it is.
STATE_CLASSES = frozenset(
    {
        "odd", "even", "first", "last", "alt", "active", "current", "selected", "hidden", "visible", "open", "new",
        "unread", "sticky",
    }
)  # fmt: skip
NUMBERED_CLASS = re.compile(r"[-_][0-9]+$")
MENU_TAGS = frozenset({"nav", "header", "footer", "aside", "form"})
SELECTOR_NAME = re.compile(r"-?[A-Za-z_][A-Za-z0-9_-]{0,40}")
GENERATED_NAME = re.compile(r"(?=.*[0-9].*[A-Za-z].*[0-9]|.*[A-Z].*[0-9])|^(css|sc|jsx|svelte|_)-?[a-z0-9]{4,}$")
# The tag of an element and its meaningful classes.
Signature = tuple[str, tuple[str, ...]]


def signature(element: LexborNode) -> Signature:
    """The signature of `element`: elements with the same one, in containers with the same one, are of one kind."""
    # Broken markup has tag names that are invalid in a selector.
    tag = element.tag if element.tag and SELECTOR_NAME.fullmatch(element.tag) else "*"
    if tag == "tr":
        return tag, ()  # classes of rows are for stripes and groups
    if tag == "table" and is_readable_name(identity := element.attributes.get("id") or ""):
        return tag, (f"#{identity}",)
    return tag, tuple(
        sorted(_kind_classes(element)[:3])
    )  # three at most: classes for labels and topics mostly come last


def _kind_classes(element: LexborNode) -> list[str]:
    """The classes of `element` that tell what kind it is: not generated, not a state, not numbered."""
    names = (element.attributes.get("class") or "").split()
    return [
        name
        for name in names
        if is_readable_name(name) and name.lower() not in STATE_CLASSES and not NUMBERED_CLASS.search(name)
    ]


def is_readable_name(name: str) -> bool:
    """Whether a class or id looks written by a person rather than generated, and is valid in a selector."""
    return SELECTOR_NAME.fullmatch(name) is not None and GENERATED_NAME.search(name) is None


def is_in_menu(element: LexborNode) -> bool:
    """Whether an element is in the navigation, header, footer, sidebar or a form of the page."""
    node: LexborNode | None = element
    while node is not None:
        if node.tag in MENU_TAGS:
            return True
        node = node.parent
    return False


def container_of(element: LexborNode) -> LexborNode | None:
    """The parent of `element`; for a table row the table, so that rows of thead and tbody have one container."""
    node = element.parent
    while element.tag == "tr" and node is not None and node.tag in ("tbody", "thead", "tfoot"):
        node = node.parent
    return node


def selector_for(document: Document, example: LexborNode) -> tuple[str, int] | None:
    """The shortest selector that matches the elements like `example` and few others, and its number of matches.

    At least 80 % of its matches must be of that kind; None when no candidate is that precise.
    """
    kind, container = signature(example), container_of(example)
    if container is None:
        return None
    parent = signature(container)
    own, combinator = selector_of(kind), " " if kind[0] == "tr" else " > "
    child_selector = f"{selector_of(parent)}{combinator}{own}"
    candidates = [own, child_selector] if kind[1] else [child_selector]
    candidates += [f"{ancestor} {own}" for ancestor in _ancestor_selectors(example)]
    if container.parent is not None:
        candidates.append(f"{selector_of(signature(container.parent))} > {child_selector}")
    for css in candidates:
        found = document.tree.css(css)
        sample = found[:MAX_MATCHES_CHECKED]
        if sum(1 for one in sample if _is_same_kind(one, kind, parent)) >= 0.8 * len(sample) > 0:
            return css, len(found)
    return None


def _is_same_kind(element: LexborNode, kind: Signature, parent: Signature) -> bool:
    container = container_of(element)
    return (
        container is not None
        and signature(element) == kind
        and signature(container) == parent
        and not is_in_menu(element)
    )


def _ancestor_selectors(element: LexborNode) -> Iterator[str]:
    """Selectors of the ancestors of `element` that have an id or class, the nearest first."""
    node = element.parent
    for _ in range(MAX_ANCESTORS):
        if node is None or node.tag in ("body", "html"):
            return
        identity = node.attributes.get("id") or ""
        if is_readable_name(identity):
            yield f"{node.tag}#{identity}"
        if (kind := signature(node))[1]:
            yield selector_of(kind)
        node = node.parent


def selector_of(kind: Signature) -> str:
    """The CSS selector for a signature."""
    return kind[0] + "".join(name if name.startswith("#") else f".{name}" for name in kind[1][:2])


def local_selector(element: LexborNode, block: LexborNode) -> str | None:
    """A selector for `element` inside its block; None when only its position tells it apart.

    In this order: itemprop, class, column of a table row, the parent's class or tag and its own tag, its tag.
    """
    attributes, tag = element.attributes, element.tag or ""
    if (prop := attributes.get("itemprop")) and SELECTOR_NAME.fullmatch(prop):
        return f"[itemprop={prop}]"
    names = _kind_classes(element)
    if names:
        return f"{tag}.{names[0]}" if tag in ("img", "a") else f".{names[0]}"
    parent = element.parent
    if tag in ("td", "th") and block.tag == "tr":
        return f"{tag}:nth-child({_cell_number(element)})"
    if (
        parent is not None
        and parent.mem_id != block.mem_id
        and tag in ("a", "img", "span", "b", "strong", "em", "p", "i")
    ):
        parent_classes = _kind_classes(parent)
        if parent_classes:
            return f".{parent_classes[0]} {tag}"
        if parent.tag in NAME_BY_TAG and parent.tag != "a":
            return f"{parent.tag} {tag}"
    return tag if SELECTOR_NAME.fullmatch(tag) and "-" not in tag else None


def _cell_number(cell: LexborNode) -> int:
    number, before = 1, cell.prev
    while before is not None and number < MAX_INNER_ELEMENTS:
        number += before.tag in ("td", "th")
        before = before.prev
    return number
