"""Find the repeated blocks of a page that are one item each, and the fields inside them.

Elements with the same signature (tag and classes), in containers with the same signature, are candidates. The best
candidate has many blocks, each with several texts, links and images, and is not a menu. A field is a location (selector
and attribute) that most of the blocks have.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from selectolax.lexbor import LexborNode

from scraper.explain.scaffold.field_names import LAZY_IMAGE_ATTRIBUTES, field_name, field_type, unique_name
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

# Elements of a page that are grouped.
MAX_ELEMENTS = 20_000
# Blocks of one kind that are read for scores and fields.
MAX_BLOCKS_READ = 20
# Fewer similar elements are no list.
MIN_BLOCKS = 3
MAX_FIELDS = 12
# A field must be in this share of the blocks.
MIN_FIELD_SHARE = 0.6
EXAMPLES_KEPT = 2
EXAMPLE_CHARS = 60

PLACEHOLDER = re.compile(r"(?:placeholder|spacer|blank|loading|lazy|transparent|pixel)[^/]*$", re.IGNORECASE)
PERMALINK_SIGNS = frozenset({"¶", "#", "§", "🔗", "⚓", "∞", "Permalink", "permalink"})
PERMALINK_CLASSES = ("headerlink", "permalink", "anchorjs", "anchor-link", "heading-anchor", "header-anchor")

IGNORED_TAGS = frozenset(
    {"script", "style", "option", "br", "meta", "link", "head", "path", "source", "noscript", "template"}
)


@dataclass(frozen=True, slots=True)
class FieldGuess:
    """One guessed field: selector and attribute, type, and its first values on this page.

    `share` is the share of the blocks that have it, from 0 to 1.
    """

    name: str
    css: str | None
    attr: str | None
    type: str
    examples: tuple[str, ...]
    share: float


@dataclass(frozen=True, slots=True)
class RepeatedBlocks:
    """Blocks of one kind: the selector that matches them, their number on the page, and their fields.

    `has_header_rows`: the selector also matches rows of a table's head, which are no items.
    """

    each: str
    count: int
    fields: tuple[FieldGuess, ...]
    score: float
    has_header_rows: bool = False


def find_blocks(document: Document) -> list[RepeatedBlocks]:
    """The kinds of blocks that may be the items, best first, at most three."""
    groups: dict[tuple[Signature, Signature], list[LexborNode]] = {}
    for element in document.tree.css("body *")[:MAX_ELEMENTS]:
        container = container_of(element)
        if container is not None and element.tag not in IGNORED_TAGS and not is_header_row(element):
            groups.setdefault((signature(container), signature(element)), []).append(element)
    rated = []
    for similar in groups.values():
        if len(similar) >= MIN_BLOCKS:
            elements = [element for element in similar if not is_in_menu(element)]
            if len(elements) >= MIN_BLOCKS and (rating := _score(elements)) > 0:
                rated.append((rating, elements))
    rated.sort(key=lambda entry: -entry[0])
    found: list[RepeatedBlocks] = []
    for rating, elements in rated[:6]:
        selector = selector_for(document, elements[0])
        fields = find_fields(elements) if selector is not None else ()
        if selector is not None and len(fields) >= 2:
            # Blocks that lack many fields are often wrappers around better ones: punish a low mean share.
            whole = sum(guess.share for guess in fields) / len(fields)
            each, count = selector
            if (in_body := _rows_of_body(document, each, len(elements))) is not None:
                each, count = in_body, len(document.tree.css(in_body))
            heads = sum(is_header_row(element) for element in document.tree.css(each))
            found.append(RepeatedBlocks(each, count - heads, fields, rating * whole**2, heads > 0))
    found.sort(key=lambda blocks: -blocks.score)
    return found[:3]


def _rows_of_body(document: Document, each: str, rows: int) -> str | None:
    """A selector for the rows of a table without those in thead and tfoot; None if `each` selects no such rows."""
    if not each.endswith(" tr"):
        return None
    in_body = f"{each.removesuffix(' tr')} tbody tr"
    return in_body if rows <= len(document.tree.css(in_body)) < len(document.tree.css(each)) else None


def is_header_row(element: LexborNode) -> bool:
    """Whether a row of a table is its head: in thead, or of th alone."""
    if element.tag != "tr":
        return False
    parent = element.parent
    return (parent is not None and parent.tag == "thead") or element.css_first("td") is None


def find_fields(blocks: Sequence[LexborNode]) -> tuple[FieldGuess, ...]:
    """The fields that most of `blocks` have."""
    blocks = blocks[:MAX_BLOCKS_READ]
    seen: Counter[tuple[str, str | None]] = Counter()
    order: dict[tuple[str, str | None], None] = {}
    for block in blocks:
        for location in dict.fromkeys(_value_locations(block)):
            seen[location] += 1
            order.setdefault(location)
    guesses: list[FieldGuess] = _data_attribute_guesses(blocks)
    seen_values: set[tuple[str, ...]] = set()
    names = {guess.name for guess in guesses}
    common = [location for location in order if seen[location] >= MIN_FIELD_SHARE * len(blocks)]
    found = [(location, [value for block in blocks if (value := _read_value(block, *location))]) for location in common]
    # Of two links to the same page prefer the one without query parameters: they may be a session id.
    found.sort(key=lambda entry: entry[0][1] == "href" and any("?" in value for value in entry[1]))
    for (css, attr), values in found:
        # Skip a location with the values of an earlier one (its parent or child), and values without meaning.
        identity = tuple(value.partition("?")[0] if attr == "href" else value for value in values)
        if not values or identity in seen_values or _is_meaningless(css, attr, values) or len(guesses) >= MAX_FIELDS:
            continue
        seen_values.add(identity)
        guesses.append(_make_guess(css, attr, values, len(values) / len(blocks), names))
    return tuple(guesses)


def find_page_fields(document: Document) -> tuple[FieldGuess, ...]:
    """Fields of a page that is one item: its heading, and elements with a meaningful class that occurs once."""
    body = document.tree.body
    if body is None:
        return ()
    counts: Counter[str] = Counter()
    locations: dict[tuple[str, str | None], None] = {}
    for element in document.tree.css("body *")[:MAX_ELEMENTS]:
        css = local_selector(element, body)
        if css is None or element.tag in IGNORED_TAGS or element.tag == "a" or is_in_menu(element):
            continue
        counts[css] += 1
        if element.tag == "h1" or "." in css or "[" in css:
            locations.update(dict.fromkeys(_locations_in(element, css)))
    names: set[str] = set()
    guesses: list[FieldGuess] = []
    seen_values: set[tuple[str, ...]] = set()
    for css, attr in locations:
        value = _read_value(body, css, attr)
        if (
            counts[css] == 1
            and value
            and len(value) < 400
            and (value,) not in seen_values
            and len(guesses) < MAX_FIELDS
        ):
            seen_values.add((value,))
            guesses.append(_make_guess(css, attr, [value], 1.0, names))
    return tuple(guesses)


def _score(elements: Sequence[LexborNode]) -> float:
    sample = elements[:MAX_BLOCKS_READ]
    value_count, text_chars, with_link = 0, 0, 0
    for element in sample:
        locations = set(_value_locations(element))
        value_count += min(8, len(locations))
        text_chars += min(300, len(visible_text(element)))
        with_link += any(attr == "href" for _, attr in locations)
    values_each = value_count / len(sample)
    if values_each < 2 or text_chars / len(sample) < 3 or _are_name_value_rows(sample) or sample[0].tag in ("td", "th"):
        return 0.0
    rating = math.log2(len(elements) + 1) * values_each * (1 + text_chars / len(sample) / 300)
    return rating if with_link * 2 >= len(sample) else 0.7 * rating


def _are_name_value_rows(rows: Sequence[LexborNode]) -> bool:
    """Whether these are rows of one name and one value: the table is then one item, not its rows."""
    return all(row.tag == "tr" and len(row.css("th")) == 1 and len(row.css("td")) == 1 for row in rows)


def _value_locations(block: LexborNode) -> Iterable[tuple[str, str | None]]:
    """Where in a block there are values: a selector inside it, and an attribute or None for the text."""
    for number, element in enumerate(block.css("*")):
        if number >= MAX_INNER_ELEMENTS:
            return
        if element.mem_id != block.mem_id and element.tag not in IGNORED_TAGS:
            css = local_selector(element, block)
            if css is not None:
                yield from _locations_in(element, css)


def _locations_in(element: LexborNode, css: str) -> Iterable[tuple[str, str | None]]:
    attributes = element.attributes
    if is_permalink(element):
        return
    if element.tag == "img":
        if not _is_tracking_pixel(attributes) and (attribute := _image_attribute(attributes)) is not None:
            yield css, attribute
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


def _image_attribute(attributes: Mapping[str, str | None]) -> str | None:
    """The attribute with an image's address: `src`, or where that is a placeholder, the one scripts load it from."""
    source = (attributes.get("src") or "").strip()
    lazy = next((name for name in LAZY_IMAGE_ATTRIBUTES if (attributes.get(name) or "").strip()), None)
    if lazy is not None and (not source or source.startswith("data:") or PLACEHOLDER.search(source)):
        return lazy
    return "src" if source and not source.startswith(("data:", "about:", "blob:")) else None


