"""Looks at a page and proposes rules for it: its blocks, what it says for machines, the way to its next page.

What was guessed, and from what, is said beside each line of the config. Rules are tried on the page they were made
from (vet.py); what finds nothing there is not written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scraper.explain.scaffold.field_names import unique_name
from scraper.explain.scaffold.json_rules import cursor_without_parameter, draft_json_rules
from scraper.explain.scaffold.pagination import NextPageGuess, find_next_pages, page_pattern
from scraper.explain.scaffold.plain_lists import find_lists
from scraper.explain.scaffold.repeated_blocks import FieldGuess, RepeatedBlocks, find_blocks, find_page_fields
from scraper.explain.scaffold.rule_draft import RuleDraft, RuleEntry, YamlValue, examples_text, to_yaml
from scraper.explain.scaffold.structured_data import ObjectProperty, TypedObjects, find_opengraph, find_types
from scraper.explain.scaffold.verify_rules import count_yields, verify_rules, with_next_page
from scraper.extract.links.document import Document
from scraper.extract.rules.number_parser import parse_decimal
from scraper.extract.rules.optional_libraries import JmesPath
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.model import Headers, Response, Url
from scraper.report.text.sanitize import clean
from scraper.urls.canonicalize import canonicalize

MAX_FIELDS = 15
TITLE_NAMES = frozenset({"title", "name", "headline"})
"""Fields beside which what the window is called says nothing new."""
AMOUNT_PATTERN = re.compile(r"\W{0,3}(?:[A-Z]{3})?\s?[0-9][0-9.,]{0,20}\s?(?:[A-Z]{3}|\W)?")
MAX_TYPES_SHOWN = 8
FEW_FIELDS = 3
"""Fields up to which a list may be one of related things on a page about one thing."""


@dataclass(frozen=True, slots=True)
class RuleIdeas:
    """What a page looks like: rules that may fit it, ways to its next page, and what else is worth saying."""

    drafts: tuple[RuleDraft, ...] = ()
    next_pages: tuple[NextPageGuess, ...] = ()
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """The rules that were found right, with how much each gives on the page they were made from."""

    drafts: tuple[RuleDraft, ...]
    yields: tuple[int, ...]
    comments: tuple[str, ...]


def ideas_for_html(document: Document, headers: Headers) -> RuleIdeas:
    """Look at an HTML page."""
    blocks = find_blocks(document)
    fields = find_page_fields(document)
    kinds, types = find_types(document)
    # A page about one thing often lists a few related ones: what it says of itself is then the item.
    related: list[RepeatedBlocks] = []
    if blocks and len(blocks[0].fields) <= FEW_FIELDS and _says_more(fields, kinds, blocks[0]):
        blocks, related = [], blocks
    turns = tuple(find_next_pages(document, headers))
    told = []
    if types:
        told.append(f"For machines it says: {', '.join(clean(name, 40) for name in types[:MAX_TYPES_SHOWN])}.")
    drafts: list[RuleDraft] = []
    if blocks:
        drafts.append(_of_blocks(blocks, _pattern(document.url, turns)))
        known = _said_by(blocks[0].fields, document)
        drafts += [_of_kind(kind) for kind in kinds if len([x for x in kind.properties if not _covered(x, known)]) >= 2]
    else:
        drafts.append(replace(_of_page(document, fields, kinds), comments_after=tuple(map(_or_each, related))))
    drafts += [_of_path(turn) for turn in turns[:1] if turn.key == "follow"]
    return RuleIdeas(tuple(drafts), turns, tuple(told))


def ideas_for_json(value: object, url: Url, headers: Headers) -> RuleIdeas:
    """Look at the JSON of an API. Raises `MissingExtraError` when rules for JSON cannot be read here."""
    JmesPath("@", "a config for a JSON page")
    drafts, turns = draft_json_rules(value, url, headers)
    first, others = drafts[:1], drafts[1:]
    below = tuple(f"Or: {draft.title}" for draft in others)
    if not turns and (cursor := cursor_without_parameter(value, url)) is not None:
        path, param = cursor
        below += (f"  next: {to_yaml({'cursor': path, 'param': param})} # uncomment it if that is the parameter",)
    return RuleIdeas(tuple(RuleDraft(d.title, d.entries, d.comments_before, below) for d in first), tuple(turns))


def propose_rules(sketch: RuleIdeas, page: Response) -> Proposal:
    """Try the rules of `sketch` on `page`."""
    drafts = verify_rules(sketch.drafts, page)
    if drafts and drafts[0].get("fields") is not None:
        drafts[0] = with_next_page(drafts[0], sketch.next_pages, page)
    return Proposal(tuple(drafts), tuple(count_yields(drafts, page)) if drafts else (), sketch.comments)


def _says_more(fields: Sequence[FieldGuess], kinds: Sequence[TypedObjects], blocks: RepeatedBlocks) -> bool:
    """Whether the page says clearly more of itself than each of its blocks does."""
    said = max((len(kind.properties) for kind in kinds if kind.count == 1), default=0)
    return max(said, len(fields)) > len(blocks.fields) + 1


def _or_each(blocks: RepeatedBlocks) -> str:
    names = ", ".join(guess.name for guess in blocks.fields)
    return f"Or: each: {to_yaml(blocks.each)}, {blocks.count} on this page, with {names}"


def _pattern(url: Url, turns: Sequence[NextPageGuess]) -> str | None:
    return next((pattern for turn in turns if (pattern := page_pattern(url, turn.target)) is not None), None)


def _of_blocks(blocks: Sequence[RepeatedBlocks], pattern: str | None) -> RuleDraft:
    best = blocks[0]
    entries = [RuleEntry("each", best.each, f"{best.count} on this page")]
    if pattern is not None:
        entries.insert(0, RuleEntry("match", pattern, "the pages of this list, by their numbers"))
    else:
        entries[0] = RuleEntry("each", best.each, f"{best.count} on this page; on other pages where it is found, too")
    surest = max(best.fields, key=lambda guess: guess.share)
    if surest.share < 1 and surest.css is not None:
        entries.append(RuleEntry("when", surest.css, "the others are something else: a table's head, a separator"))
    entries.append(RuleEntry("fields", tuple(_of_guess(guess) for guess in best.fields)))
    below = []
    if any(guess.attr == "href" for guess in best.fields):
        below.append("Each leads to a page of its own: `scrape init` on one of those guesses a rule for them.")
    below += [_or_each(other) for other in blocks[1:] if not other.each.startswith(best.each)]
    return RuleDraft(f"each: {best.each}", tuple(entries), (), tuple(below))


def _of_guess(guess: FieldGuess) -> RuleEntry:
    value: dict[str, YamlValue] = {}
    if guess.css is not None:
        value["css"] = guess.css
    # type: url takes href and src by itself; the attribute is said all the same, to be read.
    if guess.attr is not None:
        value["attr"] = guess.attr
    if guess.type != "text":
        value["type"] = guess.type
    share = "" if guess.share >= 1 else f"in {100 * guess.share:.0f} % of them; "
    plain = value.keys() == {"css"}
    return RuleEntry(guess.name, value["css"] if plain else value, share + examples_text(guess.examples))


def _of_kind(kind: TypedObjects) -> RuleDraft:
    """A rule for what the page says for machines beside its blocks."""
    above = f"What the page says of itself for machines ({clean(kind.type, 40)}):"
    if kind.count == 1:
        fields = tuple(_of_leaf(kind, leaf, leaf.name) for leaf in kind.properties)
        entries = (RuleEntry("when", {"field": fields[0].key}, "only where it says so"), RuleEntry("fields", fields))
        return RuleDraft(f"structured: {kind.type}", entries, (above,), fallback=_whole(kind, above))
    name = unique_name(f"{kind.type}s", set())
    inner = tuple(RuleEntry(leaf.name, leaf.to_rule(), examples_text(leaf.examples)) for leaf in kind.properties)
    objects = RuleEntry(
        name,
        (RuleEntry("structured", [kind.type]), RuleEntry("many", True), RuleEntry("fields", inner)),
        f"{kind.count} on this page, as one list",
    )
    entries = (RuleEntry("when", {"field": name}, "only where it says so"), RuleEntry("fields", (objects,)))
    return RuleDraft(f"structured: {kind.type}", entries, (above,), fallback=_whole(kind, above))


def _whole(kind: TypedObjects, above: str) -> RuleDraft:
    """The same without JMESPath, which not everybody has installed: whole objects."""
    value: dict[str, YamlValue] = {"structured": [kind.type]}
    if kind.count > 1:
        value["many"] = True
    name = unique_name(kind.type, set())
    entries = (RuleEntry("when", {"field": name}), RuleEntry("fields", (RuleEntry(name, value),)))
    more = "pip install 'scraper[json]' lets rules pick single properties of it."
    return RuleDraft(f"structured: {kind.type}", entries, (above, more))


def _of_leaf(kind: TypedObjects, leaf: ObjectProperty, name: str) -> RuleEntry:
    return RuleEntry(name, {"structured": [kind.type], **leaf.to_rule()}, examples_text(leaf.examples))


def _of_page(document: Document, guesses: Sequence[FieldGuess], kinds: Sequence[TypedObjects]) -> RuleDraft:
    """One item a page: what it says for machines, then what can be seen of it."""
    graph = find_opengraph(document) if not kinds else None
    about = [kind for kind in kinds[:1] if kind.count == 1] or ([graph] if graph is not None else [])
    seen = _visible(document, guesses)
    fields: list[RuleEntry] = []
    names: set[str] = set()
    known: set[str] = set()
    for kind in about:
        for leaf in kind.properties:
            if not _covered(leaf, known):
                fields.append(_of_leaf(kind, leaf, unique_name(leaf.name, names)))
                known |= {_comparable(example) for example in leaf.examples}
    said = bool(fields)
    for entry, values in seen:
        named = entry.value == "title" and names & TITLE_NAMES
        if len(fields) < MAX_FIELDS and not named and not any(_comparable(value) in known for value in values):
            fields.append(RuleEntry(unique_name(entry.key, names), entry.value, entry.comment))
    entries: tuple[RuleEntry, ...] = (RuleEntry("fields", tuple(fields)),)
    above = "No list of items stands out on this page: one item a page"
    if not said:
        return RuleDraft("one item a page", entries, (above + ", on every page.",))
    entries = (RuleEntry("when", {"field": fields[0].key}, f"only where it says so ({about[0].type})"), *entries)
    visible = tuple(entry for entry, _ in seen)
    instead = (
        RuleDraft("one item a page", (RuleEntry("fields", visible),), (above + ", on every page.",))
        if visible
        else None
    )
    if kinds:
        instead = _whole(kinds[0], above + ".")
    return RuleDraft("one item a page", entries, (above + ".",), fallback=instead)


def _visible(document: Document, guesses: Sequence[FieldGuess]) -> list[tuple[RuleEntry, tuple[str, ...]]]:
    """Fields of a page about one thing that its elements show, with their values."""
    found = [(_of_guess(guess), guess.examples) for guess in guesses]
    if not any(guess.css == "h1" for guess in guesses) and (node := document.tree.css_first("title")) is not None:
        text = " ".join((node.text() or "").split())
        found.insert(0, (RuleEntry("title", "title", examples_text([text])), (text,)))
    lists = [entry for entry in find_lists(document) if len(guesses) <= 1 or entry.key == "rows"]
    found += [(entry, ()) for entry in lists]
    found = [pair for pair in found if pair[1] != ("",)]
    if not found and (css := next((css for css in ("main", "body") if document.tree.css_first(css)), None)) is not None:
        found.append((RuleEntry("text", css), ()))
    return found


def _of_path(turn: NextPageGuess) -> RuleDraft:
    """A rule that goes through the pages of a list whose numbers stand in the path."""
    return RuleDraft(
        "follow", (RuleEntry("follow", turn.value, turn.comment),), ("Goes through the pages of the list:",)
    )


def _said_by(guesses: Sequence[FieldGuess], document: Document) -> set[str]:
    known = set()
    for guess in guesses:
        for example in guess.examples:
            known.add(_comparable(example))
            if guess.type == "url" and isinstance(found := canonicalize(example, document.base), Url):
                known.add(_comparable(found.href))
    return known


def _covered(leaf: ObjectProperty, known: set[str]) -> bool:
    return any(_comparable(example) in known for example in leaf.examples)


def _comparable(text: str) -> str:
    """A value without what differs between two ways to write it."""
    number = parse_decimal(text) if AMOUNT_PATTERN.fullmatch(text) else ParseFailure("")
    return " ".join(text.casefold().split())[:60] if isinstance(number, ParseFailure) else str(number.normalize())
