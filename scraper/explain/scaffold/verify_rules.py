"""Verify proposed rules on the page they were made from: rules that extract nothing there are dropped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from scraper.config.reading.load import parse_config
from scraper.config_to_settings import extract_settings
from scraper.errors import ConfigError, ExtractError, MissingExtraError
from scraper.explain.pages.page_request import UrlRules
from scraper.explain.scaffold.pagination import NextPageGuess
from scraper.explain.scaffold.rule_draft import RuleDraft, RuleEntry, to_yaml
from scraper.extract.page_extractor import PageExtractor
from scraper.model import Extraction, Item, Response

# Guesses for the next page that are verified: each costs an extraction of the whole page.
MAX_NEXT_PAGES_TRIED = 4


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
    return any(value not in (None, "", [], {}, False) for value in item.fields.values())


def with_next_page(draft: RuleDraft, next_pages: Sequence[NextPageGuess], page: Response) -> RuleDraft:
    """`draft` with a verified `next`: the first of `next_pages` that yields the URL it was guessed from."""
    guesses = [next_page for next_page in next_pages if next_page.key == "next"]
    for next_page in guesses[:MAX_NEXT_PAGES_TRIED]:
        candidate = replace(draft, entries=(*draft.entries, RuleEntry("next", next_page.value, next_page.comment)))
        if _compilable(candidate, page) is not None:
            requests = extract_with([candidate], page).requests
            if any(request.url.href == next_page.target for request in requests):
                return candidate
    return draft


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
        except (ConfigError, ExtractError, MissingExtraError):
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
