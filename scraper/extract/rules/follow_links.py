"""Where a rule leads: `follow` to the pages it names, with a label and values to carry, `next` through a list of pages.

A rule only says which addresses; `FollowUps` makes requests of them, judged by the crawl's scope as every link is. The
request for a page that is also an ordinary link replaces that link.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from urllib.parse import quote_plus, unquote_plus

import orjson

from scraper.extract.links.link_header import parse_link_headers
from scraper.extract.rules.css_field import MISSING, Field, FieldSettings, PageContext, PartialValue, compile_regex
from scraper.extract.rules.field_pipeline import compile_field
from scraper.extract.rules.json_pointer import JsonPointer, parse_content
from scraper.extract.rules.optional_libraries import JmesPath
from scraper.extract.rules.value_parsers import ParseFailure
from scraper.model import Content, Headers, Link, OutOfScope, Request, Response, Url
from scraper.urls.canonicalize import canonicalize
from scraper.urls.post_identity import with_post_key

# Most requests that the rules make of one page.
MAX_FOLLOW_REQUESTS = 10_000
# Longest JSON of the values that one request carries, in characters.
MAX_CARRY_CHARS = 65_536

ScopeCheck = Callable[[Url, int], OutOfScope | None]


@dataclass(frozen=True, slots=True)
class FollowSettings:
    """Which pages to go to from an item's element or a page: addresses by `css`, `xpath`, `json` or `regex`.

    Without any, all links of the element. `match` is a regex on the address. `priority`: lower goes first; None is the
    depth, as for every link. `label` chooses the rules for the page; `carry` names fields whose values go with it.
    """

    css: str | None = None
    xpath: str | None = None
    json: str | None = None
    regex: str | None = None
    match: str | None = None
    label: str | None = None
    priority: int | None = None
    carry: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NextSettings:
    """How a page of a list leads to the next one: a link, or a value in its own request.

    `css`, `xpath`, `json`: the address; `rel`: the page's link or `Link` header that says next. `page` and `offset`
    name a value that grows by `step` from `first` until a page brings no item, or beyond `last`. `cursor` is JMESPath
    to a value that goes into `param`. A text names a parameter of the query, a `JsonPointer` a place in the posted
    JSON.
    """

    css: str | None = None
    xpath: str | None = None
    json: str | None = None
    rel: bool = False
    page: str | JsonPointer | None = None
    offset: str | JsonPointer | None = None
    first: int = 1
    step: int = 1
    last: int | None = None
    cursor: str | None = None
    param: str | JsonPointer | None = None


class NextRequest(NamedTuple):
    """The next page of a list: its address, and what is posted to it (None: it is a GET)."""

    href: str
    content: Content | None = None


class FollowRule:
    """A compiled `follow`. Errors as `Rule`."""

    __slots__ = ("_field", "_match", "settings")

    def __init__(self, settings: FollowSettings) -> None:
        s = self.settings = settings
        self._field = _compile_url_field("follow", s.css, s.xpath, s.json, s.regex, many=True)
        self._match = compile_regex(s.match, "follow.match") if s.match is not None else None

    def find_urls(self, node: Any, context: PageContext) -> list[str]:
        """The absolute addresses at `node`; what is none is left out."""
        found = _found_value(self._field.read(node, context))
        if not isinstance(found, list):
            return []
        return [href for href in found if self._match is None or self._match.search(href)]


class NextPageRule:
    """A compiled `next`. Errors as `Rule`."""

    __slots__ = ("_cursor", "_field", "_settings")

    def __init__(self, settings: NextSettings) -> None:
        s = self._settings = settings
        linked = s.css is not None or s.xpath is not None or s.json is not None
        self._field = _compile_url_field("next", s.css, s.xpath, s.json, None, many=False) if linked else None
        self._cursor = JmesPath(s.cursor, "next.cursor") if s.cursor is not None else None

    def next_request(self, context: PageContext, page: Response, items: int) -> NextRequest | ParseFailure | None:
        """The page after this one, None when this is the last; a `ParseFailure` when its request cannot be made.

        `items` is how many this one brought. A link is asked for by GET; what changes a value keeps the method.
        """
        s, request = self._settings, page.request
        if self._field is not None:
            found = _found_value(self._field.read(context.root, context))
            return NextRequest(found) if isinstance(found, str) else None
        if s.rel:
            linked = _find_rel_next(context, page.headers)
            return None if linked is None else NextRequest(linked)
        if self._cursor is not None:
            return _with_cursor(request, s.param or "cursor", self._cursor.read(context.root))
        return self._next_number(request, s.page or s.offset or "", items)

    def _next_number(self, request: Request, node: str | JsonPointer, items: int) -> NextRequest | ParseFailure | None:
        if isinstance(node, str):
            errors: Any = query_param(request.url.href, node)
        elif request.content is None:
            return NO_CONTENT_FAILURE if items else None
        else:
            document = parse_content(request.content)
            if isinstance(document, ParseFailure):
                return document
            errors = node.read(document)
        here = _parse_count(errors)
        after = (self._settings.first if here is None else here) + self._settings.step
        if not items or (self._settings.last is not None and after > self._settings.last):
            return None
        return _with_changed_value(request, node, str(after) if isinstance(errors, str) else after)


class FollowUps:
    """The requests that the rules make of one page, as it is read."""

    def __init__(self, page: Response, judge: ScopeCheck, context: PageContext, links: Sequence[Link]) -> None:
        """`links` are the page's own, whose nofollow is respected."""
        self.page, self._check_scope, self._context = page, judge, context
        self._nofollow_keys = {link.url.key for link in links if link.nofollow}
        self.requests: dict[str, Request] = {}
        self.denied: dict[str, Link] = {}

    def add_followed(self, rule: FollowRule, node: Any, values: Mapping[str, Any]) -> str | None:
        """Add what `rule` finds at `node`; `values` are the item's. Returns what went wrong, or None."""
        s, source = rule.settings, self.page.request
        carried = {name: to_json_value(values[name]) for name in s.carry if values.get(name) is not None} or None
        if carried is not None and len(orjson.dumps(carried)) > MAX_CARRY_CHARS:
            return f"the values to carry are longer than {MAX_CARRY_CHARS} characters"
        depth = source.depth + 1
        priority = depth if s.priority is None else s.priority
        for href in rule.find_urls(node, self._context):
            self._add(href, depth, priority, s.label, carried)
        return None

    def add_next_page(self, to: NextRequest) -> None:
        """Add the next page of a list: as deep as this one, with its label and what it carries."""
        source = self.page.request
        self._add(to.href, source.depth, source.priority, source.label, source.inherited_fields, to.content)

    def _add(
        self,
        href: str,
        depth: int,
        priority: int,
        label: str | None,
        carried: Mapping[str, Any] | None,
        content: Content | None = None,
    ) -> None:
        url = canonicalize(href, self._context.base, self._context.key_rules)
        if isinstance(url, OutOfScope):
            return
        if content is not None:
            url = with_post_key(url, content)
        if url.key in self.requests or len(self.requests) >= MAX_FOLLOW_REQUESTS:
            return
        denied = NOFOLLOW_LINK if url.key in self._nofollow_keys else self._check_scope(url, depth)
        if denied is not None:
            self.denied.setdefault(url.key, Link(url, denied))
            return
        parent = self.page.request.url.href
        self.requests[url.key] = Request(
            url, depth, parent, "page", priority, label=label, inherited_fields=carried, content=content
        )


