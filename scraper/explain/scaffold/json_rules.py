"""Draft rules for the JSON of an API: its lists of objects, their fields, and the next page."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from scraper.explain.scaffold.field_names import snake_case, unique_name
from scraper.explain.scaffold.pagination import NextPageGuess
from scraper.explain.scaffold.rule_draft import RuleDraft, RuleEntry, YamlValue, examples_text
from scraper.explain.scaffold.structured_data import ObjectProperty, find_properties, to_jmespath
from scraper.extract.links.link_header import parse_link_headers
from scraper.extract.rules.next_page import query_param, with_query_param
from scraper.model import Headers, Url
from scraper.urls.canonicalize import BaseUrl, canonicalize

# Values of a page that are visited in the search for lists of objects.
MAX_VALUES = 5_000
MAX_DEPTH = 6
MAX_LISTS = 3
MAX_FIELDS = 20
# Rows that are lists: how many are compared, and the columns that become fields.
MAX_ROWS_READ = 50
MAX_COLUMNS = 60
# Where an object in the list of columns has the column's name.
COLUMN_NAME_KEYS = ("name", "fieldName", "field", "id", "title", "label")
NEXT_KEYS = re.compile(r"next|next_?(page)?_?(url|link|href)?|nextLink|@odata\.nextLink", re.IGNORECASE)
CURSOR_KEYS = re.compile(r"(next_?)?cursor|next_?(page)?_?(token|cursor)|continuation(_?token)?", re.IGNORECASE)
PAGE_PARAMS = ("page", "p", "page_number", "pageNumber")
OFFSET_PARAMS = ("offset", "start", "skip", "from", "startIndex")
SIZE_PARAMS = ("limit", "per_page", "perPage", "page_size", "pageSize", "size", "count", "rows", "take", "top")
# Keys inside the value of a "next" key that may hold the URL; "" is the value itself.
ADDRESS_MEMBERS = ("", "href", "url")

Path = tuple[str, ...]


def draft_json_rules(value: Any, url: Url, headers: Headers) -> tuple[list[RuleDraft], list[NextPageGuess]]:
    """Draft rules for the JSON `value`, the richest list first, and guesses for the next page."""
    drafts = [
        _matrix_rule(value, path, members) if isinstance(members[0], list) else _list_rule(path, members)
        for _, path, members in _find_lists(value)[:MAX_LISTS]
    ]
    if not drafts:
        leaves = find_properties([value], limit=MAX_FIELDS)
        if leaves:
            drafts = [
                RuleDraft(
                    "the object", (RuleEntry("fields", _field_entries(leaves)),), ("The page is one object: one item.",)
                )
            ]
    return [draft for draft in drafts if draft is not None], list(find_next_pages(value, url, headers, drafts))


def _find_lists(value: Any) -> list[tuple[float, Path, list[Any]]]:
    """Lists that may be the items, best first: many members, many values in each, and near the top of the page."""
    found: list[tuple[float, Path, list[Any]]] = []
    queue: deque[tuple[Any, Path]] = deque([(value, ())])
    seen = 0
    while queue and seen < MAX_VALUES:
        here, path = queue.popleft()
        seen += 1
        if isinstance(here, list) and here:
            # A list of plain values is an item list only as the whole page.
            objects = isinstance(here[0], Mapping)
            rows = _row_width(here)
            width = len(find_properties(here, limit=MAX_FIELDS)) if objects else rows or 0.5
            if width and (objects or rows or (not path and isinstance(here[0], str | int | float))):
                # Beyond 50 members, a longer list is no better than a richer one.
                found.append((min(len(here), 50) * width / (1 + len(path)), path, here))
        elif isinstance(here, Mapping) and len(path) < MAX_DEPTH:
            queue.extend((member, (*path, key)) for key, member in list(here.items())[:200] if _is_key(key))
    found.sort(key=lambda entry: -entry[0])
    return found


def _row_width(rows: list[Any]) -> int:
    """The columns of a list of rows that are lists of values; 0 if it is none."""
    first, sample = rows[0], rows[:MAX_ROWS_READ]
    if not isinstance(first, list) or len(first) < 2 or len(rows) < 2:
        return 0
    plain = (str, int, float, type(None))
    alike = all(isinstance(row, list) and len(row) == len(first) for row in sample)
    return len(first) if alike and all(isinstance(value, plain) for row in sample for value in row) else 0


def _matrix_rule(document: Any, path: Path, rows: list[Any]) -> RuleDraft:
    """A rule for rows that are lists: the columns' names are in a list beside them, or in the first row."""
    where = to_jmespath(path)
    names = _column_names(document, path, len(rows[0]))
    comment = "the columns' names are in a list beside the rows"
    if names is None and _is_header(rows):
        names, rows, comment = [str(name) for name in rows[0]], rows[1:], "the first row has the columns' names"
        where = f"{where or '@'}[1:]"
    elif names is None:
        names, comment = [f"column_{number}" for number in range(1, len(rows[0]) + 1)], "the columns have no names"
    taken: set[str] = set()
    fields = tuple(
        RuleEntry(
            unique_name(snake_case(name), taken),
            {"json": f"[{number}]"},
            examples_text([row[number] for row in rows[:MAX_ROWS_READ] if row[number] is not None][:2]),
        )
        for number, name in enumerate(names[:MAX_COLUMNS])
    )
    where = where or "@"
    each = RuleEntry("each", {"json": where}, f"{len(rows):,} rows on this page; {comment}")
    dropped = len(names) - len(fields)
    after = (f"{dropped} further columns: the next is json: '[{len(fields)}]'",) if dropped else ()
    return RuleDraft(f"each: {where}", (each, RuleEntry("fields", fields)), (), after)


