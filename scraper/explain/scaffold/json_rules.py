"""What is in the JSON of an API: its lists of objects, their fields, and the way to the next page."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from scraper.explain.scaffold.pagination import Turn
from scraper.explain.scaffold.rule_draft import Draft, Entry, Value, examples
from scraper.explain.scaffold.structured_data import Leaf, find_leaves, jmespath
from scraper.extract.links.link_header import header_links
from scraper.extract.rules.follow_links import parameter, with_parameter
from scraper.model import Headers, Url
from scraper.urls.canonicalize import Base, canonicalise

MAX_VALUES = 5_000
"""Mappings and lists of a page that are looked at for lists of objects."""
MAX_DEPTH = 6
MOST_LISTS = 3
MOST_FIELDS = 20
NEXT_KEYS = re.compile(r"next|next_?(page)?_?(url|link|href)?|nextLink|@odata\.nextLink", re.IGNORECASE)
CURSOR_KEYS = re.compile(r"(next_?)?cursor|next_?(page)?_?(token|cursor)|continuation(_?token)?", re.IGNORECASE)
PAGES = ("page", "p", "page_number", "pageNumber")
OFFSETS = ("offset", "start", "skip", "from", "startIndex")
SIZES = ("limit", "per_page", "perPage", "page_size", "pageSize", "size", "count", "rows", "take", "top")
MEMBERS = ("", "href", "url")
"""Where below its key the address of the next page may stand."""

Path = tuple[str, ...]


def find_json(value: Any, url: Url, headers: Headers) -> tuple[list[Draft], list[Turn]]:
    """Rules for the JSON `value`, the richest first, and ways to the next page."""
    drafts = [_of_list(path, members) for _, path, members in _lists(value)[:MOST_LISTS]]
    if not drafts:
        leaves = find_leaves([value], most=MOST_FIELDS)
        if leaves:
            drafts = [Draft("the object", (Entry("fields", _fields(leaves)),), ("The page is one object: one item.",))]
    return [draft for draft in drafts if draft is not None], list(find_turns(value, url, headers, drafts))


def _lists(value: Any) -> list[tuple[float, Path, list[Any]]]:
    """Lists that may be items, the best first: many members with many values each, near the top."""
    found: list[tuple[float, Path, list[Any]]] = []
    waiting: deque[tuple[Any, Path]] = deque([(value, ())])
    seen = 0
    while waiting and seen < MAX_VALUES:
        here, path = waiting.popleft()
        seen += 1
        if isinstance(here, list) and here:
            objects = isinstance(here[0], Mapping)
            width = len(find_leaves(here, most=MOST_FIELDS)) if objects else 0.5
            if width and (objects or (not path and isinstance(here[0], str | int | float))):
                found.append((min(len(here), 50) * width / (1 + len(path)), path, here))
        elif isinstance(here, Mapping) and len(path) < MAX_DEPTH:
            waiting.extend((member, (*path, key)) for key, member in list(here.items())[:200] if _is_key(key))
    found.sort(key=lambda entry: -entry[0])
    return found


def _is_key(key: Any) -> bool:
    return isinstance(key, str) and 0 < len(key) <= 100


def _of_list(path: Path, members: list[Any]) -> Draft:
    where = jmespath(path) or "@"
    if isinstance(members[0], Mapping):
        fields = _fields(find_leaves(members, most=MOST_FIELDS))
    else:
        fields = (Entry("value", {"json": "@"}, examples(members[:2])),)
    each = Entry("each", {"json": where}, f"{len(members):,} on this page")
    return Draft(f"each: {where}", (each, Entry("fields", fields)))


def _fields(leaves: tuple[Leaf, ...]) -> tuple[Entry, ...]:
    return tuple(Entry(leaf.name, leaf.rule(), examples(leaf.examples)) for leaf in leaves)


def find_turns(value: Any, url: Url, headers: Headers, drafts: list[Draft]) -> Iterator[Turn]:
    """Ways to the next page: what the answer calls next, then what the address counts."""
    for link in header_links(headers.get_all("link")):
        if "next" in link.rels and (target := _target(link.target, url)):
            yield Turn({"rel": True}, target, "the Link header's rel=next")
            break
    for path, text in _texts(value):
        name = path[-1] if path[-1] not in MEMBERS else path[-2] if len(path) > 1 else ""
        if NEXT_KEYS.fullmatch(name) and text.startswith(("http://", "https://", "/", "?")):
            target = _target(text, url)
            if target:
                yield Turn({"json": jmespath(path)}, target, "the address of the next page")
    for path, text in _texts(value):
        if CURSOR_KEYS.fullmatch(path[-1]) and not text.startswith(("http://", "https://", "/", "?")):
            param = next((n for n in _cursor_names(path[-1]) if parameter(url.href, n) is not None), None)
            if param is not None:
                told = f"the value of {path[-1]} in the parameter {param}"
                yield Turn({"cursor": jmespath(path), "param": param}, with_parameter(url.href, param, text), told)
    yield from _counted(url)


def cursor_without_parameter(value: Any, url: Url) -> tuple[str, str] | None:
    """The path of a cursor whose parameter the address does not show, and a likely name of it."""
    for path, text in _texts(value):
        if CURSOR_KEYS.fullmatch(path[-1]) and not text.startswith(("http://", "https://", "/", "?")):
            names = _cursor_names(path[-1])
            if all(parameter(url.href, name) is None for name in names):
                return jmespath(path), names[0]
    return None


def _cursor_names(key: str) -> list[str]:
    """Parameters that take a cursor of this name: nextPageToken goes into pageToken."""
    bare = re.sub(r"^next_?", "", key, flags=re.IGNORECASE) or key
    bare = bare[:1].lower() + bare[1:]
    return list(dict.fromkeys((bare, key, "cursor", "after", "page_token", "pageToken")))


def _counted(url: Url) -> Iterator[Turn]:
    for name in PAGES:
        here = parameter(url.href, name)
        if here is not None and here.isascii() and here.isdigit() and len(here) < 10:
            target = with_parameter(url.href, name, str(int(here) + 1))
            yield Turn({"page": name}, target, f"pages are counted in {name}")
    sizes = (parameter(url.href, name) for name in SIZES)
    size = next((int(text) for text in sizes if text and text.isascii() and text.isdigit() and len(text) < 7), 0)
    for name in OFFSETS:
        here = parameter(url.href, name)
        if size and here is not None and here.isascii() and here.isdigit() and len(here) < 10:
            way: Value = {"offset": name, "step": size}
            yield Turn(way, with_parameter(url.href, name, str(int(here) + size)), f"items are counted in {name}")


def _texts(value: Any) -> Iterator[tuple[Path, str]]:
    """Texts that stand in mappings near the top, with their paths."""
    waiting: deque[tuple[Any, Path]] = deque([(value, ())])
    seen = 0
    while waiting and seen < MAX_VALUES:
        here, path = waiting.popleft()
        seen += 1
        if isinstance(here, Mapping) and len(path) < 3:
            waiting.extend((member, (*path, key)) for key, member in list(here.items())[:200] if _is_key(key))
        elif path and isinstance(here, str | int) and not isinstance(here, bool) and here != "":
            yield path, str(here)[:2_000]


def _target(text: str, url: Url) -> str | None:
    found = canonicalise(text, Base.of(url))
    return found.href if isinstance(found, Url) and found.href != url.href else None