NO_CONTENT_FAILURE = ParseFailure("this page was asked for by GET: there is no body to change")
NOFOLLOW_LINK = OutOfScope("nofollow", "nofollow: the link's rel")


def merge_inherited(own: Mapping[str, Any], carried: Mapping[str, Any]) -> dict[str, Any]:
    """An item's own fields with what was carried to its page; where both have a value its own counts."""
    return {**own, **{name: value for name, value in carried.items() if own.get(name) is None}}


def to_json_value(value: Any) -> Any:
    """`value` as JSON keeps it: exact numbers as text, as the outputs write them."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): to_json_value(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(member) for member in value]
    return value


def query_param(href: str, name: str) -> str | None:
    """The value of the query parameter `name`, decoded, or None; of several the first."""
    query = href.partition("#")[0].partition("?")[2]
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if unquote_plus(key) == name:
            return unquote_plus(value)
    return None


def with_query_param(href: str, name: str, value: str) -> str:
    """`href` with the query parameter `name` at `value`; all others stay as they are written, in their places."""
    address, _, query = href.partition("#")[0].partition("?")
    written = f"{quote_plus(name)}={quote_plus(value)}"
    pairs = [pair for pair in query.split("&") if pair]
    at = [index for index, pair in enumerate(pairs) if unquote_plus(pair.partition("=")[0]) == name]
    if at:
        pairs[at[0]] = written
    else:
        pairs.append(written)
    return f"{address}?{'&'.join(pairs)}"


def _compile_url_field(
    key_path: Literal["follow", "next"],
    css: str | None,
    xpath: str | None,
    json: str | None,
    regex: str | None,
    *,
    many: bool,
) -> Field:
    if css is None and xpath is None and json is None and regex is None:
        css = "a[href]"
    return compile_field(
        FieldSettings(key_path, css=css, xpath=xpath, json=json, regex=regex, type="url", many=many), key_path
    )


def _found_value(read: Any) -> Any:
    value = read.value if isinstance(read, PartialValue) else read
    return None if value is MISSING or isinstance(value, ParseFailure) else value


def _parse_count(errors: Any) -> int | None:
    """A count as the request tells it: a whole number, or a text of digits."""
    if isinstance(errors, str):
        return int(errors) if errors.isascii() and errors.isdigit() and len(errors) < 15 else None
    return errors if isinstance(errors, int) and not isinstance(errors, bool) and abs(errors) < 10**15 else None


def _with_cursor(request: Request, node: str | JsonPointer, value: Any) -> NextRequest | ParseFailure | None:
    if isinstance(value, ParseFailure) or value in (None, "", False, [], {}):
        return None
    if isinstance(node, str):
        return None if isinstance(value, dict | list) else _with_changed_value(request, node, value)
    return _with_changed_value(request, node, value)


def _with_changed_value(request: Request, node: str | JsonPointer, value: Any) -> NextRequest | ParseFailure:
    """The same request with `value` at `node`."""
    href = request.url.href
    if isinstance(node, str):
        return NextRequest(with_query_param(href, node, str(value)), request.content)
    if request.content is None:
        return NO_CONTENT_FAILURE
    content = node.update_content(request.content, value)
    return content if isinstance(content, ParseFailure) else NextRequest(href, content)


def _find_rel_next(context: PageContext, headers: Headers) -> str | None:
    for link in parse_link_headers(headers.get_all("link")):
        if "next" in link.rels:
            return link.target
    for node in context.root.css("link[rel][href],a[rel][href]") if hasattr(context.root, "css") else ():
        if "next" in (node.attributes.get("rel") or "").lower().split():
            return str(node.attributes.get("href") or "")
    return None
