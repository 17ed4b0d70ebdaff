"""Finds what repeats on a page: the blocks that are one item each, and the fields inside them.

Elements of one kind (tag and classes) below parents of one kind are a group. The best group is large and rich: many
blocks, each with several texts, links and pictures, and not a menu. Inside, a field is what most of the blocks have;
it is named after its class where that can be read, and typed by what its texts look like.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from selectolax.lexbor import LexborNode

from scraper.explain.naming import TAG_NAMES, field_name, field_type
from scraper.extract.fields import visible_text
from scraper.extract.html import Document

MAX_ELEMENTS = 20_000
"""Elements of a page that are looked at."""
BLOCKS_READ = 20
"""Blocks of a group whose inside is looked at."""
INSIDE = 200
"""Elements of one block that are looked at."""
LOOKED_OVER = 500
"""Elements that a guessed selector finds which are compared with the group it is for."""
FEWEST = 3
"""Blocks that make a group."""
MOST_FIELDS = 12
COMMON = 0.6
"""Share of the blocks that must have a field."""
EXAMPLES = 2
TEXT_CHARS = 60

MENUS = frozenset({"nav", "header", "footer", "aside", "form"})
NEVER = frozenset({"script", "style", "option", "br", "meta", "link", "head", "path", "source", "noscript", "template"})
NAME = re.compile(r"-?[A-Za-z_][A-Za-z0-9_-]{0,40}")
MADE_UP = re.compile(r"(?=.*[0-9].*[A-Za-z].*[0-9]|.*[A-Z].*[0-9])|^(css|sc|jsx|svelte|_)-?[a-z0-9]{4,}$")
Signature = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Guess:
    """One guessed field: where it is, how it is read, and the first values it has on this page."""

    name: str
    css: str | None
    attr: str | None
    type: str
    examples: tuple[str, ...]
    share: float
    """How many of the blocks have it, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """A group of blocks: the selector that finds them, how many there are, and their fields."""

    each: str
    size: int
    fields: tuple[Guess, ...]
    score: float


def find_blocks(document: Document) -> list[Blocks]:
    """The groups that may be items, the best first, at most three."""
    groups: dict[tuple[Signature, Signature], list[LexborNode]] = {}
    for element in document.tree.css("body *")[:MAX_ELEMENTS]:
        parent = element.parent
        if parent is not None and element.tag not in NEVER:
            groups.setdefault((_signature(parent), _signature(element)), []).append(element)
    rated = [
        (rating, key, elements)
        for key, elements in groups.items()
        if len(elements) >= FEWEST and (rating := _rate(elements)) > 0
    ]
    rated.sort(key=lambda entry: -entry[0])
    found: list[Blocks] = []
    for rating, (parent_kind, kind), elements in rated[:6]:
        selector = _selector_for(document, parent_kind, kind)
        fields = find_fields(elements) if selector is not None else ()
        if selector is not None and len(fields) >= 2:
            found.append(Blocks(*selector, fields, rating))
    return found[:3]


def find_fields(blocks: Sequence[LexborNode]) -> tuple[Guess, ...]:
    """What most of `blocks` have inside."""
    blocks = blocks[:BLOCKS_READ]
    seen: Counter[tuple[str, str | None]] = Counter()
    order: dict[tuple[str, str | None], None] = {}
    for block in blocks:
        for place in dict.fromkeys(_places(block)):
            seen[place] += 1
            order.setdefault(place)
    guesses: list[Guess] = _own_attributes(blocks)
    taken: set[tuple[str, ...]] = set()
    names: Counter[str] = Counter(guess.name for guess in guesses)
    common = [place for place in order if seen[place] >= COMMON * len(blocks)]
    found = [(place, [value for block in blocks if (value := _read(block, *place))]) for place in common]
    # Of two links to the same page the one without parameters: they may be a session's.
    found.sort(key=lambda entry: entry[0][1] == "href" and any("?" in value for value in entry[1]))
    for (css, attr), values in found:
        # The same values again, from an element around or inside one that is taken already; and what never changes.
        identity = tuple(value.partition("?")[0] if attr == "href" else value for value in values)
        if not values or identity in taken or _says_nothing(css, attr, values) or len(guesses) >= MOST_FIELDS:
            continue
        taken.add(identity)
        guesses.append(_guess(css, attr, values, len(values) / len(blocks), names))
    return tuple(guesses)


