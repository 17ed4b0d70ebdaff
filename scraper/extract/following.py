"""Where a rule leads: `follow` to the pages it names, with a label and values to carry, `next` through a list of pages.

A rule only says which addresses; `Trail` makes requests of them, judged by the crawl's scope as every link is. The
request for a page that is also an ordinary link replaces that link.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote_plus, unquote_plus

import orjson

from scraper.extract.fields import MISSING, Field, FieldSettings, Partly, View, compile_regex
from scraper.extract.link_header import header_links
from scraper.extract.optional import JsonPath
from scraper.extract.pipeline import make_field
from scraper.extract.values import Refusal
from scraper.model import Headers, Link, OutOfScope, Page, Request, Url
from scraper.urls.canonicalise import canonicalise

MAX_FOLLOWED = 10_000
"""Most requests that the rules make of one page."""
CARRIED_CHARS = 65_536
"""Longest JSON of the values that one request carries, in characters."""

Judge = Callable[[Url, int], OutOfScope | None]


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
    """How a page of a list leads to the next one: a link, or a parameter of its own address.

    `css`, `xpath`, `json`: the address; `rel`: the page's link or `Link` header that says next. `page` and `offset`
    name a parameter that grows by `step` from `first` until a page brings no item, or beyond `last`. `cursor` is
    JMESPath to a value that goes into `param`.
    """

    css: str | None = None
    xpath: str | None = None
    json: str | None = None
    rel: bool = False
    page: str | None = None
    offset: str | None = None
    first: int = 1
    step: int = 1
    last: int | None = None
    cursor: str | None = None
    param: str | None = None


class Follow:
    """A compiled `follow`. Errors as `Rule`."""

    __slots__ = ("_field", "_match", "settings")

    def __init__(self, settings: FollowSettings) -> None:
        s = self.settings = settings
        self._field = _addresses("follow", s.css, s.xpath, s.json, s.regex, many=True)
        self._match = compile_regex(s.match, "follow.match") if s.match is not None else None

    def addresses(self, place: Any, view: View) -> list[str]:
        """The absolute addresses at `place`; what is none is left out."""
        found = _value(self._field.read(place, view))
        if not isinstance(found, list):
            return []
        return [href for href in found if self._match is None or self._match.search(href)]


class Next:
    """A compiled `next`. Errors as `Rule`."""

    __slots__ = ("_cursor", "_field", "_settings")

    def __init__(self, settings: NextSettings) -> None:
        s = self._settings = settings
        linked = s.css is not None or s.xpath is not None or s.json is not None
        self._field = _addresses("next", s.css, s.xpath, s.json, None, many=False) if linked else None
        self._cursor = JsonPath(s.cursor, "next.cursor") if s.cursor is not None else None

    def address(self, view: View, page: Page, items: int) -> str | None:
        """The address of the page after this one, or None when this is the last. `items` is how many it brought."""
        s, href = self._settings, page.request.url.href
        if self._field is not None:
            found = _value(self._field.read(view.root, view))
            return found if isinstance(found, str) else None
        if s.rel:
            return _rel_next(view, page.headers)
        if self._cursor is not None:
            value = self._cursor.read(view.root)
            if value in (None, "", False) or isinstance(value, dict | list | Refusal):
                return None
            return with_parameter(href, s.param or "cursor", str(value))
        name = s.page or s.offset or ""
        text = parameter(href, name)
        here = int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 15 else s.first
        after = here + s.step
        if not items or (s.last is not None and after > s.last):
            return None
        return with_parameter(href, name, str(after))


class Trail:
    """The requests that the rules make of one page, as it is read."""

    def __init__(self, page: Page, judge: Judge, view: View, links: Sequence[Link]) -> None:
        """`links` are the page's own, whose nofollow is respected."""
        self.page, self._judge, self._view = page, judge, view
        self._unwanted = {link.url.key for link in links if link.nofollow}
        self.requests: dict[str, Request] = {}
        self.denied: dict[str, Link] = {}

    def follow(self, rule: Follow, place: Any, values: Mapping[str, Any]) -> str | None:
        """Add what `rule` finds at `place`; `values` are the item's. Returns what went wrong, or None."""
        s, source = rule.settings, self.page.request
        carried = {name: portable(values[name]) for name in s.carry if values.get(name) is not None} or None
        if carried is not None and len(orjson.dumps(carried)) > CARRIED_CHARS:
            return f"the values to carry are longer than {CARRIED_CHARS} characters"
        depth = source.depth + 1
        priority = depth if s.priority is None else s.priority
        for href in rule.addresses(place, self._view):
            self._add(href, depth, priority, s.label, carried)
        return None

    def turn(self, address: str | None) -> None:
        """Add the next page of a list: as deep as this one, with its label and what it carries."""
        source = self.page.request
        if address is not None:
            self._add(address, source.depth, source.priority, source.label, source.carried)

    def _add(self, href: str, depth: int, priority: int, label: str | None, carried: Mapping[str, Any] | None) -> None:
        url = canonicalise(href, self._view.base, self._view.keys)
        if isinstance(url, OutOfScope) or url.key in self.requests or len(self.requests) >= MAX_FOLLOWED:
            return
        denied = NOFOLLOW if url.key in self._unwanted else self._judge(url, depth)
        if denied is not None:
            self.denied.setdefault(url.key, Link(url, denied))
            return
        parent = self.page.request.url.href
        self.requests[url.key] = Request(url, depth, parent, "page", priority, label=label, carried=carried)


NOFOLLOW = OutOfScope("nofollow", "nofollow: the link's rel")


def joined(own: Mapping[str, Any], carried: Mapping[str, Any]) -> dict[str, Any]:
    """An item's own fields with what was carried to its page; where both have a value its own counts."""
    return {**own, **{name: value for name, value in carried.items() if own.get(name) is None}}


def portable(value: Any) -> Any:
    """`value` as JSON keeps it: exact numbers as text, as the outputs write them."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): portable(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [portable(member) for member in value]
    return value


def parameter(href: str, name: str) -> str | None:
    """The value of the query parameter `name`, decoded, or None; of several the first."""
    query = href.partition("#")[0].partition("?")[2]
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if unquote_plus(key) == name:
            return unquote_plus(value)
    return None


def with_parameter(href: str, name: str, value: str) -> str:
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


def _addresses(
    where: Literal["follow", "next"],
    css: str | None,
    xpath: str | None,
    json: str | None,
    regex: str | None,
    *,
    many: bool,
) -> Field:
    if css is None and xpath is None and json is None and regex is None:
        css = "a[href]"
    return make_field(FieldSettings(where, css=css, xpath=xpath, json=json, regex=regex, type="url", many=many), where)


def _value(read: Any) -> Any:
    value = read.value if isinstance(read, Partly) else read
    return None if value is MISSING or isinstance(value, Refusal) else value


def _rel_next(view: View, headers: Headers) -> str | None:
    for link in header_links(headers.get_all("link")):
        if "next" in link.rels:
            return link.target
    for node in view.root.css("link[rel][href],a[rel][href]") if hasattr(view.root, "css") else ():
        if "next" in (node.attributes.get("rel") or "").lower().split():
            return str(node.attributes.get("href") or "")
    return None
