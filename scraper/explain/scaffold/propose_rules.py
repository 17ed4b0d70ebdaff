"""Looks at a page and proposes rules for it: its blocks, what it says for machines, the way to its next page.

What was guessed, and from what, is said beside each line of the config. Rules are tried on the page they were made
from (vet.py); what finds nothing there is not written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scraper.explain.scaffold.field_names import distinct
from scraper.explain.scaffold.json_rules import cursor_without_parameter, find_json
from scraper.explain.scaffold.pagination import Turn, find_turns, page_pattern
from scraper.explain.scaffold.plain_lists import find_lists
from scraper.explain.scaffold.repeated_blocks import Blocks, Guess, find_blocks, find_page_fields
from scraper.explain.scaffold.rule_draft import Draft, Entry, Value, examples, written
from scraper.explain.scaffold.structured_data import Kind, Leaf, find_kinds, find_opengraph
from scraper.explain.scaffold.verify_rules import given, proven, with_turn
from scraper.extract.links.document import Document
from scraper.extract.rules.optional_libraries import JsonPath
from scraper.extract.rules.value_parsers import Refusal, parse_decimal
from scraper.model import Headers, Page, Url
from scraper.report.text.sanitize import clean
from scraper.urls.canonicalize import canonicalise

MOST_FIELDS = 15
TITLES = frozenset({"title", "name", "headline"})
"""Fields beside which what the window is called says nothing new."""
AMOUNT = re.compile(r"\W{0,3}(?:[A-Z]{3})?\s?[0-9][0-9.,]{0,20}\s?(?:[A-Z]{3}|\W)?")
TYPES_TOLD = 8
FEW = 3
"""Fields up to which a list may be one of related things on a page about one thing."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """What a page looks like: rules that may fit it, ways to its next page, and what else is worth saying."""

    drafts: tuple[Draft, ...] = ()
    turns: tuple[Turn, ...] = ()
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """The rules that were found right, with how much each gives on the page they were made from."""

    drafts: tuple[Draft, ...]
    gives: tuple[int, ...]
    told: tuple[str, ...]


def sketch_html(document: Document, headers: Headers) -> Sketch:
    """Look at an HTML page."""
    blocks = find_blocks(document)
    fields = find_page_fields(document)
    kinds, types = find_kinds(document)
    # A page about one thing often lists a few related ones: what it says of itself is then the item.
    related: list[Blocks] = []
    if blocks and len(blocks[0].fields) <= FEW and _says_more(fields, kinds, blocks[0]):
        blocks, related = [], blocks
    turns = tuple(find_turns(document, headers))
    told = []
    if types:
        told.append(f"For machines it says: {', '.join(clean(name, 40) for name in types[:TYPES_TOLD])}.")
    drafts: list[Draft] = []
    if blocks:
        drafts.append(_of_blocks(blocks, _pattern(document.url, turns)))
        known = _said_by(blocks[0].fields, document)
        drafts += [_of_kind(kind) for kind in kinds if len([x for x in kind.leaves if not _covered(x, known)]) >= 2]
    else:
        drafts.append(replace(_of_page(document, fields, kinds), below=tuple(map(_or_each, related))))
    drafts += [_of_path(turn) for turn in turns[:1] if turn.key == "follow"]
    return Sketch(tuple(drafts), turns, tuple(told))


def sketch_json(value: object, url: Url, headers: Headers) -> Sketch:
    """Look at the JSON of an API. Raises `MissingExtra` when rules for JSON cannot be read here."""
    JsonPath("@", "a config for a JSON page")
    drafts, turns = find_json(value, url, headers)
    first, others = drafts[:1], drafts[1:]
    below = tuple(f"Or: {draft.what}" for draft in others)
    if not turns and (cursor := cursor_without_parameter(value, url)) is not None:
        path, param = cursor
        below += (f"  next: {written({'cursor': path, 'param': param})} # uncomment it if that is the parameter",)
    return Sketch(tuple(Draft(d.what, d.entries, d.above, below) for d in first), tuple(turns))


def propose(sketch: Sketch, page: Page) -> Proposal:
    """Try the rules of `sketch` on `page`."""
    drafts = proven(sketch.drafts, page)
    if drafts and drafts[0].get("fields") is not None:
        drafts[0] = with_turn(drafts[0], sketch.turns, page)
    return Proposal(tuple(drafts), tuple(given(drafts, page)) if drafts else (), sketch.told)


def _says_more(fields: Sequence[Guess], kinds: Sequence[Kind], blocks: Blocks) -> bool:
    """Whether the page says clearly more of itself than each of its blocks does."""
    said = max((len(kind.leaves) for kind in kinds if kind.count == 1), default=0)
    return max(said, len(fields)) > len(blocks.fields) + 1


def _or_each(blocks: Blocks) -> str:
    names = ", ".join(guess.name for guess in blocks.fields)
    return f"Or: each: {written(blocks.each)}, {blocks.size} on this page, with {names}"


def _pattern(url: Url, turns: Sequence[Turn]) -> str | None:
    return next((pattern for turn in turns if (pattern := page_pattern(url, turn.target)) is not None), None)


def _of_blocks(blocks: Sequence[Blocks], pattern: str | None) -> Draft:
    best = blocks[0]
    entries = [Entry("each", best.each, f"{best.size} on this page")]
    if pattern is not None:
        entries.insert(0, Entry("match", pattern, "the pages of this list, by their numbers"))
    else:
        entries[0] = Entry("each", best.each, f"{best.size} on this page; on other pages where it is found, too")
    surest = max(best.fields, key=lambda guess: guess.share)
    if surest.share < 1 and surest.css is not None:
        entries.append(Entry("when", surest.css, "the others are something else: a table's head, a separator"))
    entries.append(Entry("fields", tuple(_of_guess(guess) for guess in best.fields)))
    below = []
    if any(guess.attr == "href" for guess in best.fields):
        below.append("Each leads to a page of its own: `scrape init` on one of those guesses a rule for them.")
    below += [_or_each(other) for other in blocks[1:] if not other.each.startswith(best.each)]
    return Draft(f"each: {best.each}", tuple(entries), (), tuple(below))


def _of_guess(guess: Guess) -> Entry:
    value: dict[str, Value] = {}
    if guess.css is not None:
        value["css"] = guess.css
    # type: url takes href and src by itself; the attribute is said all the same, to be read.
    if guess.attr is not None:
        value["attr"] = guess.attr
    if guess.type != "text":
        value["type"] = guess.type
    share = "" if guess.share >= 1 else f"in {100 * guess.share:.0f} % of them; "
    plain = value.keys() == {"css"}
    return Entry(guess.name, value["css"] if plain else value, share + examples(guess.examples))


def _of_kind(kind: Kind) -> Draft:
    """A rule for what the page says for machines beside its blocks."""
    above = f"What the page says of itself for machines ({clean(kind.type, 40)}):"
    if kind.count == 1:
        fields = tuple(_of_leaf(kind, leaf, leaf.name) for leaf in kind.leaves)
        entries = (Entry("when", {"field": fields[0].key}, "only where it says so"), Entry("fields", fields))
        return Draft(f"structured: {kind.type}", entries, (above,), instead=_whole(kind, above))
    name = distinct(f"{kind.type}s", set())
    inner = tuple(Entry(leaf.name, leaf.rule(), examples(leaf.examples)) for leaf in kind.leaves)
    objects = Entry(
        name,
        (Entry("structured", [kind.type]), Entry("many", True), Entry("fields", inner)),
        f"{kind.count} on this page, as one list",
    )
    entries = (Entry("when", {"field": name}, "only where it says so"), Entry("fields", (objects,)))
    return Draft(f"structured: {kind.type}", entries, (above,), instead=_whole(kind, above))


def _whole(kind: Kind, above: str) -> Draft:
    """The same without JMESPath, which not everybody has installed: whole objects."""
    value: dict[str, Value] = {"structured": [kind.type]}
    if kind.count > 1:
        value["many"] = True
    name = distinct(kind.type, set())
    entries = (Entry("when", {"field": name}), Entry("fields", (Entry(name, value),)))
    more = "pip install 'scraper[json]' lets rules pick single properties of it."
    return Draft(f"structured: {kind.type}", entries, (above, more))


def _of_leaf(kind: Kind, leaf: Leaf, name: str) -> Entry:
    return Entry(name, {"structured": [kind.type], **leaf.rule()}, examples(leaf.examples))


def _of_page(document: Document, guesses: Sequence[Guess], kinds: Sequence[Kind]) -> Draft:
    """One item a page: what it says for machines, then what can be seen of it."""
    graph = find_opengraph(document) if not kinds else None
    about = [kind for kind in kinds[:1] if kind.count == 1] or ([graph] if graph is not None else [])
    seen = _visible(document, guesses)
    fields: list[Entry] = []
    names: set[str] = set()
    known: set[str] = set()
    for kind in about:
        for leaf in kind.leaves:
            if not _covered(leaf, known):
                fields.append(_of_leaf(kind, leaf, distinct(leaf.name, names)))
                known |= {_comparable(example) for example in leaf.examples}
    said = bool(fields)
    for entry, values in seen:
        named = entry.value == "title" and names & TITLES
        if len(fields) < MOST_FIELDS and not named and not any(_comparable(value) in known for value in values):
            fields.append(Entry(distinct(entry.key, names), entry.value, entry.comment))
    entries: tuple[Entry, ...] = (Entry("fields", tuple(fields)),)
    above = "No list of items stands out on this page: one item a page"
    if not said:
        return Draft("one item a page", entries, (above + ", on every page.",))
    entries = (Entry("when", {"field": fields[0].key}, f"only where it says so ({about[0].type})"), *entries)
    visible = tuple(entry for entry, _ in seen)
    instead = Draft("one item a page", (Entry("fields", visible),), (above + ", on every page.",)) if visible else None
    if kinds:
        instead = _whole(kinds[0], above + ".")
    return Draft("one item a page", entries, (above + ".",), instead=instead)


def _visible(document: Document, guesses: Sequence[Guess]) -> list[tuple[Entry, tuple[str, ...]]]:
    """Fields of a page about one thing that its elements show, with their values."""
    found = [(_of_guess(guess), guess.examples) for guess in guesses]
    if not any(guess.css == "h1" for guess in guesses) and (node := document.tree.css_first("title")) is not None:
        text = " ".join((node.text() or "").split())
        found.insert(0, (Entry("title", "title", examples([text])), (text,)))
    lists = [entry for entry in find_lists(document) if len(guesses) <= 1 or entry.key == "rows"]
    found += [(entry, ()) for entry in lists]
    found = [pair for pair in found if pair[1] != ("",)]
    if not found and (css := next((css for css in ("main", "body") if document.tree.css_first(css)), None)) is not None:
        found.append((Entry("text", css), ()))
    return found


def _of_path(turn: Turn) -> Draft:
    """A rule that goes through the pages of a list whose numbers stand in the path."""
    return Draft("follow", (Entry("follow", turn.value, turn.told),), ("Goes through the pages of the list:",))


def _said_by(guesses: Sequence[Guess], document: Document) -> set[str]:
    known = set()
    for guess in guesses:
        for example in guess.examples:
            known.add(_comparable(example))
            if guess.type == "url" and isinstance(found := canonicalise(example, document.base), Url):
                known.add(_comparable(found.href))
    return known


def _covered(leaf: Leaf, known: set[str]) -> bool:
    return any(_comparable(example) in known for example in leaf.examples)


def _comparable(text: str) -> str:
    """A value without what differs between two ways to write it."""
    number = parse_decimal(text) if AMOUNT.fullmatch(text) else Refusal("")
    return " ".join(text.casefold().split())[:60] if isinstance(number, Refusal) else str(number.normalize())
