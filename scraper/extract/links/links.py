"""Collects the links of a page, as texts and as URLs.

A hot path. Links are first collected by their text, so that a link that occurs several times on a page is parsed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from scraper.errors import ExtractionRuleError
from scraper.extract.bounds import DEFAULT_BOUNDS, LINKS_KEY, URL_CHARS_KEY, BeyondBounds
from scraper.extract.links.document import Document, refresh_target
from scraper.extract.links.images import SRCSET_ATTRIBUTES, image_address, parse_srcset
from scraper.extract.links.link_header import parse_link_headers
from scraper.model import Headers, Url
from scraper.urls.canonicalize import DEFAULT_KEY_RULES, URL_TOO_LONG, KeyRules, canonicalize

# Relation types by which `<link>` and the `Link` header name pages.
FOLLOWED_RELS = frozenset({"next", "prev", "alternate"})
# Relation types of links that robots should not follow.
NOFOLLOW_RELS = frozenset({"nofollow", "ugc", "sponsored"})

_ANCHOR_TAGS = frozenset({"a", "area"})
_FRAME_TAGS = frozenset({"iframe", "frame"})


def collect_link_texts(
    document: Document,
    headers: Headers | None = None,
    limit: int = DEFAULT_BOUNDS.links,
    beyond: BeyondBounds | None = None,
) -> dict[str, bool]:
    """The distinct links of a page as written, without fragments, in document order; each with whether it is nofollow.

    Read from `a[href]`, `area[href]`, `link[href]` with rel next, prev or alternate, `iframe[src]`, `frame[src]`,
    `meta[http-equiv=refresh]`, `a[xlink:href]` in SVG, and the headers `Link` and `Refresh`. Targets of headers are
    made absolute here, because a declared base does not apply to them. A text is nofollow if every link with it is.
    Links within the page (`#top`) are left out. At most `limit`; the further distinct ones are counted in `beyond`.
    """
    found: dict[str, bool] = {}
    left_out: set[int] = set()  # hashes: the texts themselves would keep all of a flood in memory
    for tag, node in zip(document.tags, document.nodes, strict=True):
        attributes = node.attributes  # as a dict: `node.attrs` takes three times as long for a missing name
        if tag in _ANCHOR_TAGS:
            text, rel = attributes.get("href"), attributes.get("rel")
            if text is None:  # SVG's own attribute, which is none in HTML
                if "xlink:href" not in attributes or not _is_in_svg(node):
                    continue
                text = attributes["xlink:href"] or ""
        elif tag in _FRAME_TAGS and "src" in attributes:
            text, rel = attributes["src"] or "", None
        elif tag == "link" and _is_page_rel(attributes.get("rel")):
            text, rel = attributes.get("href") or "", attributes.get("rel")
        else:
            continue
        fragment_start = text.find("#")
        if fragment_start >= 0:
            text = text[:fragment_start]
            if not text or text.isspace():
                continue
        nofollow = rel is not None and not NOFOLLOW_RELS.isdisjoint(rel.lower().split())
        if text not in found:
            if len(found) < limit:
                found[text] = nofollow
            else:
                left_out.add(hash(text))
        elif not nofollow:
            found[text] = False
    for text, nofollow in _meta_and_header_links(document, headers):
        if text in found or len(found) < limit:
            found[text] = nofollow and found.get(text, True)
        else:
            left_out.add(hash(text))
    if left_out and beyond is not None:
        beyond.add(LINKS_KEY, len(left_out))
    return found


def collect_links(
    document: Document,
    headers: Headers | None = None,
    rules: KeyRules = DEFAULT_KEY_RULES,
    limit: int = DEFAULT_BOUNDS.links,
    beyond: BeyondBounds | None = None,
) -> list[tuple[Url, bool]]:
    """The distinct URLs that a page links to, in document order; each with whether it is nofollow.

    URLs with the same key by `rules` are one; it is nofollow if every link to it is. Links that are no http URLs
    (`mailto:`, malformed) are left out. At most `limit` links are parsed; the others are counted in `beyond`.
    """
    base = document.base
    found: dict[str, tuple[Url, bool]] = {}
    for text, nofollow in collect_link_texts(document, headers, limit, beyond).items():
        url = canonicalize(text, base, rules)
        if not isinstance(url, Url):
            if url is URL_TOO_LONG and beyond is not None:
                beyond.add(URL_CHARS_KEY, 1)
            continue
        same_key = found.get(url.key)
        if same_key is None:
            found[url.key] = (url, nofollow)
        elif same_key[1] and not nofollow:
            found[url.key] = (same_key[0], False)
    return list(found.values())


def parse_file_selector(text: str) -> tuple[str, str]:
    """Split `img.cover@src` into a CSS selector and an attribute, which is empty if none is given.

    Raises `ExtractionRuleError` if the selector is none.
    """
    selector, _, attribute = text.partition("@")
    try:
        LexborHTMLParser("").css(selector)
    except (SelectolaxError, ValueError) as error:
        raise ExtractionRuleError(f"not a CSS selector: '{selector}'") from error
    return selector, attribute.strip().lower()


def select_file_urls(
    document: Document,
    sources: Iterable[tuple[str, str]],
    limit: int = DEFAULT_BOUNDS.links,
    beyond: BeyondBounds | None = None,
) -> list[str]:
    """The distinct URLs, as written, in the attributes that `sources` (see `parse_file_selector`) select.

    Without an attribute in the source, `src` is read (see `image_address`), or else `href`. `srcset` is a list of URLs.
    At most `limit`; the others are counted in `beyond`.
    """
    found: dict[str, None] = {}
    left_out: set[int] = set()
    for selector, attribute in sources:
        for node in document.tree.css(selector):
            attributes = node.attributes
            if attribute in SRCSET_ATTRIBUTES:
                texts = parse_srcset(attributes.get(attribute) or "")
            else:
                text = attributes.get(attribute) if attribute else image_address(attributes) or attributes.get("href")
                texts = [text] if text else []
            for text in texts:
                if text in found:
                    continue
                if len(found) < limit:
                    found[text] = None
                else:
                    left_out.add(hash(text))
    if left_out and beyond is not None:
        beyond.add(LINKS_KEY, len(left_out))
    return list(found)


def _meta_and_header_links(document: Document, headers: Headers | None) -> Iterator[tuple[str, bool]]:
    for attributes in document.metas:
        if (attributes.get("http-equiv") or "").strip().lower() == "refresh":
            target = refresh_target(attributes.get("content") or "")
            if target is not None:
                yield target.partition("#")[0], False
    if headers is None:
        return
    if (refresh := headers.get("refresh")) is not None and (target := refresh_target(refresh)) is not None:
        url = canonicalize(target, document.page_base)
        if isinstance(url, Url):
            yield url.href, False
    for link in parse_link_headers(headers.get_all("link")):
        if not FOLLOWED_RELS.isdisjoint(link.rels) and "stylesheet" not in link.rels:
            url = canonicalize(link.target, document.page_base)
            if isinstance(url, Url):
                yield url.href, not NOFOLLOW_RELS.isdisjoint(link.rels)


def _is_in_svg(node: LexborNode) -> bool:
    ancestor = node.parent
    while ancestor is not None and ancestor.tag != "svg":
        ancestor = ancestor.parent
    return ancestor is not None


def _is_page_rel(rel: str | None) -> bool:
    rels = (rel or "").lower().split()
    return not FOLLOWED_RELS.isdisjoint(rels) and "stylesheet" not in rels
