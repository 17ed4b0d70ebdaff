"""What a crawl would extract from one page: links by outcome, items, and the matches of every selector of the config.

Used by `scrape try`.
"""

from __future__ import annotations

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
from scraper.urls.url_regex import UrlRegex

LINKS_SHOWN = 5
GROUPS_SHOWN = 12


class LinkGroup(NamedTuple):
    """Links that a crawl treats alike: fetched as a page, or refused by one rule. `examples` are the first of them."""

    outcome: str
    link_count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageAnalysis:
    """All that was found on a page. `parsed` is the page that expressions are evaluated on.

    `skipped_rules` says for each rule that does not apply to this page why not.
    """

    extraction: Extraction
    parsed: ParsedPage
    link_groups: tuple[LinkGroup, ...]
    selector_checks: tuple[SelectorCheck, ...]
    skipped_rules: tuple[str, ...]


def analyze_page(
    config: CrawlConfig,
    rules: UrlRules,
    page: Response,
    max_links: int = LINKS_SHOWN,
    robots: RobotsEntry | None = None,
) -> PageAnalysis:
    """Apply the rules of `config` to `page`; at most `max_links` examples are kept for each group of links.

    With `robots`, links that the robots.txt of the page's own origin forbids are in groups of their own.
    Raises `ExtractionRuleError` when a rule cannot be compiled, `MissingExtraError` when it needs a library that is
    missing.
    """
    settings = extract_settings(config, rules.scope, rules.keys)
    extraction = PageExtractor(settings).extract(page)
    parsed = ParsedPage(page)
    base = parsed.document.base if parsed.document is not None else BaseUrl.of(page.request.url)
    checker = RuleChecker(parsed, PageContext(parsed.root, base, rules.keys, extraction.links, lambda: parsed.text))
    checks: list[SelectorCheck] = []
    skipped: list[str] = []
    for index, rule in enumerate(settings.rules):
        if (reason := _skip_reason(rule, parsed, page)) is not None:
            skipped.append(f"extract[{index}]: {reason}")
        # An unreadable page has no matches to count; its problem is reported instead.
        elif parsed.problem is None and parsed.root is not None:
            checks += checker.check_rule(rule, index)
    links = _with_robots_verdicts(extraction.links, page, robots)
    groups = (*group_requests(extraction.requests, max_links), *group_links(links, max_links))
    return PageAnalysis(extraction, parsed, groups, tuple(checks), tuple(skipped))


def _skip_reason(rule: RuleSettings, parsed: ParsedPage, page: Response) -> str | None:
    """Why a rule does not apply to this page; None when it does."""
    if rule.match is not None and not UrlRegex(rule.match).search(page.request.url.href):
        return f"match '{rule.match}' is not in the URL"
    if rule.label != page.request.label:
        return f"only for pages that a follow with the label '{rule.label}' leads to"
    media = formats_of(rule)
    if parsed.kind.lower() not in media:
        return f"it reads {' or '.join(sorted(media)).upper()}, this page is {parsed.kind}"
    return None


def group_requests(requests: tuple[Request, ...], max_links: int) -> tuple[LinkGroup, ...]:
    """The requests that `follow` and `next` of the rules make, by label."""
    groups: dict[str, list[str]] = {}
    for request in requests:
        label = f" with the label {request.label}" if request.label is not None else ""
        groups.setdefault(f"fetch by follow and next{label}", []).append(request.url.href)
    return tuple(LinkGroup(outcome, len(urls), tuple(urls[:max_links])) for outcome, urls in groups.items())


def _with_robots_verdicts(links: tuple[Link, ...], page: Response, robots: RobotsEntry | None) -> tuple[Link, ...]:
    if robots is None:
        return links
    origin = page.request.url.origin
    checked = []
    for link in links:
        # Only this origin's robots.txt is at hand; links to other hosts stay as they are.
        if link.denied is None and link.url.origin == origin:
            verdict = robots.check(link.url.target)
            if not verdict.allowed:
                link = link._replace(denied=OutOfScope("robots", verdict.rule))
        checked.append(link)
    return tuple(checked)


def group_links(links: tuple[Link, ...], max_links: int) -> tuple[LinkGroup, ...]:
    """Links by outcome: those a crawl would fetch first, then the refused ones by rule, the largest group first."""
    groups: dict[str, list[str]] = {}
    for link in links:
        outcome = f"fetch as {link.kind}" if link.denied is None else f"{link.denied.reason}: {link.denied.rule}"
        groups.setdefault(outcome, []).append(link.url.href)
    ordered = sorted(groups.items(), key=lambda pair: (not pair[0].startswith("fetch as"), -len(pair[1])))
    result = [LinkGroup(outcome, len(urls), tuple(urls[:max_links])) for outcome, urls in ordered[:GROUPS_SHOWN]]
    # A page may have links refused by hundreds of rules: sum up the smaller groups.
    if rest := ordered[GROUPS_SHOWN:]:
        result.append(LinkGroup(f"{len(rest)} further reasons", sum(len(urls) for _, urls in rest), ()))
    return tuple(result)
