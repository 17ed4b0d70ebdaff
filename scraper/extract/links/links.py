"""Collects the links of a page.

A hot path: everything is done once for each distinct text of a link, and links that repeat (a site's menu, its
footer) are known by their text before they are parsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from scraper.errors import ExtractError
from scraper.extract.links.document import Document, refresh_target
from scraper.extract.links.link_header import parse_link_headers
from scraper.model import Headers, Url
from scraper.urls.canonicalize import DEFAULT_KEY_RULES, KeyRules, canonicalize

# Distinct links taken from one page; the rest is passed over.
MAX_LINKS = 20_000

# Relation types of `<link>` and the `Link` header that lead to pages.
FOLLOWED_RELS = frozenset({"next", "prev", "alternate"})
# Relation types by which a page asks robots not to follow a link.
NOFOLLOW_RELS = frozenset({"nofollow", "ugc", "sponsored"})

_ANCHOR_TAGS = frozenset({"a", "area"})
_FRAME_TAGS = frozenset({"iframe", "frame"})


def collect_link_texts(document: Document, headers: Headers | None = None, limit: int = MAX_LINKS) -> dict[str, bool]:
    """The distinct link texts of a page in document order, without their fragments, and whether each is nofollow.

    Sources: `a area[href]`, `link[rel~=next|prev|alternate]`, `iframe frame[src]`, `meta[http-equiv=refresh]`, and
    the `Link` header, whose targets are made absolute because a declared base is not theirs. A text is nofollow
    when every link with it is. Links within the page (`#top`) are none.
    """
    found: dict[str, bool] = {}
    for tag, node in zip(document.tags, document.nodes, strict=True):
        attributes = node.attributes  # a dict: asking `attrs` for what is not there takes three times as long
        if tag in _ANCHOR_TAGS:
            text, rel = attributes.get("href") or "", attributes.get("rel")
        elif tag in _FRAME_TAGS and "src" in attributes:
            text, rel = attributes["src"] or "", None
        elif tag == "link" and _is_page_rel(attributes.get("rel")):
            text, rel = attributes.get("href") or "", attributes.get("rel")
        else:
            continue
        cut = text.find("#")
        if cut >= 0:
            text = text[:cut]
            if not text or text.isspace():
                continue
        nofollow = rel is not None and not NOFOLLOW_RELS.isdisjoint(rel.lower().split())
        if text not in found:
            if len(found) >= limit:
                return found
            found[text] = nofollow
        elif not nofollow:
            found[text] = False
    for text, nofollow in _meta_and_header_links(document, headers):
        if len(found) < limit:
            found[text] = nofollow and found.get(text, True)
    return found


def collect_links(
    document: Document, headers: Headers | None = None, rules: KeyRules = DEFAULT_KEY_RULES, limit: int = MAX_LINKS
) -> list[tuple[Url, bool]]:
    """The distinct URLs that a page links to, in document order, and whether each is nofollow.

    URLs with the same key are one, as `rules` say; it is nofollow when every link to it is. What cannot be fetched
    (`mailto:`, junk) is left out. At most `limit` links are looked at.
    """
    base = document.base
    found: dict[str, tuple[Url, bool]] = {}
    for text, nofollow in collect_link_texts(document, headers, limit).items():
        url = canonicalize(text, base, rules)
        if not isinstance(url, Url):
            continue
        known = found.get(url.key)
        if known is None:
            found[url.key] = (url, nofollow)
        elif known[1] and not nofollow:
            found[url.key] = (known[0], False)
    return list(found.values())


def parse_file_selector(text: str) -> tuple[str, str]:
    """Split `img.cover@src` into a CSS selector and an attribute; without one it is empty: `src`, else `href`.

    Raises `ExtractError` when the selector cannot be used.
    """
    selector, _, attribute = text.partition("@")
    try:
        LexborHTMLParser("").css(selector)
    except (SelectolaxError, ValueError) as error:
        raise ExtractError(f"not a CSS selector: '{selector}'") from error
    return selector, attribute.strip()


def select_file_urls(document: Document, sources: Iterable[tuple[str, str]], limit: int = MAX_LINKS) -> list[str]:
    """The distinct addresses, as written, in the attributes that `sources` (see `parse_file_selector`) name."""
    found: dict[str, None] = {}
    for selector, attribute in sources:
        for node in document.tree.css(selector):
            attributes = node.attributes
            text = attributes.get(attribute) if attribute else attributes.get("src") or attributes.get("href")
            if text and len(found) < limit:
                found[text] = None
    return list(found)


def _meta_and_header_links(document: Document, headers: Headers | None) -> Iterator[tuple[str, bool]]:
    for attributes in document.metas:
        if (attributes.get("http-equiv") or "").strip().lower() == "refresh":
            target = refresh_target(attributes.get("content") or "")
            if target is not None:
                yield target.partition("#")[0], False
    for link in parse_link_headers(headers.get_all("link")) if headers is not None else ():
        if not FOLLOWED_RELS.isdisjoint(link.rels) and "stylesheet" not in link.rels:
            url = canonicalize(link.target, document.page_base)
            if isinstance(url, Url):
                yield url.href, not NOFOLLOW_RELS.isdisjoint(link.rels)


def _is_page_rel(rel: str | None) -> bool:
    rels = (rel or "").lower().split()
    return not FOLLOWED_RELS.isdisjoint(rels) and "stylesheet" not in rels
