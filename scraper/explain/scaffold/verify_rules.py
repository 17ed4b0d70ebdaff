"""Verify proposed rules on the page they were made from: rules that extract nothing there are dropped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from scraper.config.reading.load import parse_config
from scraper.config_to_settings import extract_settings
from scraper.errors import ConfigError, ExtractionRuleError, MissingExtraError
from scraper.explain.pages.page_request import UrlRules
from scraper.explain.scaffold.pagination import NextPageGuess, list_pattern, page_pattern
from scraper.explain.scaffold.rule_draft import RuleDraft, RuleEntry, to_yaml
from scraper.extract.page_extractor import PageExtractor
from scraper.model import Extraction, Item, Response

# Guesses for the next page that are verified: each costs an extraction of the whole page.
MAX_NEXT_PAGES_TRIED = 4
_NO_VALUES: tuple[object, ...] = (None, "", [], {}, False)


def verify_rules(drafts: Sequence[RuleDraft], page: Response) -> list[RuleDraft]:
    """Those of `drafts` that compile and extract something from `page`; a draft that does not is replaced by its
    fallback, if that does."""
    kept = [compiled for draft in drafts if (compiled := _compilable(draft, page)) is not None]
    while kept:
        yields = count_yields(kept, page)
        if all(yields):
            break
        # Fallbacks may extract nothing either, so the loop verifies again until all drafts that are left do.
        kept = [
            better
            for draft, count in zip(kept, yields, strict=True)
            if (better := draft if count else draft.fallback and _compilable(draft.fallback, page)) is not None
        ]
    return kept


def extract_with(drafts: Sequence[RuleDraft], page: Response) -> Extraction:
    """Extract `page` with `drafts`, which must compile."""
    return _build_extractor(drafts, page).extract(page)


def count_yields(drafts: Sequence[RuleDraft], page: Response) -> list[int]:
    """For each of `drafts`, how many items it extracts from `page`, or without fields how many URLs it follows."""
    extraction = extract_with(drafts, page)
    items = [sum(1 for item in extraction.items if item.rule == n and has_values(item)) for n in range(len(drafts))]
    return [
        count if draft.get("fields") is not None else len(_followed_urls(draft, extraction))
        for draft, count in zip(drafts, items, strict=True)
    ]


def has_values(item: Item) -> bool:
    """Whether any field of an item has a value."""
    return any(value not in _NO_VALUES for value in item.fields.values())


def with_next_page(
    draft: RuleDraft, next_pages: Sequence[NextPageGuess], page: Response, following: Mapping[str, Response]
) -> RuleDraft:
    """`draft` with a verified `next`: the first of `next_pages` that yields the URL it was guessed from.

    `following`: the pages at these URLs, as far as they were fetched. On the page that `next` leads to the rule must
    extract items, too: a `match` that excludes that page is replaced, or left out.
    """
    guesses = [next_page for next_page in next_pages if next_page.key == "next"]
    for next_page in guesses[:MAX_NEXT_PAGES_TRIED]:
        after = following.get(next_page.target)
        for base in _with_other_matches(draft, page, next_page.target):
            tried = "" if after is None else f"; tried, {count_yields([base], after)[0]:,} items there"
            entry = RuleEntry("next", next_page.value, next_page.comment + tried)
            candidate = replace(base, entries=(*base.entries, entry))
            if _finds_next_page(candidate, page, next_page.target, after):
                return candidate
    return draft


def covers_next_page(draft: RuleDraft, next_pages: Sequence[NextPageGuess], following: Mapping[str, Response]) -> bool:
    """Whether `draft`, which has no `next`, extracts items from the next pages that were fetched."""
    pages = [page for guess in next_pages if (page := following.get(guess.target)) is not None]
    return all(count_yields([draft], page)[0] for page in pages)


def without_empty_fields(draft: RuleDraft, page: Response) -> RuleDraft:
    """`draft` without the fields that have no value in any item of `page`."""
    fields = draft.get("fields")
    if not isinstance(fields, tuple):
        return draft
    items = extract_with([draft], page).items
    found = {name for item in items for name, value in item.fields.items() if value not in _NO_VALUES}
    kept = tuple(entry for entry in fields if isinstance(entry, RuleEntry) and entry.key in found)
    if not kept or len(kept) == len(fields):
        return draft
    return replace(
        draft, entries=tuple(entry._replace(value=kept) if entry.key == "fields" else entry for entry in draft.entries)
    )


def _with_other_matches(draft: RuleDraft, page: Response, target: str) -> list[RuleDraft]:
    """`draft`, then with a `match` made for the page at `target`, then without any."""
    found = [draft]
    if (match := draft.get("match")) is not None:
        for pattern in (page_pattern(page.request.url, target), list_pattern(page.request.url, target)):
            if pattern is not None and pattern != match:
                entries = (
                    RuleEntry("match", pattern, "the pages of this list") if entry.key == "match" else entry
                    for entry in draft.entries
                )
                found.append(replace(draft, entries=tuple(entries)))
        found.append(draft.without("match"))
    return found


def _finds_next_page(draft: RuleDraft, page: Response, target: str, after: Response | None) -> bool:
    """Whether `draft` extracts items of `page` and leads from there to `target`, where it finds items again."""
    if _compilable(draft, page) is None or not count_yields([draft], page)[0]:
        return False
    if not any(request.url.href == target for request in extract_with([draft], page).requests):
        return False
    return after is None or count_yields([draft], after)[0] > 0


def _followed_urls(draft: RuleDraft, extraction: Extraction) -> list[str]:
    """URLs of an extraction that match the `follow` of `draft`."""
    follow = draft.get("follow")
    pattern = str(follow["match"]) if isinstance(follow, Mapping) else ""
    found = [request.url.href for request in extraction.requests] + [link.url.href for link in extraction.links]
    return [href for href in dict.fromkeys(found) if re.search(pattern, href)]


def _compilable(draft: RuleDraft | None, page: Response) -> RuleDraft | None:
    """`draft`, or the first of its fallbacks, that compiles; None when none does."""
    while draft is not None:
        try:
            _build_extractor([draft], page)
        except (ConfigError, ExtractionRuleError, MissingExtraError):
            draft = draft.fallback
        else:
            return draft
    return None


def _build_extractor(drafts: Sequence[RuleDraft], page: Response) -> PageExtractor:
    seed = to_yaml([page.request.url.href])
    text = "\n".join([f"seeds: {seed}", "extract:", *(line for draft in drafts for line in draft.lines())])
    config = parse_config(text)
    rules = UrlRules.from_config(config)
    return PageExtractor(extract_settings(config, rules.scope, rules.keys))
