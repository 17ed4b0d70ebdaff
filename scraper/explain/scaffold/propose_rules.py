"""Propose extraction rules for a page: repeated blocks, structured data (JSON-LD, microdata), the next page.

Each line of the config gets a comment with what was guessed from what. Rules are verified on the page they were made
from (verify_rules.py), and only those that extract something are proposed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from scraper.explain.scaffold.article_text import ARTICLE_TEXT, find_article_text
from scraper.explain.scaffold.field_names import unique_name
from scraper.explain.scaffold.json_rules import cursor_without_parameter, draft_json_rules
from scraper.explain.scaffold.link_index import FilePattern, find_file_pattern, index_rule
from scraper.explain.scaffold.pagination import NextPageGuess, find_next_pages, page_pattern
from scraper.explain.scaffold.plain_lists import find_lists
from scraper.explain.scaffold.repeated_blocks import FieldGuess, RepeatedBlocks, find_blocks, find_page_fields
from scraper.explain.scaffold.rule_draft import RuleDraft, RuleEntry, YamlValue, examples_text, to_yaml
from scraper.explain.scaffold.structured_data import ObjectProperty, TypedObjects, find_opengraph, find_types
from scraper.explain.scaffold.verify_rules import (
    count_yields,
    covers_next_page,
    verify_rules,
    with_next_page,
    without_empty_fields,
)
from scraper.extract.links.document import Document
from scraper.extract.rules.number_parser import parse_decimal
from scraper.extract.rules.optional_libraries import JmesPath
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.model import Headers, Response, Url
from scraper.report.text.sanitize import clean
from scraper.urls.canonicalize import canonicalize

MAX_FIELDS = 15
# Signs of permalinks behind a heading, which are no part of it.
HEADING_SIGNS = "¶§#🔗⚓"
LOGIN_FORM_COMMENT = (
    "This page has a login form: what lies behind it needs a token or a cookie (scrape init --header or --config; in "
    "the config headers or auth)."
)
# When a page has one of these fields, the <title> element repeats it.
TITLE_NAMES = frozenset({"title", "name", "headline"})
AMOUNT_PATTERN = re.compile(r"\W{0,3}(?:[A-Z]{3})?\s?[0-9][0-9.,]{0,20}\s?(?:[A-Z]{3}|\W)?")
MAX_TYPES_SHOWN = 8
# A list whose blocks have at most this many fields may be a list of related things on a page about one thing.
FEW_FIELDS = 3


_NOTHING_FETCHED: Mapping[str, Response] = {}


@dataclass(frozen=True, slots=True)
class RuleIdeas:
    """Unverified guesses about a page: drafts of rules, ways to the next page, comments for the config."""

    drafts: tuple[RuleDraft, ...] = ()
    next_pages: tuple[NextPageGuess, ...] = ()
    comments: tuple[str, ...] = ()
    file_pattern: FilePattern | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """Verified rules. `yields` is for each how many items, or URLs without fields, it extracts from its page.

    `file_pattern`: files that the page is an index of.
    """

    drafts: tuple[RuleDraft, ...]
    yields: tuple[int, ...]
    comments: tuple[str, ...]
    file_pattern: FilePattern | None = None


def ideas_for_html(document: Document, headers: Headers) -> RuleIdeas:
    """Guess rules for an HTML page. It is one of two kinds:

    1. A list: a rule for its best repeated blocks, and rules for structured data that says more than they do.
    2. A page about one thing: one item from its structured data and visible elements.
    """
    blocks = find_blocks(document)
    fields = find_page_fields(document)
    objects_by_type, types = find_types(document)
    # A page about one thing often lists a few related things. The item is then the page, not each of those.
    related: list[RepeatedBlocks] = []
    if blocks and len(blocks[0].fields) <= FEW_FIELDS and _describes_itself_better(fields, objects_by_type, blocks[0]):
        blocks, related = [], blocks
    next_pages = tuple(find_next_pages(document, headers))
    comments = []
    if types:
        comments.append(
            f"Structured data on this page: {', '.join(clean(name, 40) for name in types[:MAX_TYPES_SHOWN])}."
        )
    drafts: list[RuleDraft] = []
    files = find_file_pattern(document)
    if files is not None:
        comments.append(
            f"An index of {files.files} files: they are downloaded; `scrape download` takes a list of them."
        )
    elif not blocks and (index := index_rule(document)) is not None:
        drafts.append(index)
    elif blocks:
        drafts.append(_list_rule(blocks, _page_pattern(document.url, next_pages)))
        known = _normalized_values(blocks[0].fields, document)
        drafts += [
            _structured_rule(kind)
            for kind in objects_by_type
            if len([x for x in kind.properties if not _is_covered(x, known)]) >= 2
        ]
    else:
        drafts.append(
            replace(
                _page_rule(document, fields, objects_by_type), comments_after=tuple(map(_alternative_comment, related))
            )
        )
    drafts += [_follow_rule(next_page) for next_page in next_pages[:1] if next_page.key == "follow"]
    if has_login_form(document):
        comments.append(LOGIN_FORM_COMMENT)
    return RuleIdeas(tuple(drafts), next_pages, tuple(comments), files)


def has_login_form(document: Document) -> bool:
    """Whether the page asks for a password: what lies behind it is not seen."""
    return document.tree.css_first("form input[type=password i], body input[type=password i]") is not None


def ideas_for_json(value: object, url: Url, headers: Headers) -> RuleIdeas:
    """Guess rules for the JSON of an API. Raises `MissingExtraError` when jmespath is not installed."""
    JmesPath("@", "a config for a JSON page")  # raises early, with a message that names the extra
    drafts, next_pages = draft_json_rules(value, url, headers)
    first, others = drafts[:1], drafts[1:]
    comments_after = tuple(f"Or: {draft.title}" for draft in others)
    if not next_pages and (cursor := cursor_without_parameter(value, url)) is not None:
        path, param = cursor
        comments_after += (
            f"  next: {to_yaml({'cursor': path, 'param': param})} # uncomment it if that is the parameter",
        )
    return RuleIdeas(
        tuple(RuleDraft(d.title, d.entries, d.comments_before, comments_after) for d in first), tuple(next_pages)
    )


def propose_rules(ideas: RuleIdeas, page: Response, following: Mapping[str, Response] = _NOTHING_FETCHED) -> Proposal:
    """Verify `ideas` on `page`, the page they were made from, and keep those that extract something.

    `following`: pages that were fetched because the ideas lead to them, by URL. A `next` is kept if the page that it
    leads to has items, too.
    """
    drafts = [without_empty_fields(draft, page) for draft in verify_rules(ideas.drafts, page)]
    comments = list(ideas.comments)
    if drafts and drafts[0].get("fields") is not None:
        drafts[0] = with_next_page(drafts[0], ideas.next_pages, page, following)
        if drafts[0].get("next") is None:
            if drafts[0].get("match") is not None and not covers_next_page(drafts[0], ideas.next_pages, following):
                drafts[0] = drafts[0].without("match")
            comments += _next_page_comments(ideas.next_pages, following)
    return Proposal(
        tuple(drafts), tuple(count_yields(drafts, page)) if drafts else (), tuple(comments), ideas.file_pattern
    )


def _next_page_comments(next_pages: Sequence[NextPageGuess], following: Mapping[str, Response]) -> Iterator[str]:
    for guess in next_pages:
        if guess.key == "next" and guess.target in following:
            yield f"{clean(guess.target, 200)} looked like the next page ({guess.comment}), but has no such items."
            return


def _describes_itself_better(
    fields: Sequence[FieldGuess], objects_by_type: Sequence[TypedObjects], blocks: RepeatedBlocks
) -> bool:
    """Whether the page as one item has clearly more fields than each of its blocks."""
    property_count = max((len(kind.properties) for kind in objects_by_type if kind.count == 1), default=0)
    return max(property_count, len(fields)) > len(blocks.fields) + 1


def _alternative_comment(blocks: RepeatedBlocks) -> str:
    names = ", ".join(guess.name for guess in blocks.fields)
    return f"Or: each: {to_yaml(blocks.each)}, {blocks.count} on this page, with {names}"


def _page_pattern(url: Url, next_pages: Sequence[NextPageGuess]) -> str | None:
    return next(
        (pattern for next_page in next_pages if (pattern := page_pattern(url, next_page.target)) is not None), None
    )


def _list_rule(blocks: Sequence[RepeatedBlocks], pattern: str | None) -> RuleDraft:
    best = blocks[0]
    entries = [RuleEntry("each", best.each, f"{best.count} on this page")]
    if pattern is not None:
        entries.insert(0, RuleEntry("match", pattern, "the pages of this list, by their numbers"))
    else:
        entries[0] = RuleEntry("each", best.each, f"{best.count} on this page; on other pages where it is found, too")
    surest = max(best.fields, key=lambda guess: guess.share)
    # Blocks without the most common field are no items: skip them.
    if best.has_header_rows:
        entries.append(RuleEntry("when", "td", "the others are the table's head"))
    elif surest.share < 1 and surest.css is not None:
        entries.append(RuleEntry("when", surest.css, "the others are something else: a table's head, a separator"))
    entries.append(RuleEntry("fields", tuple(_guess_entry(guess) for guess in best.fields)))
    comments_after = []
    if any(guess.attr == "href" for guess in best.fields):
        comments_after.append("Each leads to a page of its own: `scrape init` on one of those guesses a rule for them.")
    comments_after += [_alternative_comment(other) for other in blocks[1:] if not other.each.startswith(best.each)]
    return RuleDraft(f"each: {best.each}", tuple(entries), (), tuple(comments_after))


def _guess_entry(guess: FieldGuess) -> RuleEntry:
    value: dict[str, YamlValue] = {}
    if guess.css is not None:
        value["css"] = guess.css
    # `type: url` reads href and src by default; the attribute is written anyway, so that the config explains itself.
    if guess.attr is not None:
        value["attr"] = guess.attr
    if guess.type != "text":
        value["type"] = guess.type
    elif guess.attr is None and guess.examples and all(text.rstrip()[-1:] in HEADING_SIGNS for text in guess.examples):
        value["transform"] = [{"strip": f" {HEADING_SIGNS}"}]
    share = "" if guess.share >= 1 else f"in {100 * guess.share:.0f} % of them; "
    plain = value.keys() == {"css"}
    return RuleEntry(guess.name, value["css"] if plain else value, share + examples_text(guess.examples))


def _structured_rule(kind: TypedObjects) -> RuleDraft:
    """A rule for one type of structured data on a list page: one item, or one item with a list of objects."""
    comment = f"The page's structured data ({clean(kind.type, 40)}):"
    if kind.count == 1:
        fields = tuple(_property_entry(kind, prop, prop.name) for prop in kind.properties)
        entries = (RuleEntry("when", {"field": fields[0].key}, "only where it says so"), RuleEntry("fields", fields))
        return RuleDraft(f"structured: {kind.type}", entries, (comment,), fallback=_whole_object_rule(kind, comment))
    name = unique_name(f"{kind.type}s", set())
    inner = tuple(RuleEntry(prop.name, prop.to_rule(), examples_text(prop.examples)) for prop in kind.properties)
    # Several objects of one type become one item with a list, so that all items of the rule look alike.
    objects = RuleEntry(
        name,
        (RuleEntry("structured", [kind.type]), RuleEntry("many", True), RuleEntry("fields", inner)),
        f"{kind.count} on this page, as one list",
    )
    entries = (RuleEntry("when", {"field": name}, "only where it says so"), RuleEntry("fields", (objects,)))
    return RuleDraft(f"structured: {kind.type}", entries, (comment,), fallback=_whole_object_rule(kind, comment))


def _whole_object_rule(kind: TypedObjects, comment: str) -> RuleDraft:
    """The same rule without JMESPath, for when it is not installed: fields are whole objects."""
    value: dict[str, YamlValue] = {"structured": [kind.type]}
    if kind.count > 1:
        value["many"] = True
    name = unique_name(kind.type, set())
    entries = (RuleEntry("when", {"field": name}), RuleEntry("fields", (RuleEntry(name, value),)))
    more = "pip install 'scraper[json]' lets rules pick single properties of it."
    return RuleDraft(f"structured: {kind.type}", entries, (comment, more))


def _property_entry(kind: TypedObjects, prop: ObjectProperty, name: str) -> RuleEntry:
    return RuleEntry(name, {"structured": [kind.type], **prop.to_rule()}, examples_text(prop.examples))


def _page_rule(document: Document, guesses: Sequence[FieldGuess], objects_by_type: Sequence[TypedObjects]) -> RuleDraft:
    """One item per page: fields from its structured data, then those from visible elements that say something new."""
    graph = find_opengraph(document) if not objects_by_type else None
    main_objects = [kind for kind in objects_by_type[:1] if kind.count == 1] or ([graph] if graph is not None else [])
    seen = _visible_fields(document, guesses)
    fields: list[RuleEntry] = []
    names: set[str] = set()
    known: set[str] = set()
    for kind in main_objects:
        for prop in kind.properties:
            if not _is_covered(prop, known):
                fields.append(_property_entry(kind, prop, unique_name(prop.name, names)))
                known |= {_normalize_value(example) for example in prop.examples}
    has_structured = bool(fields)
    if (text := find_article_text(document)) is not None:
        fields.append(text)
        names.add(text.key)
    # Visible fields are added only when the structured data does not have their values already.
    for entry, values in seen:
        if entry.key in names and entry.key == ARTICLE_TEXT:
            continue
        repeats_title = entry.value == "title" and names & TITLE_NAMES
        if (
            len(fields) < MAX_FIELDS
            and not repeats_title
            and not any(_normalize_value(value) in known for value in values)
        ):
            fields.append(RuleEntry(unique_name(entry.key, names), entry.value, entry.comment))
    entries: tuple[RuleEntry, ...] = (RuleEntry("fields", tuple(fields)),)
    comment = "No list of items was found on this page: one item per page"
    if not has_structured:
        return RuleDraft("one item a page", entries, (comment + ", on every page.",))
    entries = (RuleEntry("when", {"field": fields[0].key}, f"only where it says so ({main_objects[0].type})"), *entries)
    visible = tuple(entry for entry, _ in seen)
    visible += (text,) if text is not None and text.key not in {entry.key for entry in visible} else ()
    fallback = (
        RuleDraft("one item a page", (RuleEntry("fields", visible),), (comment + ", on every page.",))
        if visible
        else None
    )
    if objects_by_type:
        fallback = _whole_object_rule(objects_by_type[0], comment + ".")
    return RuleDraft("one item a page", entries, (comment + ".",), fallback=fallback)


def _visible_fields(document: Document, guesses: Sequence[FieldGuess]) -> list[tuple[RuleEntry, tuple[str, ...]]]:
    """Fields from the visible elements of a page about one thing, each with its values on this page."""
    found = [(_guess_entry(guess), guess.examples) for guess in guesses]
    if not any(guess.css == "h1" for guess in guesses) and (node := document.tree.css_first("title")) is not None:
        text = " ".join((node.text() or "").split())
        found.insert(0, (RuleEntry("title", "title", examples_text([text])), (text,)))
    lists = [entry for entry in find_lists(document) if len(guesses) <= 1 or entry.key == "rows"]
    found += [(entry, ()) for entry in lists]
    found = [pair for pair in found if pair[1] != ("",)]
    if not found and (css := next((css for css in ("main", "body") if document.tree.css_first(css)), None)) is not None:
        found.append((RuleEntry("text", css), ()))
    return found


def _follow_rule(next_page: NextPageGuess) -> RuleDraft:
    """A rule that follows the pages of a list by the number in their path."""
    return RuleDraft(
        "follow", (RuleEntry("follow", next_page.value, next_page.comment),), ("Goes through the pages of the list:",)
    )


def _normalized_values(guesses: Sequence[FieldGuess], document: Document) -> set[str]:
    known = set()
    for guess in guesses:
        for example in guess.examples:
            known.add(_normalize_value(example))
            if guess.type == "url" and isinstance(found := canonicalize(example, document.base), Url):
                known.add(_normalize_value(found.href))
    return known


def _is_covered(prop: ObjectProperty, known: set[str]) -> bool:
    return any(_normalize_value(example) in known for example in prop.examples)


def _normalize_value(text: str) -> str:
    """A value in a form in which two notations of it are equal: `€ 1.50` and `1.5`, different case or spaces."""
    number = parse_decimal(text) if AMOUNT_PATTERN.fullmatch(text) else ParseFailure("")
    return " ".join(text.casefold().split())[:60] if isinstance(number, ParseFailure) else str(number.normalize())