def find_page_fields(document: Document) -> tuple[Guess, ...]:
    """Fields of a page that is one item: its heading, and what has a class of its own that can be read."""
    body = document.tree.body
    if body is None:
        return ()
    counts: Counter[str] = Counter()
    places: dict[tuple[str, str | None], None] = {}
    for element in document.tree.css("body *")[:MAX_ELEMENTS]:
        css = _local_selector(element, body)
        if css is None or element.tag in NEVER or element.tag == "a" or _in_menu(element):
            continue
        counts[css] += 1
        if element.tag == "h1" or "." in css or "[" in css:
            places.update(dict.fromkeys(_places_of(element, css)))
    names: Counter[str] = Counter()
    guesses: list[Guess] = []
    taken: set[tuple[str, ...]] = set()
    for css, attr in places:
        value = _read(body, css, attr)
        if counts[css] == 1 and value and len(value) < 400 and (value,) not in taken and len(guesses) < MOST_FIELDS:
            taken.add((value,))
            guesses.append(_guess(css, attr, [value], 1.0, names))
    return tuple(guesses)


def _signature(element: LexborNode) -> Signature:
    names = (element.attributes.get("class") or "").split()
    # Broken markup has tags that no selector can name.
    tag = element.tag if element.tag and NAME.fullmatch(element.tag) else "*"
    return tag, tuple(sorted(name for name in names if _readable(name))[:3])


def _readable(name: str) -> bool:
    return NAME.fullmatch(name) is not None and MADE_UP.search(name) is None


def _rate(elements: Sequence[LexborNode]) -> float:
    some = elements[:BLOCKS_READ]
    features, letters, linked = 0, 0, 0
    for element in some:
        places = set(_places(element))
        features += min(8, len(places))
        letters += min(300, len(visible_text(element)))
        linked += any(attr == "href" for _, attr in places)
    each = features / len(some)
    if each < 2 or letters / len(some) < 3 or _is_pairs(some) or _in_menu(some[0]) or some[0].tag in ("td", "th"):
        return 0.0
    rating = math.log2(len(elements) + 1) * each * (1 + letters / len(some) / 300)
    return rating if linked * 2 >= len(some) else 0.7 * rating


def _is_pairs(rows: Sequence[LexborNode]) -> bool:
    """Whether these are the rows of a table of names and values: one item together, not one each."""
    return all(row.tag == "tr" and len(row.css("th")) == 1 and len(row.css("td")) == 1 for row in rows)


def _in_menu(element: LexborNode) -> bool:
    node: LexborNode | None = element
    while node is not None:
        if node.tag in MENUS:
            return True
        node = node.parent
    return False


def _selector_for(document: Document, parent: Signature, kind: Signature) -> tuple[str, int] | None:
    """The shortest selector that finds this group and little else, and how many elements it finds."""
    own, above = _written(kind), _written(parent)
    candidates = [own, f"{above} > {own}"] if kind[1] else [f"{above} > {own}"]
    for css in candidates:
        found = document.tree.css(css)
        some = found[:LOOKED_OVER]
        ours = sum(1 for e in some if _signature(e) == kind and e.parent is not None and _signature(e.parent) == parent)
        if ours >= 0.8 * len(some) > 0:
            return css, len(found)
    return None


def _written(kind: Signature) -> str:
    return ".".join((kind[0], *kind[1][:2]))


def _places(block: LexborNode) -> Iterable[tuple[str, str | None]]:
    """Where in a block there are values: a selector inside it, and an attribute or None for the text."""
    for number, element in enumerate(block.css("*")):
        if number >= INSIDE:
            return
        if element.mem_id != block.mem_id and element.tag not in NEVER:
            css = _local_selector(element, block)
            if css is not None:
                yield from _places_of(element, css)


