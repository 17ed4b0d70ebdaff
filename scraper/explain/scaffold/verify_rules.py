"""Tries proposed rules on the page they were made from: what finds nothing there is not written."""

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

# Ways to the next page that are tried: each reads the whole page.
MAX_NEXT_PAGES_TRIED = 4


def verify_rules(drafts: Sequence[RuleDraft], page: Response) -> list[RuleDraft]:
    """Those of `drafts` that can be read and give something on `page`; in place of others what stands in for them."""
    kept = [compiled for draft in drafts if (compiled := _compilable(draft, page)) is not None]
    while kept:
        gives = count_yields(kept, page)
        if all(gives):
            break
        # One that gives nothing may have a plainer form that does.
        kept = [
            better
            for draft, count in zip(kept, gives, strict=True)
            if (better := draft if count else draft.fallback and _compilable(draft.fallback, page)) is not None
        ]
    return kept


def extract_with(drafts: Sequence[RuleDraft], page: Response) -> Extraction:
    """What `drafts`, which are right, find on `page`."""
    return _build_extractor(drafts, page).extract(page)


def count_yields(drafts: Sequence[RuleDraft], page: Response) -> list[int]:
    """How many items each of `drafts` makes of `page`; of a rule without fields how many addresses it leads to."""
    harvest = extract_with(drafts, page)
    items = [sum(1 for item in harvest.items if item.rule == n and has_values(item)) for n in range(len(drafts))]
    return [
        count if draft.get("fields") is not None else len(_followed_urls(draft, harvest))
        for draft, count in zip(drafts, items, strict=True)
    ]


def has_values(item: Item) -> bool:
    """Whether any field of an item has a value."""
    return any(value not in (None, "", [], {}, False) for value in item.fields.values())


def with_next_page(draft: RuleDraft, turns: Sequence[NextPageGuess], page: Response) -> RuleDraft:
    """`draft` with the first of `turns` as its `next` that leads from `page` where it should."""
    ways = [turn for turn in turns if turn.key == "next"]
    for turn in ways[:MAX_NEXT_PAGES_TRIED]:
        tried = replace(draft, entries=(*draft.entries, RuleEntry("next", turn.value, turn.comment)))
        if _compilable(tried, page) is not None:
            asked = extract_with([tried], page).requests
            if any(request.url.href == turn.target for request in asked):
                return tried
    return draft


def _followed_urls(draft: RuleDraft, harvest: Extraction) -> list[str]:
    """Addresses of a harvest that the `follow` of `draft` is about."""
    follow = draft.get("follow")
    pattern = str(follow["match"]) if isinstance(follow, Mapping) else ""
    found = [request.url.href for request in harvest.requests] + [link.url.href for link in harvest.links]
    return [href for href in dict.fromkeys(found) if re.search(pattern, href)]


def _compilable(draft: RuleDraft | None, page: Response) -> RuleDraft | None:
    """`draft`, or the first of what stands in for it, that is a right rule; None when none is."""
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
