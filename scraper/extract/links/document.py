"""Parses a page and reads what it says about itself: its base, its directives for robots, its canonical address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser

from scraper.extract.links.depth_guard import is_too_deep
from scraper.extract.links.link_header import parse_link_headers
from scraper.extract.text.charset import decode_as, sniff_encoding
from scraper.extract.text.encodings import python_codec
from scraper.model import Headers, Url
from scraper.urls.canonicalize import BaseUrl, canonicalize

# Our name in robots directives, beside `robots` and `*`.
ROBOTS_PRODUCT = "scraper"
TOO_DEEP_PROBLEM = "not parsed: its elements are nested too deeply"

# Without mutation events: a page of 16,000 <option> takes 9 ms to parse and not 1,242.
_PARSER_OPTIONS = LexborDocumentOptions.WO_EVENTS
# One walk over the tree for all that a page says about itself and of others: a walk costs a third of the parse.
_COLLECTED_SELECTOR = "[href],meta,iframe,frame"
_UTF8_BOM = b"\xef\xbb\xbf"
_UNICODE_ENCODINGS = frozenset({"utf-8", "utf-16le", "utf-16be"})
_DIRECTIVE_SEPARATOR = re.compile(r"[\s,]+")
_REFRESH_REGEX = re.compile(r"\s*[0-9.]+\s*[;,\s]\s*(?:url\s*=\s*)?(.*)", re.IGNORECASE | re.DOTALL)
# Directives that carry a value, so that a colon after them does not end a robot's name.
_DIRECTIVES_WITH_VALUE = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


# An element's attributes by name; None for one without a value.
Attributes = dict[str, str | None]


class RobotsDirectives(NamedTuple):
    """What a page asks of robots: not to keep it, not to follow its links."""

    noindex: bool = False
    nofollow: bool = False


class Document:
    """A parsed page.

    `tree` is selectolax's parser, `charset` the encoding's WHATWG name, `url` where the page was found (after
    redirects), `page` that address and `base` the declared one, for resolving links. `nodes` are the elements with an
    href, the frames and the metas, in document order, and `tags` their tags; `metas` are the attributes of each meta.
    `problem` says why the tree is empty although the page is not.
    """

    __slots__ = ("base", "charset", "metas", "nodes", "page_base", "problem", "tags", "tree", "url")

    def __init__(self, tree: LexborHTMLParser, charset: str, url: Url, problem: str | None = None) -> None:
        self.tree = tree
        self.charset = charset
        self.url = url
        self.problem = problem
        # Browsers write the query of a link in the page's own encoding, unless that is a form of Unicode.
        self.page_base = BaseUrl(url, None if charset in _UNICODE_ENCODINGS else python_codec(charset))
        self.nodes = tree.css(_COLLECTED_SELECTOR)
        self.tags = [node.tag for node in self.nodes]
        self.base = self._declared_base() if "base" in self.tags else self.page_base
        self.metas: list[Attributes] = [
            node.attributes for tag, node in zip(self.tags, self.nodes, strict=True) if tag == "meta"
        ]

    def _declared_base(self) -> BaseUrl:
        # Only the first one with an href counts, even when it is useless; those without are not among the nodes.
        first = self.nodes[self.tags.index("base")]
        return self.page_base.join(first.attributes["href"] or "") or self.page_base


def parse_document(data: bytes, content_type: str | None, url: Url) -> Document:
    """Parse the page `data` that was found at `url`; `content_type` is the header's value.

    Takes any bytes and never raises; the caller bounds their number. Bytes that are no characters become U+FFFD.
    """
    charset = sniff_encoding(data, content_type)
    if charset == "utf-8":
        markup = data[3:] if data.startswith(_UTF8_BOM) else data
    else:
        markup = decode_as(data, charset).encode("utf-8", "replace")
    if is_too_deep(markup):
        return Document(LexborHTMLParser(b"", options=_PARSER_OPTIONS), charset, url, TOO_DEEP_PROBLEM)
    return Document(LexborHTMLParser(markup, options=_PARSER_OPTIONS), charset, url)


def robots_directives(document: Document | None, headers: Headers, product: str = ROBOTS_PRODUCT) -> RobotsDirectives:
    """What the page's `<meta name=robots>` and `X-Robots-Tag` headers ask for: the union of all that apply to us.

    `product` is our name, which both may use instead of the general one. `document` is None for what is not HTML.
    """
    asked: set[str] = set()
    names = {"robots", product.lower()}
    for attributes in document.metas if document is not None else ():
        if (attributes.get("name") or "").strip().lower() in names:
            asked.update(_DIRECTIVE_SEPARATOR.split((attributes.get("content") or "").lower()))
    for value in headers.get_all("x-robots-tag"):
        asked.update(_header_directives(value.lower(), names | {"*"}))
    return RobotsDirectives("noindex" in asked or "none" in asked, "nofollow" in asked or "none" in asked)


def find_canonical(document: Document | None, headers: Headers, url: Url) -> str | None:
    """The page's canonical address (RFC 6596) from `<link rel=canonical>` in its head and the `Link` header.

    None when it has none, when it cannot be fetched, and when the page names several that differ.
    """
    found: set[str] = set()
    for text, base in _canonical_candidates(document, headers, url):
        target = canonicalize(text, base)
        if isinstance(target, Url):
            found.add(target.href)
    return found.pop() if len(found) == 1 else None


def refresh_target(content: str) -> str | None:
    """Where a `<meta http-equiv=refresh>` with this `content` leads, or None (HTML standard, 4.2.5.3)."""
    match = _REFRESH_REGEX.match(content)
    if match is None:
        return None
    target = match[1].strip()
    if target[:1] in {'"', "'"}:
        target = target[1:].partition(target[0])[0]
    return target or None


def _canonical_candidates(document: Document | None, headers: Headers, url: Url) -> Iterator[tuple[str, BaseUrl]]:
    if document is not None and document.tree.head is not None:
        for node in document.tree.head.css("link"):
            attributes = node.attributes
            if "canonical" in (attributes.get("rel") or "").lower().split() and attributes.get("href"):
                yield attributes["href"] or "", document.base
    for link in parse_link_headers(headers.get_all("link")):
        if "canonical" in link.rels:
            yield link.target, BaseUrl.of(url)


def _header_directives(value: str, names: Iterable[str]) -> Iterator[str]:
    ours = True
    for part in value.split(","):
        name, colon, rest = part.strip().partition(":")
        if colon and name.strip() not in _DIRECTIVES_WITH_VALUE:
            ours = name.strip() in names  # a robot's name holds for the rest of its header
            part = rest
        if ours:
            yield part.strip()
