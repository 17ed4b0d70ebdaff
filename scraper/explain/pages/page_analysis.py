"""What a crawl would make of one page: its links by fate, its items, and how each selector of the config fares."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from scraper.config.schema.crawl import CrawlConfig
from scraper.config_to_settings import extract_settings
from scraper.explain.pages.page_request import UrlRules
from scraper.explain.pages.parsed_page import ParsedPage
from scraper.explain.pages.selector_checks import RuleChecker, SelectorCheck
from scraper.extract.page_extractor import PageExtractor
from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.rule import RuleSettings, formats_of
from scraper.model import Extraction, Link, OutOfScope, Request, Response
from scraper.politeness.robots_cache import RobotsEntry
from scraper.urls.canonicalize import BaseUrl

LINKS_SHOWN = 5
GROUPS_SHOWN = 12


class LinkGroup(NamedTuple):
    """Links of one fate: why, how many, and the first of them."""

    outcome: str
    link_count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageAnalysis:
    """All that was found on a page. `surface` is the page as expressions see it."""

    extraction: Extraction
    parsed: ParsedPage
    link_groups: tuple[LinkGroup, ...]
    selector_checks: tuple[SelectorCheck, ...]
    skipped_rules: tuple[str, ...]
    """Rules that are not meant for this page, and why not."""


def analyze_page(
    config: CrawlConfig,
    rules: UrlRules,
    page: Response,
    max_links: int = LINKS_SHOWN,
    robots: RobotsEntry | None = None,
) -> PageAnalysis:
    """Read `page` by the rules of `config`. Raises `ExtractError` when they cannot be compiled, `MissingExtraError`.

    With `robots`, what the robots.txt of the page's own origin forbids is told of the links, too.
    """
    settings = extract_settings(config, rules.scope, rules.keys)
    harvest = PageExtractor(settings).extract(page)
    surface = ParsedPage(page)
    base = surface.document.base if surface.document is not None else BaseUrl.of(page.request.url)
    checker = RuleChecker(surface, PageContext(surface.root, base, rules.keys, harvest.links, lambda: surface.text))
    checks: list[SelectorCheck] = []
    idle: list[str] = []
    for index, rule in enumerate(settings.rules):
        if (reason := _idle(rule, surface, page)) is not None:
            idle.append(f"extract[{index}]: {reason}")
        elif surface.problem is None and surface.root is not None:
            checks += checker.check_rule(rule, index)
    links = _judged(harvest.links, page, robots)
    groups = (*group_requests(harvest.requests, max_links), *group_links(links, max_links))
    return PageAnalysis(harvest, surface, groups, tuple(checks), tuple(idle))


def _idle(rule: RuleSettings, surface: ParsedPage, page: Response) -> str | None:
    """Why a rule is not meant for this page; None when it is."""
    if rule.match is not None and not re.search(rule.match, page.request.url.href):
        return f"match '{rule.match}' is not in the URL"
    if rule.label != page.request.label:
        return f"only for pages that a follow with the label '{rule.label}' leads to"
    media = formats_of(rule)
    if surface.kind.lower() not in media:
        return f"it reads {' or '.join(sorted(media)).upper()}, this page is {surface.kind}"
    return None


def group_requests(requests: tuple[Request, ...], max_links: int) -> tuple[LinkGroup, ...]:
    """What the rules' follow and next ask for, by label."""
    groups: dict[str, list[str]] = {}
    for request in requests:
        label = f" with the label {request.label}" if request.label is not None else ""
        groups.setdefault(f"ask for by follow and next{label}", []).append(request.url.href)
    return tuple(LinkGroup(fate, len(urls), tuple(urls[:max_links])) for fate, urls in groups.items())


def _judged(links: tuple[Link, ...], page: Response, robots: RobotsEntry | None) -> tuple[Link, ...]:
    if robots is None:
        return links
    origin = page.request.url.origin
    judged = []
    for link in links:
        if link.denied is None and link.url.origin == origin:
            verdict = robots.check(link.url.target)
            if not verdict.allowed:
                link = link._replace(denied=OutOfScope("robots", verdict.rule))
        judged.append(link)
    return tuple(judged)


def group_links(links: tuple[Link, ...], max_links: int) -> tuple[LinkGroup, ...]:
    """Links by what becomes of them: those to ask for first, then the refused by rule, the most frequent first."""
    groups: dict[str, list[str]] = {}
    for link in links:
        fate = f"ask for as {link.kind}" if link.denied is None else f"{link.denied.reason}: {link.denied.rule}"
        groups.setdefault(fate, []).append(link.url.href)
    ordered = sorted(groups.items(), key=lambda pair: (not pair[0].startswith("ask for"), -len(pair[1])))
    result = [LinkGroup(fate, len(urls), tuple(urls[:max_links])) for fate, urls in ordered[:GROUPS_SHOWN]]
    if rest := ordered[GROUPS_SHOWN:]:
        result.append(LinkGroup(f"{len(rest)} further reasons", sum(len(urls) for _, urls in rest), ()))
    return tuple(result)