def _is_tracking_pixel(attributes: Mapping[str, str | None]) -> bool:
    """Whether an image is there to be counted and not to be seen: one pixel large, or hidden."""
    tiny = all((attributes.get(name) or "").removesuffix("px").strip() in ("0", "1") for name in ("width", "height"))
    style = (attributes.get("style") or "").replace(" ", "").lower()
    return tiny or "display:none" in style or ("width:1px" in style and "height:1px" in style)


def is_permalink(element: LexborNode) -> bool:
    """Whether a link is the sign behind a heading that leads to the heading itself."""
    if element.tag != "a":
        return False
    names = (element.attributes.get("class") or "").lower()
    text = (element.text() or "").strip()
    return text in PERMALINK_SIGNS or any(name in names for name in PERMALINK_CLASSES)


def _has_own_text(element: LexborNode) -> bool:
    return any(child.is_text_node and (child.text_content or "").strip() for child in element.iter(include_text=True))


def _read_value(block: LexborNode, css: str, attr: str | None) -> str:
    element = block.css_first(css)
    if element is None:
        return ""
    return (element.attributes.get(attr) or "").strip() if attr else visible_text(element)


def _is_meaningless(css: str, attr: str | None, values: Sequence[str]) -> bool:
    """Whether values are only fragment links, only punctuation, or the same button text in every block."""
    if attr == "href":
        return all(value.startswith("#") for value in values)
    if not any(character.isalnum() for value in values for character in value):
        return True
    constant = len(set(values)) == 1 < len(values)
    return constant and css.split()[-1].split(".")[0] in ("a", "button", "label", "input")


def _data_attribute_guesses(blocks: Sequence[LexborNode]) -> list[FieldGuess]:
    """Fields from `data-` attributes of the blocks themselves."""
    counts: Counter[str] = Counter()
    for block in blocks:
        counts.update(name for name in block.attributes if name.startswith("data-") and SELECTOR_NAME.fullmatch(name))
    guesses: list[FieldGuess] = []
    for name, number in counts.most_common(MAX_FIELDS // 2):
        values = [value for block in blocks if (value := (block.attributes.get(name) or "").strip())]
        if number >= MIN_FIELD_SHARE * len(blocks) and values and max(map(len, values)) < 200:
            guesses.append(_make_guess(None, name, values, number / len(blocks), {g.name for g in guesses}))
    return guesses


def _make_guess(css: str | None, attr: str | None, values: Sequence[str], share: float, names: set[str]) -> FieldGuess:
    name, kind = unique_name(field_name(css, attr), names), field_type(css, attr, values)
    shown = tuple(value[:EXAMPLE_CHARS] for value in list(dict.fromkeys(values))[:EXAMPLES_KEPT])
    return FieldGuess(name, css, attr, kind, shown, share)
