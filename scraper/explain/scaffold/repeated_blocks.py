"""Finds what repeats on a page: the blocks that are one item each, and the fields inside them.

Elements of one kind (tag and classes) below parents of one kind are a group. The best group is large and rich: many
blocks, each with several texts, links and pictures, and not a menu. Inside, a field is what most of the blocks have;
it is named after its class where that can be read, and typed by what its texts look like.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from selectolax.lexbor import LexborNode

from scraper.explain.scaffold.field_names import field_name, field_type, unique_name
from scraper.explain.scaffold.selector_builder import (
    MAX_INNER_ELEMENTS,
    SELECTOR_NAME,
    Signature,
    container_of,
    is_in_menu,
    local_selector,
    selector_for,
    signature,
)
from scraper.extract.links.document import Document
from scraper.extract.rules.visible_text import visible_text

MAX_ELEMENTS = 20_000
"""Elements of a page that are looked at."""
MAX_BLOCKS_READ = 20
"""Blocks of a group whose inside is looked at."""
MIN_BLOCKS = 3
"""Blocks that make a group."""
MAX_FIELDS = 12
MIN_FIELD_SHARE = 0.6
"""Share of the blocks that must have a field."""
EXAMPLES_KEPT = 2
EXAMPLE_CHARS = 60

IGNORED_TAGS = frozenset(
    {"script", "style", "option", "br", "meta", "link", "head", "path", "source", "noscript", "template"}
)


@dataclass(frozen=True, slots=True)
class FieldGuess:
    """One guessed field: where it is, how it is read, and the first values it has on this page."""

    name: str
    css: str | None
    attr: str | None
    type: str
    examples: tuple[str, ...]
    share: float
    """How many of the blocks have it, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class RepeatedBlocks:
    """A group of blocks: the selector that finds them, how many there are, and their fields."""

    each: str
    count: int
    fields: tuple[FieldGuess, ...]
    score: float


def find_blocks(document: Document) -> list[RepeatedBlocks]:
    """The groups that may be items, the best first, at most three."""
    groups: dict[tuple[Signature, Signature], list[LexborNode]] = {}
    for element in document.tree.css("body *")[:MAX_ELEMENTS]:
        held = container_of(element)
        if held is not None and element.tag not in IGNORED_TAGS:
            groups.setdefault((signature(held), signature(element)), []).append(element)
    rated = []
    for group in groups.values():
        if len(group) >= MIN_BLOCKS:
            elements = [element for element in group if not is_in_menu(element)]
            if len(elements) >= MIN_BLOCKS and (rating := _rate(elements)) > 0:
                rated.append((rating, elements))
    rated.sort(key=lambda entry: -entry[0])
    found: list[RepeatedBlocks] = []
    for rating, elements in rated[:6]:
        selector = selector_for(document, elements[0])
        fields = find_fields(elements) if selector is not None else ()
        if selector is not None and len(fields) >= 2:
            # Half-filled blocks are often wrappers around something better.
            whole = sum(guess.share for guess in fields) / len(fields)
            found.append(RepeatedBlocks(*selector, fields, rating * whole**2))
    found.sort(key=lambda blocks: -blocks.score)
    return found[:3]


def find_fields(blocks: Sequence[LexborNode]) -> tuple[FieldGuess, ...]:
    """What most of `blocks` have inside."""
    blocks = blocks[:MAX_BLOCKS_READ]
    seen: Counter[tuple[str, str | None]] = Counter()
    order: dict[tuple[str, str | None], None] = {}
    for block in blocks:
        for place in dict.fromkeys(_places(block)):
            seen[place] += 1
            order.setdefault(place)
    guesses: list[FieldGuess] = _own_attributes(blocks)
    taken: set[tuple[str, ...]] = set()
    names = {guess.name for guess in guesses}
    common = [place for place in order if seen[place] >= MIN_FIELD_SHARE * len(blocks)]
    found = [(place, [value for block in blocks if (value := _read(block, *place))]) for place in common]
    # Of two links to the same page the one without parameters: they may be a session's.
    found.sort(key=lambda entry: entry[0][1] == "href" and any("?" in value for value in entry[1]))
    for (css, attr), values in found:
        # The same values again, from an element around or inside one that is taken already; and what never changes.
        identity = tuple(value.partition("?")[0] if attr == "href" else value for value in values)
        if not values or identity in taken or _says_nothing(css, attr, values) or len(guesses) >= MAX_FIELDS:
            continue
        taken.add(identity)
        guesses.append(_guess(css, attr, values, len(values) / len(blocks), names))
    return tuple(guesses)