def _column_names(document: Any, path: Path, width: int) -> list[str] | None:
    """Names for `width` columns in a list beside the rows: `columns`, `fields`, `header` ..., texts or objects."""
    beside = document
    for key in path[:-1]:
        beside = beside[key]
    if not isinstance(beside, Mapping) or not path:
        return None
    for key, value in beside.items():
        if key == path[-1] or not isinstance(value, list) or len(value) != width:
            continue
        names = [
            next((one[name] for name in COLUMN_NAME_KEYS if isinstance(one.get(name), str)), None)
            if isinstance(one, Mapping)
            else one
            for one in value
        ]
        if all(isinstance(name, str) and name for name in names) and len(set(names)) == width:
            return [str(name) for name in names]
    return None


def _is_header(rows: list[Any]) -> bool:
    """Whether the first row names the columns: different texts, above a column that holds something else."""
    first = rows[0]
    if not all(isinstance(name, str) and name for name in first) or len(set(first)) != len(first):
        return False
    below = rows[1:MAX_ROWS_READ]
    if any(not isinstance(row[number], str) for row in below for number in range(len(first))):
        return True
    # All texts: numbers written as texts below a name that is none, or names as programs write them.
    numeric = [number for number in range(len(first)) if all(_is_numeric(row[number]) for row in below)]
    if numeric:
        return any(not _is_numeric(first[number]) for number in numeric)
    return all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,40}", name) for name in first) and not any(
        name in {row[number] for row in below} for number, name in enumerate(first)
    )


def _is_numeric(value: Any) -> bool:
    return re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", str(value)) is not None


def _is_key(key: Any) -> bool:
    return isinstance(key, str) and 0 < len(key) <= 100


def _list_rule(path: Path, members: list[Any]) -> RuleDraft:
    where = to_jmespath(path) or "@"
    if isinstance(members[0], Mapping):
        fields = _field_entries(find_properties(members, limit=MAX_FIELDS))
    else:
        fields = (RuleEntry("value", {"json": "@"}, examples_text(members[:2])),)
    each = RuleEntry("each", {"json": where}, f"{len(members):,} on this page")
    return RuleDraft(f"each: {where}", (each, RuleEntry("fields", fields)))


def _field_entries(leaves: tuple[ObjectProperty, ...]) -> tuple[RuleEntry, ...]:
    return tuple(RuleEntry(leaf.name, leaf.to_rule(), examples_text(leaf.examples)) for leaf in leaves)


