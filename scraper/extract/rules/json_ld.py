"""The objects of a page's JSON-LD (JSON-LD 1.1, section 7, in HTML).

What people use is read, not the whole of the standard: contexts are not loaded. References by `@id` to objects of the
same page are replaced by what they refer to, `@value`, `@list` and `@set` by their content, and names of properties
lose the prefix or address of schema.org.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urljoin

from selectolax.lexbor import LexborNode

from scraper.extract.rules.lenient_json import parse_lenient_json
from scraper.extract.text.mime_type import extract_mime_type

# Objects that are read from one page.
MAX_OBJECTS = 1_000
# Characters of JSON-LD that are read from one page.
MAX_JSON_LD_CHARS = 4_000_000
# Values that are looked at while references are resolved; those of the rest stay as they are.
MAX_RESOLVED_VALUES = 50_000
# How deep values are looked into, references included.
MAX_DEPTH = 40

# Properties whose values are objects in their own right; those of other properties are parts of an object.
_CONTAINER_PROPERTIES = ("@graph", "mainEntity", "mainEntityOfPage", "itemListElement", "item")
_SCHEMA_ORG = ("https://schema.org/", "http://schema.org/", "https://www.schema.org/", "http://www.schema.org/")
_WRAPPERS = ("@value", "@list", "@set")


class JsonLd(NamedTuple):
    """`objects`: those with a type, in breadth first order. `problems`: what was not read, a sentence each."""

    objects: list[dict[str, Any]]
    problems: list[str]


def read_json_ld(root: LexborNode, base: str) -> JsonLd:
    """The objects of all scripts of JSON-LD in `root`; `base` is the page's base URL, for relative `@id`s."""
    documents, problems = _documents(root)
    if not documents:
        return JsonLd([], problems)
    nodes = [_without_prefixes(document) for document in documents]
    resolver = _References(nodes, base)
    return JsonLd([resolver.resolve(obj) for obj in _typed_objects(nodes)], problems)


def _documents(root: LexborNode) -> tuple[list[Any], list[str]]:
    documents: list[Any] = []
    unread = count = 0
    chars_left = MAX_JSON_LD_CHARS
    for script in root.css('script[type*="ld+json" i]'):
        media_type = extract_mime_type(script.attributes.get("type"))
        if media_type is None or media_type.essence != "application/ld+json":
            continue
        text = script.text(deep=True)
        if not text.strip():
            continue
        count += 1
        chars_left -= len(text)
        if chars_left < 0:
            return documents, [f"more than {MAX_JSON_LD_CHARS} characters of JSON-LD: the rest was not read"]
        value = parse_lenient_json(text)
        if value is None:
            unread += 1
        else:
            documents.append(value)
    return documents, [f"{unread} of {count} scripts of JSON-LD cannot be read as JSON"] if unread else []


def _typed_objects(documents: Iterable[Any]) -> list[dict[str, Any]]:
    # Breadth first, so that the objects a page is about come before those inside them.
    queue: deque[Any] = deque(documents)
    found: list[dict[str, Any]] = []
    visited = 0
    while queue and visited < MAX_OBJECTS:
        value = queue.popleft()
        visited += 1
        if isinstance(value, list):
            queue.extend(value[:MAX_OBJECTS])
        elif isinstance(value, dict):
            if "@type" in value:
                found.append(value)
            queue.extend(value[name] for name in _CONTAINER_PROPERTIES if isinstance(value.get(name), dict | list))
    return found


def _without_prefixes(value: Any, prefixes: tuple[str, ...] = _SCHEMA_ORG, depth: int = 0) -> Any:
    """`value` with `schema:name` and `https://schema.org/name` as `name`, and wrapped values unwrapped."""
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, list):
        return [_without_prefixes(member, prefixes, depth + 1) for member in value]
    if not isinstance(value, dict):
        return value
    if isinstance(context := value.get("@context"), dict):
        declared = [f"{name}:" for name, iri in context.items() if isinstance(iri, str) and iri in _SCHEMA_ORG]
        prefixes = (*prefixes, *(name for name in declared if not name.startswith("@")))
    for wrapper in _WRAPPERS:
        if wrapper in value and not any(key not in (wrapper, "@type", "@language", "@direction") for key in value):
            return _without_prefixes(value[wrapper], prefixes, depth + 1)
    found: dict[str, Any] = {}
    for name, member in value.items():
        prefix = next((prefix for prefix in prefixes if name.startswith(prefix)), "")
        found.setdefault(
            name[len(prefix) :] or name,
            member if name == "@context" else _without_prefixes(member, prefixes, depth + 1),
        )
    return found


class _References:
    """The objects of a page by their `@id`, and what refers to them."""

    def __init__(self, documents: list[Any], base: str) -> None:
        self._base = base
        self._values_left = MAX_RESOLVED_VALUES
        self._by_id: dict[str, dict[str, Any]] = {}
        self._has_references = False
        queue: deque[Any] = deque(documents)
        while queue:
            value = queue.popleft()
            if isinstance(value, list):
                queue.extend(value)
            elif isinstance(value, dict):
                if isinstance(value.get("@id"), str):
                    self._add(value)
                queue.extend(member for name, member in value.items() if name != "@context")

    def _add(self, obj: dict[str, Any]) -> None:
        if _is_reference(obj):
            self._has_references = True
            return
        # An object may be described in several places: the first value of a property counts.
        known = self._by_id.setdefault(self._absolute(obj["@id"]), {})
        for name, value in obj.items():
            known.setdefault(name, value)

    def _absolute(self, address: str) -> str:
        try:
            return urljoin(self._base, address)
        except ValueError:
            return address

    def resolve(self, obj: dict[str, Any]) -> dict[str, Any]:
        """`obj` with the objects that it refers to. A reference to an object that encloses it stays one."""
        if not self._has_references:
            return obj
        own_id = obj.get("@id")
        path = frozenset({self._absolute(own_id)}) if isinstance(own_id, str) else frozenset()
        return {name: self._resolve(value, path, 0) for name, value in obj.items()}

    def _resolve(self, value: Any, path: frozenset[str], depth: int) -> Any:
        self._values_left -= 1
        if self._values_left < 0 or depth > MAX_DEPTH:
            return value
        if isinstance(value, list):
            return [self._resolve(member, path, depth + 1) for member in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("@id"), str):
            address = self._absolute(value["@id"])
            if _is_reference(value):
                target = self._by_id.get(address)
                if target is None or address in path:
                    return value
                value = target
            path = path | {address}
        return {
            name: member if name == "@context" else self._resolve(member, path, depth + 1)
            for name, member in value.items()
        }


def _is_reference(obj: dict[str, Any]) -> bool:
    """Whether an object says no more than which one it is."""
    return all(name in ("@id", "@type", "@context") for name in obj)