def find_page_fields(document: Document) -> tuple[FieldGuess, ...]:
    """Fields of a page that is one item: its heading, and what has a class of its own that can be read."""
    body = document.tree.body
    if body is None:
        return ()
    counts: Counter[str] = Counter()
    places: dict[tuple[str, str | None], None] = {}
    for element in document.tree.css("body *")[:MAX_ELEMENTS]:
        css = local_selector(element, body)
        if css is None or element.tag in IGNORED_TAGS or element.tag == "a" or is_in_menu(element):
            continue
        counts[css] += 1
        if element.tag == "h1" or "." in css or "[" in css:
            places.update(dict.fromkeys(_places_of(element, css)))
    names: set[str] = set()
    guesses: list[FieldGuess] = []
    taken: set[tuple[str, ...]] = set()
    for css, attr in places:
        value = _read(body, css, attr)
        if counts[css] == 1 and value and len(value) < 400 and (value,) not in taken and len(guesses) < MAX_FIELDS:
            taken.add((value,))
            guesses.append(_guess(css, attr, [value], 1.0, names))
    return tuple(guesses)


def _rate(elements: Sequence[LexborNode]) -> float:
    some = elements[:MAX_BLOCKS_READ]
    features, letters, linked = 0, 0, 0
    for element in some:
        places = set(_places(element))
        features += min(8, len(places))
        letters += min(300, len(visible_text(element)))
        linked += any(attr == "href" for _, attr in places)
    each = features / len(some)
    if each < 2 or letters / len(some) < 3 or _is_pairs(some) or some[0].tag in ("td", "th"):
        return 0.0
    rating = math.log2(len(elements) + 1) * each * (1 + letters / len(some) / 300)
    return rating if linked * 2 >= len(some) else 0.7 * rating


def _is_pairs(rows: Sequence[LexborNode]) -> bool:
    """Whether these are the rows of a table of names and values: one item together, not one each."""
    return all(row.tag == "tr" and len(row.css("th")) == 1 and len(row.css("td")) == 1 for row in rows)


def _places(block: LexborNode) -> Iterable[tuple[str, str | None]]:
    """Where in a block there are values: a selector inside it, and an attribute or None for the text."""
    for number, element in enumerate(block.css("*")):
        if number >= MAX_INNER_ELEMENTS:
            return
        if element.mem_id != block.mem_id and element.tag not in IGNORED_TAGS:
            css = local_selector(element, block)
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


def _own_attributes(blocks: Sequence[LexborNode]) -> list[FieldGuess]:
    """Fields from `data-` attributes of the blocks themselves."""
    counts: Counter[str] = Counter()
    for block in blocks:
        counts.update(name for name in block.attributes if name.startswith("data-") and SELECTOR_NAME.fullmatch(name))
    guesses: list[FieldGuess] = []
    for name, number in counts.most_common(MAX_FIELDS // 2):
        values = [value for block in blocks if (value := (block.attributes.get(name) or "").strip())]
        if number >= MIN_FIELD_SHARE * len(blocks) and values and max(map(len, values)) < 200:
            guesses.append(_guess(None, name, values, number / len(blocks), {g.name for g in guesses}))
    return guesses


def _guess(css: str | None, attr: str | None, values: Sequence[str], share: float, names: set[str]) -> FieldGuess:
    name, kind = unique_name(field_name(css, attr), names), field_type(css, attr, values)
    shown = tuple(value[:EXAMPLE_CHARS] for value in list(dict.fromkeys(values))[:EXAMPLES_KEPT])
    return FieldGuess(name, css, attr, kind, shown, share)
