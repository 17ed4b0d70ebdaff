"""`follow`: the pages that a rule goes to from an item, with a label and values that their items inherit.

A rule only finds URLs. `FollowUps` makes requests of them, each of which needs the consent of the crawl's scope like
any link. A request for a page that is also an ordinary link replaces that link.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import orjson

from scraper.extract.rules.compile import compile_url_regex
from scraper.extract.rules.listing_pages import add_digest
from scraper.extract.rules.next_page import NextRequest
from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.url_field import compile_url_field, read_or_none
from scraper.model import Content, Link, OutOfScope, Request, Response, Url
from scraper.urls.canonicalize import canonicalize
from scraper.urls.post_identity import with_post_key

# Requests that all rules together make of one page.
MAX_FOLLOW_REQUESTS = 10_000
# Characters of JSON that one request carries to the next page: every request in the queue keeps its own.
MAX_CARRY_CHARS = 65_536

NOFOLLOW_LINK = OutOfScope("nofollow", "nofollow: the link's rel")

# Takes a URL and its depth; None if it is in scope, else why not (see `Scope.check`).
ScopeCheck = Callable[[Url, int], OutOfScope | None]


@dataclass(frozen=True, slots=True)
class FollowSettings:
    """Which pages to go to from an item's element, or from a page: URLs by `css`, `xpath`, `json` or `regex`.

    Without any of these: all links of the element. `match`: a regular expression that the URL must contain. `label`:
    chooses the rules for the page. `priority`: lower goes first; None is the depth, as for any link. `carry`: names of
    fields whose values the items of that page inherit.
    """

    css: str | None = None
    xpath: str | None = None
    json: str | None = None
    regex: str | None = None
    match: str | None = None
    label: str | None = None
    priority: int | None = None
    carry: tuple[str, ...] = ()


class FollowRule:
    """A compiled `follow`. Errors as of `ExtractionRule`."""

    __slots__ = ("_match", "_url_field", "settings")

    def __init__(self, settings: FollowSettings) -> None:
        s = self.settings = settings
        self._url_field = compile_url_field("follow", css=s.css, xpath=s.xpath, json=s.json, regex=s.regex, many=True)
        self._match = compile_url_regex(s.match, "follow.match") if s.match is not None else None

    def find_urls(self, node: Any, context: PageContext) -> list[str]:
        """The absolute URLs at `node`; texts that are no URL are left out."""
        found = read_or_none(self._url_field, node, context)
        if not isinstance(found, list):
            return []
        return [href for href in found if self._match is None or self._match.search(href)]


class FollowUps:
    """Collects the requests that the rules make of one page.

    `requests`: those in scope, by key. `denied`: links to those that are not. `notices`: what the user should know of
    pages that are not followed. `links`: the page's own links if nofollow
    is respected; a URL that one of them marks as nofollow is denied.
    """

    def __init__(self, page: Response, check_scope: ScopeCheck, context: PageContext, links: Sequence[Link]) -> None:
        self.page, self._check_scope, self._context = page, check_scope, context
        self._nofollow_keys = {link.url.key for link in links if link.nofollow}
        self.requests: dict[str, Request] = {}
        self.denied: dict[str, Link] = {}
        self.notices: list[str] = []

    def add_followed(self, rule: FollowRule, node: Any, values: Mapping[str, Any]) -> str | None:
        """Add what `rule` finds at `node`; `values` are the fields of the item. Returns what went wrong, or None."""
        s, source = rule.settings, self.page.request
        carried = {name: to_json_value(values[name]) for name in s.carry if values.get(name) is not None} or None
        if carried is not None and len(orjson.dumps(carried)) > MAX_CARRY_CHARS:
            return f"the values to carry are longer than {MAX_CARRY_CHARS} characters"
        depth = source.depth + 1
        priority = depth if s.priority is None else s.priority
        for href in rule.find_urls(node, self._context):
            self._add(href, depth, priority, s.label, carried)
        return None

    def add_next_page(self, to: NextRequest, digest: str | None = None) -> None:
        """Add the next page of a list. Its depth, label and inherited fields are those of this page.

        `digest`: that of this page, if the list ends where a page repeats an earlier one.
        """
        source = self.page.request
        key = self._add(to.href, source.depth, source.priority, source.label, source.inherited_fields, to.content)
        # Several rules may count the same pages: each finds its own digests.
        if digest is not None and (request := self.requests.get(key or "")) is not None:
            earlier = request.earlier_pages or source.earlier_pages
            self.requests[request.url.key] = replace(request, earlier_pages=add_digest(earlier, digest))

    def _add(
        self,
        href: str,
        depth: int,
        priority: int,
        label: str | None,
        inherited_fields: Mapping[str, Any] | None,
        content: Content | None = None,
    ) -> str | None:
        """Add one request. Returns its key, also if it is known or denied; None if `href` is no URL."""
        url = canonicalize(href, self._context.base, self._context.key_rules)
        if isinstance(url, OutOfScope):
            return None
        if content is not None:
            url = with_post_key(url, content)
        if url.key in self.requests or len(self.requests) >= MAX_FOLLOW_REQUESTS:
            return url.key
        denied = NOFOLLOW_LINK if url.key in self._nofollow_keys else self._check_scope(url, depth)
        if denied is not None:
            self.denied.setdefault(url.key, Link(url, denied))
            return url.key
        parent = self.page.request.url.href
        self.requests[url.key] = Request(
            url, depth, parent, "page", priority, label=label, inherited_fields=inherited_fields, content=content
        )
        return url.key


def merge_inherited(own: Mapping[str, Any], inherited: Mapping[str, Any]) -> dict[str, Any]:
    """An item's own fields with those it inherits; an own field wins unless it is None."""
    return {**own, **{name: value for name, value in inherited.items() if own.get(name) is None}}


def to_json_value(value: Any) -> Any:
    """`value` as JSON can hold it: decimals as text, as the outputs write them."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): to_json_value(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(member) for member in value]
    return value
