"""What a crawl would make of one page: its links by fate, its items, and how each selector of the config fares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from scraper.config.extraction import ExtractRule
from scraper.config.schema import CrawlConfig
from scraper.explain.ask import Rules
from scraper.explain.selectors import Probe, Vocabulary, near_misses, probe_css
from scraper.extract.html import Document, parse
from scraper.extract.page import PageExtractor, is_html
from scraper.model import Harvest, Link, OutOfScope, Page
from scraper.politeness.robots import RobotsEntry
from scraper.translate import extract_settings

LINKS_SHOWN = 5
GROUPS_SHOWN = 12


class Group(NamedTuple):
    """Links of one fate: why, how many, and the first of them."""

    fate: str
    size: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SelectorCheck:
    """One selector of the config on this page: where it stands, what it is, and what it finds."""

    where: str
    selector: str
    count: int
    of: int | None = None
    """With `each`: in how many of the elements it was looked for."""
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """All that was found on a page. `document` is None for what is not HTML."""

    harvest: Harvest
    document: Document | None
    groups: tuple[Group, ...]
    checks: tuple[SelectorCheck, ...]
    idle_rules: tuple[str, ...]
    """Rules that are not meant for this page, with their `match`."""


def read_page(
    config: CrawlConfig, rules: Rules, page: Page, shown: int = LINKS_SHOWN, robots: RobotsEntry | None = None
) -> Reading:
    """Read `page` by the rules of `config`. Raises `ExtractError` when they cannot be compiled.

    With `robots`, what the robots.txt of the page's own origin forbids is told of the links, too.
    """
    extractor = PageExtractor(extract_settings(config, rules.scope, rules.keys))
    harvest = extractor.extract(page)
    content_type = page.headers.get("content-type")
    document = None
    if is_html(content_type, page):
        document = parse(page.body.read(), content_type, page.request.url)
    checks: list[SelectorCheck] = []
    idle: list[str] = []
    for index, rule in enumerate(config.extract):
        if rule.match is not None and not re.search(rule.match, page.request.url.href):
            idle.append(f"extract[{index}]: match '{rule.match}' is not in the URL")
        elif document is not None:
            checks += check_rule(document, rule, index)
    return Reading(
        harvest, document, group_links(_judged(harvest.links, page, robots), shown), tuple(checks), tuple(idle)
    )


def _judged(links: tuple[Link, ...], page: Page, robots: RobotsEntry | None) -> tuple[Link, ...]:
    if robots is None:
        return links
    origin = page.request.url.origin
    judged = []
    for link in links:
        if link.denied is None and link.url.origin == origin:
            verdict = robots.judge(link.url.target)
            if not verdict.allowed:
                link = link._replace(denied=OutOfScope("robots", verdict.rule))
        judged.append(link)
    return tuple(judged)


def group_links(links: tuple[Link, ...], shown: int) -> tuple[Group, ...]:
    """Links by what becomes of them: those to ask for first, then the refused by rule, the most frequent first."""
    groups: dict[str, list[str]] = {}
    for link in links:
        fate = f"ask for as {link.kind}" if link.denied is None else f"{link.denied.reason}: {link.denied.rule}"
        groups.setdefault(fate, []).append(link.url.href)
    ordered = sorted(groups.items(), key=lambda pair: (not pair[0].startswith("ask for"), -len(pair[1])))
    result = [Group(fate, len(urls), tuple(urls[:shown])) for fate, urls in ordered[:GROUPS_SHOWN]]
    if rest := ordered[GROUPS_SHOWN:]:
        result.append(Group(f"{len(rest)} further reasons", sum(len(urls) for _, urls in rest), ()))
    return tuple(result)


def check_rule(document: Document, rule: ExtractRule, index: int) -> Iterator[SelectorCheck]:
    """How the selectors of one rule fare on the page."""
    vocabulary = Vocabulary.of(document)
    where = f"extract[{index}]"
    blocks = None
    each = rule.each.css if rule.each is not None else None
    if rule.each is not None and each is None:
        return  # members of a list in JSON: there are no elements to look in
    if each is not None:
        blocks = document.tree.css(each)
        hints = () if blocks else tuple(near_misses(document, each, vocabulary))
        yield SelectorCheck(f"{where}.each", each, len(blocks), hints=hints)
        if not blocks:
            return
    for name, field in rule.fields.items():
        if field.css is None:
            continue
        place = f"{where}.fields.{name}"
        if blocks is None:
            probe: Probe = probe_css(document, field.css, vocabulary)
            yield SelectorCheck(place, field.css, probe.count, hints=probe.hints)
            continue
        found = sum(1 for block in blocks if block.css_first(field.css) is not None)
        hints = ()
        if not found:
            elsewhere = len(document.tree.css(field.css))
            outside = (f"it is on the page {elsewhere}x, but not inside {each!r}",) if elsewhere else ()
            hints = outside or tuple(near_misses(document, field.css, vocabulary))
        yield SelectorCheck(place, field.css, found, len(blocks), hints)
