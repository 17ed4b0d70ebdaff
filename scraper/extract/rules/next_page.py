"""`next`: how a rule goes from one page of a list to the next one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote_plus, unquote_plus

from scraper.extract.links.link_header import parse_link_headers
from scraper.extract.rules.json_pointer import JsonPointer, parse_content
from scraper.extract.rules.optional_libraries import JmesPath
from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.extract.rules.url_field import compile_url_field, read_or_none
from scraper.model import Content, Headers, Request, Response

# Where a value is in a request: the name of a query parameter, or a pointer into the posted JSON.
Location = str | JsonPointer

NO_CONTENT_FAILURE = ParseFailure("this page was requested by GET: there is no body to change")


@dataclass(frozen=True, slots=True)
class NextSettings:
    """How to find the next page. One of:

    - `css`, `xpath`, `json`: its URL on this page.
    - `rel`: the `Link` header or the link of this page with rel next.
    - `page`, `offset`: the location of a number that is `first` on the first page and grows by `step`, until a page
      has no items or the number exceeds `last`; with `stop_on_repeat` also until a page repeats an earlier one.
    - `cursor`: JMESPath of a value on this page, which goes to the location `param` of the next request.
    """

    css: str | None = None
    xpath: str | None = None
    json: str | None = None
    rel: bool = False
    page: Location | None = None
    offset: Location | None = None
    first: int = 1
    step: int = 1
    last: int | None = None
    stop_on_repeat: bool = True
    cursor: str | None = None
    param: Location | None = None


class NextRequest(NamedTuple):
    """The URL of the next page, and the content to post to it (None for a GET)."""

    href: str
    content: Content | None = None


class NextPageRule:
    """A compiled `next`. Errors as of `ExtractionRule`."""

    __slots__ = ("_cursor", "_settings", "_url_field", "stops_on_repeat")

    def __init__(self, settings: NextSettings) -> None:
        s = self._settings = settings
        by_url = s.css is not None or s.xpath is not None or s.json is not None
        self._url_field = compile_url_field("next", css=s.css, xpath=s.xpath, json=s.json) if by_url else None
        self.stops_on_repeat = s.stop_on_repeat and (s.page is not None or s.offset is not None)
        self._cursor = JmesPath(s.cursor, "next.cursor") if s.cursor is not None else None

    def next_request(self, context: PageContext, page: Response, item_count: int) -> NextRequest | ParseFailure | None:
        """The request for the page after `page`, which gave `item_count` items. None if `page` is the last one.

        A URL found on the page is fetched by GET; a changed value keeps the method. A `ParseFailure` says why the
        request cannot be made.
        """
        s, request = self._settings, page.request
        if self._url_field is not None:
            found = read_or_none(self._url_field, context.root, context)
            return NextRequest(found) if isinstance(found, str) else None
        if s.rel:
            rel_next = _find_rel_next(context, page.headers)
            return None if rel_next is None else NextRequest(rel_next)
        if self._cursor is not None:
            return _with_cursor(request, s.param or "cursor", self._cursor.read(context.root))
        return self._with_next_number(request, s.page or s.offset or "", item_count)

    def _with_next_number(
        self, request: Request, location: Location, item_count: int
    ) -> NextRequest | ParseFailure | None:
        if isinstance(location, str):
            written: Any = query_param(request.url.href, location)
        elif request.content is None:
            return NO_CONTENT_FAILURE if item_count else None
        else:
            document = parse_content(request.content)
            if isinstance(document, ParseFailure):
                return document
            written = location.read(document)
        number = _parse_count(written)
        next_number = (self._settings.first if number is None else number) + self._settings.step
        if not item_count or (self._settings.last is not None and next_number > self._settings.last):
            return None
        # A number that was written as a text in JSON stays one.
        return _with_value(request, location, str(next_number) if isinstance(written, str) else next_number)


def query_param(href: str, name: str) -> str | None:
    """The value of the query parameter `name`, decoded; the first if there are several, None if there is none."""
    query = href.partition("#")[0].partition("?")[2]
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if unquote_plus(key) == name:
            return unquote_plus(value)
    return None


def with_query_param(href: str, name: str, value: str) -> str:
    """`href` with the first query parameter `name` set to `value`, or added; all others stay as they are written."""
    address, _, query = href.partition("#")[0].partition("?")
    pair_to_set = f"{quote_plus(name)}={quote_plus(value)}"
    pairs = [pair for pair in query.split("&") if pair]
    for index, pair in enumerate(pairs):
        if unquote_plus(pair.partition("=")[0]) == name:
            pairs[index] = pair_to_set
            break
    else:
        pairs.append(pair_to_set)
    return f"{address}?{'&'.join(pairs)}"


def _parse_count(written: Any) -> int | None:
    """The number in a request: a whole number, or a text of digits. None for anything else, and for absurd lengths."""
    if isinstance(written, str):
        return int(written) if written.isascii() and written.isdigit() and len(written) < 15 else None
    return written if isinstance(written, int) and not isinstance(written, bool) and abs(written) < 10**15 else None


def _with_cursor(request: Request, location: Location, cursor: Any) -> NextRequest | ParseFailure | None:
    if isinstance(cursor, ParseFailure) or cursor in (None, "", False, [], {}):
        return None  # so APIs say that this is the last page
    if isinstance(location, str):
        return None if isinstance(cursor, dict | list) else _with_value(request, location, cursor)
    return _with_value(request, location, cursor)


def _with_value(request: Request, location: Location, value: Any) -> NextRequest | ParseFailure:
    """The same request with `value` at `location`."""
    href = request.url.href
    if isinstance(location, str):
        return NextRequest(with_query_param(href, location, str(value)), request.content)
    if request.content is None:
        return NO_CONTENT_FAILURE
    content = location.update_content(request.content, value)
    return content if isinstance(content, ParseFailure) else NextRequest(href, content)


def _find_rel_next(context: PageContext, headers: Headers) -> str | None:
    for link in parse_link_headers(headers.get_all("link")):
        if "next" in link.rels:
            return link.target
    for node in context.root.css("link[rel][href],a[rel][href]") if hasattr(context.root, "css") else ():
        if "next" in (node.attributes.get("rel") or "").lower().split():
            return str(node.attributes.get("href") or "")
    return None