def find_next_pages(value: Any, url: Url, headers: Headers, drafts: list[RuleDraft]) -> Iterator[NextPageGuess]:
    """Guesses for the next page, the most reliable first.

    1. The Link header's rel=next (RFC 8288).
    2. A URL under a key like `next` or `nextLink`.
    3. A cursor under a key like `nextPageToken`, when the URL has a parameter that takes it.
    4. A page number or offset in the URL.
    """
    for link in parse_link_headers(headers.get_all("link")):
        if "next" in link.rels and (target := _resolve(link.target, url)):
            yield NextPageGuess({"rel": True}, target, "the Link header's rel=next")
            break
    for path, text in _find_texts(value):
        name = path[-1] if path[-1] not in ADDRESS_MEMBERS else path[-2] if len(path) > 1 else ""
        if NEXT_KEYS.fullmatch(name) and text.startswith(("http://", "https://", "/", "?")):
            target = _resolve(text, url)
            if target:
                yield NextPageGuess({"json": to_jmespath(path)}, target, "the address of the next page")
    for path, text in _find_texts(value):
        if CURSOR_KEYS.fullmatch(path[-1]) and not text.startswith(("http://", "https://", "/", "?")):
            param = next((n for n in _cursor_params(path[-1]) if query_param(url.href, n) is not None), None)
            if param is not None:
                comment = f"the value of {path[-1]} in the parameter {param}"
                yield NextPageGuess(
                    {"cursor": to_jmespath(path), "param": param}, with_query_param(url.href, param, text), comment
                )
    yield from _counted_pages(url)


def cursor_without_parameter(value: Any, url: Url) -> tuple[str, str] | None:
    """The path of a cursor for which the URL has no parameter yet, and the likely name of that parameter."""
    for path, text in _find_texts(value):
        if CURSOR_KEYS.fullmatch(path[-1]) and not text.startswith(("http://", "https://", "/", "?")):
            names = _cursor_params(path[-1])
            if all(query_param(url.href, name) is None for name in names):
                return to_jmespath(path), names[0]
    return None


def _cursor_params(key: str) -> list[str]:
    """Names of parameters that may take the cursor under `key`: nextPageToken is sent as pageToken."""
    bare = re.sub(r"^next_?", "", key, flags=re.IGNORECASE) or key
    # nextPageToken without `next` is PageToken: its parameter is pageToken.
    bare = bare[:1].lower() + bare[1:]
    return list(dict.fromkeys((bare, key, "cursor", "after", "page_token", "pageToken")))


def _counted_pages(url: Url) -> Iterator[NextPageGuess]:
    for name in PAGE_PARAMS:
        current = query_param(url.href, name)
        if current is not None and current.isascii() and current.isdigit() and len(current) < 10:
            target = with_query_param(url.href, name, str(int(current) + 1))
            yield NextPageGuess({"page": name}, target, f"pages are counted in {name}")
    sizes = (query_param(url.href, name) for name in SIZE_PARAMS)
    size = next((int(text) for text in sizes if text and text.isascii() and text.isdigit() and len(text) < 7), 0)
    for name in OFFSET_PARAMS:
        current = query_param(url.href, name)
        if size and current is not None and current.isascii() and current.isdigit() and len(current) < 10:
            rule: YamlValue = {"offset": name, "step": size}
            yield NextPageGuess(
                rule, with_query_param(url.href, name, str(int(current) + size)), f"items are counted in {name}"
            )


def _find_texts(value: Any) -> Iterator[tuple[Path, str]]:
    """Strings and numbers in mappings near the top of the page, with their paths."""
    queue: deque[tuple[Any, Path]] = deque([(value, ())])
    seen = 0
    while queue and seen < MAX_VALUES:
        here, path = queue.popleft()
        seen += 1
        if isinstance(here, Mapping) and len(path) < 3:
            queue.extend((member, (*path, key)) for key, member in list(here.items())[:200] if _is_key(key))
        elif path and isinstance(here, str | int) and not isinstance(here, bool) and here != "":
            yield path, str(here)[:2_000]


def _resolve(text: str, url: Url) -> str | None:
    found = canonicalize(text, BaseUrl.of(url))
    return found.href if isinstance(found, Url) and found.href != url.href else None