def _places_of(element: LexborNode, css: str) -> Iterable[tuple[str, str | None]]:
    attributes = element.attributes
    if element.tag == "img":
        if attributes.get("src"):
            yield css, "src"
        return
    if element.tag == "time" and attributes.get("datetime"):
        yield css, "datetime"
        return
    if element.tag == "meta" and attributes.get("content"):
        yield css, "content"
        return
    if _has_own_text(element):
        yield css, None
    if element.tag == "a" and attributes.get("href"):
        yield css, "href"


def _has_own_text(element: LexborNode) -> bool:
    return any(child.is_text_node and (child.text_content or "").strip() for child in element.iter(include_text=True))


def _local_selector(element: LexborNode, block: LexborNode) -> str | None:
    """How to find `element` inside its block: by what it is, its class, its tag, or its parent's class and its tag."""
    attributes, tag = element.attributes, element.tag or ""
    if (prop := attributes.get("itemprop")) and NAME.fullmatch(prop):
        return f"[itemprop={prop}]"
    names = [name for name in (attributes.get("class") or "").split() if _readable(name)]
    if names:
        return f"{tag}.{names[0]}" if tag in ("img", "a") else f".{names[0]}"
    parent = element.parent
    if tag in ("td", "th") and block.tag == "tr":
        return f"{tag}:nth-child({_place_among(element)})"
    if (
        parent is not None
        and parent.mem_id != block.mem_id
        and tag in ("a", "img", "span", "b", "strong", "em", "p", "i")
    ):
        above = [name for name in (parent.attributes.get("class") or "").split() if _readable(name)]
        if above:
            return f".{above[0]} {tag}"
        if parent.tag in TAG_NAMES and parent.tag != "a":
            return f"{parent.tag} {tag}"
    return tag if NAME.fullmatch(tag) and "-" not in tag else None


def _place_among(cell: LexborNode) -> int:
    place, before = 1, cell.prev
    while before is not None and place < INSIDE:
        place += before.tag in ("td", "th")
        before = before.prev
    return place


def _read(block: LexborNode, css: str, attr: str | None) -> str:
    element = block.css_first(css)
    if element is None:
        return ""
    return (element.attributes.get(attr) or "").strip() if attr else visible_text(element)


def _says_nothing(css: str, attr: str | None, values: Sequence[str]) -> bool:
    """Links within the page, signs alone, and what is written on every button."""
    if attr == "href":
        return all(value.startswith("#") for value in values)
    if not any(character.isalnum() for value in values for character in value):
        return True
    constant = len(set(values)) == 1 < len(values)
    return constant and css.split()[-1].split(".")[0] in ("a", "button", "label", "input")


def _own_attributes(blocks: Sequence[LexborNode]) -> list[Guess]:
    """Fields from `data-` attributes of the blocks themselves."""
    counts: Counter[str] = Counter()
    for block in blocks:
        counts.update(name for name in block.attributes if name.startswith("data-") and NAME.fullmatch(name))
    guesses: list[Guess] = []
    for name, number in counts.most_common(MOST_FIELDS // 2):
        values = [value for block in blocks if (value := (block.attributes.get(name) or "").strip())]
        if number >= COMMON * len(blocks) and values and max(map(len, values)) < 200:
            guesses.append(_guess(None, name, values, number / len(blocks), Counter(g.name for g in guesses)))
    return guesses


def _guess(css: str | None, attr: str | None, values: Sequence[str], share: float, names: Counter[str]) -> Guess:
    name, kind = field_name(css, attr), field_type(css, attr, values)
    names[name] += 1
    if names[name] > 1:
        name = f"{name}_{names[name]}"
    shown = tuple(value[:TEXT_CHARS] for value in list(dict.fromkeys(values))[:EXAMPLES])
    return Guess(name, css, attr, kind, shown, share)
