"""Guess how one page of a list leads to the next: by rel=next, by class, by the link's text, or by page numbers.

Every guess is verified before it is written to a config: as a rule's `next` it must yield the URL it was guessed from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from selectolax.lexbor import LexborNode

from scraper.explain.scaffold.rule_draft import YamlValue
from scraper.extract.links.document import Document
from scraper.extract.links.link_header import parse_link_headers
from scraper.extract.rules.next_page import query_param, with_query_param
from scraper.model import Headers, Url
from scraper.report.text.sanitize import clean
from scraper.urls.canonicalize import BaseUrl, canonicalize

NEXT_WORDS = re.compile(
    r"^\W*(next|older|more|weiter|nächste|suivant|siguiente|próxima|volgende)\b|^[›»→>]+$", re.IGNORECASE
)
REL_NEXT_SELECTORS = ("link[rel~=next i]", "a[rel~=next i]")
NEXT_CLASS_SELECTORS = (".next a", "a.next", ".pagination-next a", "a.pagination-next", ".pager-next a")
# The link after the marked number of the current page.
AFTER_CURRENT_SELECTORS = (
    ".current + a",
    ".active + a",
    "[aria-current] + a",
    ".active + li a",
    ".current + li a",
    "strong + a",
)
PAGE_PARAMS = ("page", "p", "pg", "paged", "pagenum", "pageno", "page_no", "seite")
# Links of a page whose texts are read.
MAX_LINKS = 2_000
MAX_PAGE_NUMBER = 1_000_000
_PLAIN_WORDS = re.compile(r"[\w ]{1,40}")
_CLASS_NAME = re.compile(r"-?[A-Za-z_][A-Za-z0-9_-]{0,40}")


@dataclass(frozen=True, slots=True)
class NextPageGuess:
    """A guess for a rule's pagination: its `key` (`next` or `follow`) and `value`, and the URL it should lead to."""

    value: YamlValue
    target: str
    comment: str
    key: str = "next"


def find_next_pages(document: Document, headers: Headers) -> Iterator[NextPageGuess]:
    """Guesses for the next page, the most reliable first."""
    own = document.url.href
    for link in parse_link_headers(headers.get_all("link")):
        if "next" in link.rels and (target := _resolve(link.target, BaseUrl.of(document.url), own)):
            yield NextPageGuess({"rel": True}, target, "the Link header's rel=next")
            break
    for css in REL_NEXT_SELECTORS:
        node = document.tree.css_first(css)
        if node is not None and (target := _resolve(_href(node), document.base, own)):
            yield NextPageGuess({"rel": True}, target, "rel=next")
    yield from _by_class(document)
    links = list(_links_with_targets(document))
    yield from _by_text(document, links)
    yield from _by_number(document)
    yield from by_parameter(document.url, [target for node, target in links if _page_number(node) is not None])
    yield from _by_path(document.url, links)


def _by_class(document: Document) -> Iterator[NextPageGuess]:
    for css in NEXT_CLASS_SELECTORS:
        node = document.tree.css_first(css)
        if node is not None and (target := _resolve(_href(node), document.base, document.url.href)):
            yield NextPageGuess(css, target, f"a link with this class: {_link_text(node)}")


def _by_text(document: Document, links: list[tuple[LexborNode, str]]) -> Iterator[NextPageGuess]:
    for node, target in links:
        attributes = node.attributes
        texts = [(node.text() or "").strip()[:40], attributes.get("aria-label") or "", attributes.get("title") or ""]
        if any(NEXT_WORDS.search(text.strip()) for text in texts if text):
            for css in _selectors(node, texts[0]):
                first = document.tree.css_first(css)
                if first is not None and first.mem_id == node.mem_id:
                    yield NextPageGuess(css, target, f"a link that reads {_link_text(node)}")
                    return


def _selectors(node: LexborNode, text: str) -> Iterator[str]:
    """Selectors that may match just this link, the most meaningful first."""
    names = [name for name in (node.attributes.get("class") or "").split() if _CLASS_NAME.fullmatch(name)]
    parent = node.parent
    above = (parent.attributes.get("class") or "").split() if parent is not None else []
    for key in ("aria-label", "title"):
        value = node.attributes.get(key) or ""
        if _PLAIN_WORDS.fullmatch(value):
            yield f'a[{key}="{value}"]'
    yield from (f"a.{name}" for name in names[:3])
    yield from (f".{name} > a" for name in above[:3] if _CLASS_NAME.fullmatch(name))
    if _PLAIN_WORDS.fullmatch(text) or NEXT_WORDS.fullmatch(text):
        yield f'a:lexbor-contains("{text}")'


def _by_number(document: Document) -> Iterator[NextPageGuess]:
    """The link after the current page's number, when that number is marked by a class or aria-current."""
    for css in AFTER_CURRENT_SELECTORS:
        node = document.tree.css_first(css)
        if node is None or not (target := _resolve(_href(node), document.base, document.url.href)):
            continue
        marked = document.tree.css_first(css.partition(" + ")[0])
        here, after = _page_number(marked), _page_number(node)
        if here is not None and after == here + 1:
            yield NextPageGuess(css, target, f"the page after number {here}")


