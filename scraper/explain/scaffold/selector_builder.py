"""How the elements of a page are told apart, and selectors that find them again."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborNode

from scraper.explain.scaffold.field_names import NAME_BY_TAG
from scraper.extract.links.document import Document

# Elements that a guessed selector finds which are compared with the group it is for.
MAX_MATCHES_CHECKED = 500
# Elements of one block that are looked at.
MAX_INNER_ELEMENTS = 200
# How far up from an element something is looked for that has a name.
MAX_ANCESTORS = 4
# Classes that tell of an element's place or state, and not of its kind.
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
# What an element is: its tag, and its classes that can be read.
Signature = tuple[str, tuple[str, ...]]


def signature(element: LexborNode) -> Signature:
    """What `element` is: elements that share it, below parents that share theirs, are of one kind."""
    # Broken markup has tags that no selector can name.
    tag = element.tag if element.tag and SELECTOR_NAME.fullmatch(element.tag) else "*"
    if tag == "tr":
        return tag, ()  # the classes of rows tell of stripes and groups
    if tag == "table" and is_readable_name(identity := element.attributes.get("id") or ""):
        return tag, (f"#{identity}",)
    return tag, tuple(sorted(_kind_classes(element)[:3]))  # the first ones: labels and topics come last


def _kind_classes(element: LexborNode) -> list[str]:
    """The classes of `element` that tell of its kind."""
    names = (element.attributes.get("class") or "").split()
    return [
        name
        for name in names
        if is_readable_name(name) and name.lower() not in STATE_CLASSES and not NUMBERED_CLASS.search(name)
    ]


def is_readable_name(name: str) -> bool:
    """Whether a class or id was named by somebody, and can stand in a selector."""
    return SELECTOR_NAME.fullmatch(name) is not None and GENERATED_NAME.search(name) is None


def is_in_menu(element: LexborNode) -> bool:
    """Whether an element stands in a page's navigation, head or foot."""
    node: LexborNode | None = element
    while node is not None:
        if node.tag in MENU_TAGS:
            return True
        node = node.parent
    return False


def container_of(element: LexborNode) -> LexborNode | None:
    """What holds `element` and its like: its parent; of a row its table, which may have heads and bodies between."""
    node = element.parent
    while element.tag == "tr" and node is not None and node.tag in ("tbody", "thead", "tfoot"):
        node = node.parent
    return node


def selector_for(document: Document, example: LexborNode) -> tuple[str, int] | None:
    """The shortest selector that finds the group of `example` and little else, and how many elements it finds."""
    kind, held = signature(example), container_of(example)
    if held is None:
        return None
    parent = signature(held)
    own, joint = selector_of(kind), " " if kind[0] == "tr" else " > "
    below = f"{selector_of(parent)}{joint}{own}"
    candidates = [own, below] if kind[1] else [below]
    candidates += [f"{around} {own}" for around in _ancestor_selectors(example)]
    if held.parent is not None:
        candidates.append(f"{selector_of(signature(held.parent))} > {below}")
    for css in candidates:
        found = document.tree.css(css)
        some = found[:MAX_MATCHES_CHECKED]
        if sum(1 for one in some if _is_same_kind(one, kind, parent)) >= 0.8 * len(some) > 0:
            return css, len(found)
    return None


def _is_same_kind(element: LexborNode, kind: Signature, parent: Signature) -> bool:
    held = container_of(element)
    return held is not None and signature(element) == kind and signature(held) == parent and not is_in_menu(element)


def _ancestor_selectors(element: LexborNode) -> Iterator[str]:
    """Selectors of what `element` stands in, the nearest first, where they have an id or a class."""
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
    """The selector of one kind of element."""
    return kind[0] + "".join(name if name.startswith("#") else f".{name}" for name in kind[1][:2])


def local_selector(element: LexborNode, block: LexborNode) -> str | None:
    """How to find `element` inside its block: by what it is, its class, its tag, or its parent's class and its tag."""
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
        above = _kind_classes(parent)
        if above:
            return f".{above[0]} {tag}"
        if parent.tag in NAME_BY_TAG and parent.tag != "a":
            return f"{parent.tag} {tag}"
    return tag if SELECTOR_NAME.fullmatch(tag) and "-" not in tag else None


def _cell_number(cell: LexborNode) -> int:
    place, before = 1, cell.prev
    while before is not None and place < MAX_INNER_ELEMENTS:
        place += before.tag in ("td", "th")
        before = before.prev
    return place