def by_parameter(url: Url, targets: list[str]) -> Iterator[NextPageGuess]:
    """Query parameters that count pages or items, from the links to this same path."""
    bare = url.href.partition("?")[0]
    own = _query_params(url.href)
    counted: dict[str, dict[int, str]] = {}
    for target in targets:
        if target.partition("?")[0] == bare:
            other = _query_params(target)
            changed = [name for name in {**own, **other} if own.get(name) != other.get(name)]
            # Only a link that differs in one numeric parameter can be another page of the list.
            if len(changed) == 1 and (number := _parse_number(other.get(changed[0], ""))) is not None:
                counted.setdefault(changed[0], {})[number] = target
    for name, numbers in counted.items():
        here = _parse_number(own.get(name, ""))
        steps = sorted(number for number in numbers if number > (here or 0))
        # One link with a number may be anything (`?id=17`), unless the parameter's name says page.
        if not steps or (name not in PAGE_PARAMS and len(numbers) < 2):
            continue
        yield from _counting_rules(url, name, here, steps)


def _counting_rules(url: Url, name: str, here: int | None, steps: list[int]) -> Iterator[NextPageGuess]:
    """What the parameter `name` counts, from this page's number (`here`) and the larger ones in links (`steps`).

    1. This page has no number and a link has 2: pages are counted from 1.
    2. The next number is one larger: pages, counted from 0 when this page has no number.
    3. All numbers are multiples of one step away: items, `step` on a page.
    """
    step = steps[0] - (here or 0)
    if here is None and 1 not in steps and 2 in steps:
        yield NextPageGuess({"page": name}, with_query_param(url.href, name, "2"), f"pages are counted in {name}")
    elif step == 1:
        rule: YamlValue = {"page": name} if here is not None else {"page": name, "first": 0}
        yield NextPageGuess(
            rule, with_query_param(url.href, name, str((here or 0) + 1)), f"pages are counted in {name}"
        )
    elif step > 1 and all((number - (here or 0)) % step == 0 for number in steps):
        comment = f"items are counted in {name}, {step} a page"
        yield NextPageGuess(
            {"offset": name, "step": step}, with_query_param(url.href, name, str((here or 0) + step)), comment
        )


def _by_path(url: Url, links: list[tuple[LexborNode, str]]) -> Iterator[NextPageGuess]:
    for node, target in links:
        if _page_number(node) is not None and "?" not in target and (pattern := page_pattern(url, target)):
            yield NextPageGuess({"match": pattern}, target, "pages are counted in the path", "follow")
            return


def page_pattern(here: Url, following: str | None) -> str | None:
    """A regular expression for all pages of a list, from this page's URL and the next one's.

    None when the two do not differ by a number.
    """
    if following is None or not following.startswith(here.origin + "/"):
        return None
    own, other = here.target, following[len(here.origin) :]
    # The last number first: earlier ones in a path are mostly years or ids.
    for number in reversed(list(re.finditer(r"[0-9]+", other))):
        pattern = f"{escape_regex(other[: number.start()])}[0-9]+{escape_regex(other[number.end() :])}$"
        if re.search(pattern, own):
            return pattern
        # The first page of a list often has no number: `/list/` and `/list/page-2`, or `/list` and `/list?page=2`.
        if number[0] == "2" and other.startswith(own.partition("?")[0].rpartition("/")[0]):
            return f"{pattern}|{escape_regex(own)}$"
    return None


def list_pattern(here: Url, following: str) -> str | None:
    """A regular expression for the pages of a list that differ in their query alone: `/books` and `/books?after=10`.

    None if the next page has another path.
    """
    path = here.target.partition("?")[0]
    if following.partition("?")[0] != here.origin + path:
        return None
    return f"{escape_regex(here.origin.partition('//')[2])}{escape_regex(path)}(\\?|$)"


def escape_regex(text: str) -> str:
    """`text` escaped for a regular expression. Unlike `re.escape` it leaves hyphens and slashes readable."""
    return re.sub(r"([.?+*()\[\]{}|^$\\])", r"\\\1", text)


def _links_with_targets(document: Document) -> Iterator[tuple[LexborNode, str]]:
    for node in document.tree.css("a[href]")[:MAX_LINKS]:
        if target := _resolve(_href(node), document.base, document.url.href):
            yield node, target


def _href(node: LexborNode) -> str:
    return node.attributes.get("href") or ""


def _resolve(text: str, base: BaseUrl, own: str) -> str | None:
    found = canonicalize(text, base) if text else None
    return found.href if isinstance(found, Url) and found.href != own else None


def _link_text(node: LexborNode) -> str:
    return repr(clean((node.text() or "").strip(), 20))


def _page_number(node: LexborNode | None) -> int | None:
    return None if node is None else _parse_number((node.text() or "").strip())


def _parse_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 and int(text) <= MAX_PAGE_NUMBER else None


def _query_params(href: str) -> Mapping[str, str]:
    """The query parameters by name; of several with the same name the first."""
    names = [unquote_plus(pair.partition("=")[0]) for pair in href.partition("?")[2].split("&")[:50] if pair]
    return {name: query_param(href, name) or "" for name in names}
