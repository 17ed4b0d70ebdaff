"""Fields from the structured data of a page: JSON-LD, microdata (schema.org) and OpenGraph."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scraper.explain.scaffold.field_names import snake_case, unique_name
from scraper.explain.scaffold.rule_draft import YamlValue
from scraper.extract.links.document import Document
from scraper.extract.rules.date_parser import parse_date
from scraper.extract.rules.number_parser import parse_decimal
from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.extract.rules.structured import all_objects, find_objects, type_names
from scraper.urls.canonicalize import DEFAULT_KEY_RULES

# schema.org types that describe the site or the page's layout, not what the page is about.
SITE_TYPES = frozenset(
    {
        "breadcrumblist", "website", "organization", "searchaction", "webpage", "collectionpage", "itemlist",
        "listitem", "person", "imageobject", "blog", "sitenavigationelement", "wpheader", "wpfooter",
        "wpsidebar", "readaction", "entrypoint", "searchresultspage", "contactpoint", "corporation",
        "newsmediaorganization",
    }
)  # fmt: skip
# Properties that are preferred when an object has more than `MAX_FIELDS`.
PREFERRED_PROPERTIES = (
    "name",
    "headline",
    "title",
    "price",
    "priceCurrency",
    "author",
    "datePublished",
    "brand",
    "sku",
)
MAX_TYPES = 2
MAX_FIELDS = 12
# Properties of one object that are read.
MAX_PROPERTIES = 100
MAX_OBJECTS_READ = 50
MAX_DEPTH = 2
JMESPATH_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")


@dataclass(frozen=True, slots=True)
class ObjectProperty:
    """A property that most objects of a type have: its JMESPath, a field name, type, and examples.

    `many` says that it is a list; `type` is None for text.
    """

    path: str
    name: str
    many: bool
    type: str | None
    examples: tuple[Any, ...]

    def to_rule(self) -> dict[str, YamlValue]:
        """The keys of a field that reads this property."""
        rule: dict[str, YamlValue] = {"json": self.path}
        if self.type is not None:
            rule["type"] = self.type
        if self.many:
            rule["many"] = True
        return rule


@dataclass(frozen=True, slots=True)
class TypedObjects:
    """The objects of one type on a page: the type as the page writes it, their number and their properties."""

    type: str
    count: int
    properties: tuple[ObjectProperty, ...]


def find_types(document: Document) -> tuple[list[TypedObjects], list[str]]:
    """The types that the page is about, those with most properties first, and the names of all types on it."""
    root = document.tree.root
    if root is None:
        return [], []
    groups: dict[str, list[dict[str, Any]]] = {}
    for thing in all_objects(PageContext(root, document.base, DEFAULT_KEY_RULES)):
        for name in sorted(type_names(thing))[:1]:
            groups.setdefault(name, []).append(thing)
    kinds = []
    for name, things in groups.items():
        if name in SITE_TYPES or not re.fullmatch(r"[a-z][a-z0-9_.-]{0,60}", name):
            continue
        properties = find_properties(things)
        # An object with one property is mostly a reference.
        if len(properties) >= 2:
            kinds.append(TypedObjects(name, len(things), properties))
    kinds.sort(key=lambda kind: -len(kind.properties))
    return kinds[:MAX_TYPES], list(groups)


def find_opengraph(document: Document) -> TypedObjects | None:
    """The page's OpenGraph properties; None when they only name the site, the type and the URL."""
    root = document.tree.root
    found = find_objects(PageContext(root, document.base, DEFAULT_KEY_RULES), ["opengraph"]) if root is not None else []
    if len(found) != 1 or not set(found[0]) - {"@type", "url", "site_name", "locale"}:
        return None
    properties = find_properties(found)
    return TypedObjects("opengraph", 1, properties) if properties else None


def find_properties(things: Sequence[Any], *, limit: int = MAX_FIELDS) -> tuple[ObjectProperty, ...]:
    """The properties that at least half of `things` (mappings) have, nested mappings included; at most `limit`."""
    things = [thing for thing in things[:MAX_OBJECTS_READ] if isinstance(thing, Mapping)]
    found: dict[tuple[str, ...], list[Any]] = {}
    for thing in things:
        for path, value in _walk_values(thing, (), 1):
            found.setdefault(path, []).append(value)
    # Rare properties would give mostly empty fields.
    common = [(path, values) for path, values in found.items() if len(values) * 2 >= len(things)]
    common.sort(key=lambda pair: _rank(pair[0]))
    selected = sorted(common[:limit], key=lambda pair: list(found).index(pair[0]))
    names: set[str] = set()
    properties = []
    for path, values in selected:
        name = unique_name(_field_name(path), names)
        many = sum(isinstance(value, list) for value in values) * 2 > len(values)
        shown = tuple(dict.fromkeys(str(_first_value(value)) for value in values))[:2]
        properties.append(ObjectProperty(to_jmespath(path, many), name, many, _field_type(path, values), shown))
    return tuple(properties)


def _walk_values(
    thing: Mapping[str, Any], parent_path: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Paths to the values that are no mappings. Of a list of mappings only the first is read, as `[0]` in the path."""
    for key, value in list(thing.items())[:MAX_PROPERTIES]:
        path = (*parent_path, key)
        if not isinstance(key, str) or key.startswith("@") or not key or len(key) > 100 or "\ufffd" in key:
            continue
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            path, value = (*path, "[0]"), value[0]
        if isinstance(value, Mapping):
            if depth < MAX_DEPTH:
                yield from _walk_values(value, path, depth + 1)
        elif _is_plain_value(value):
            yield path, value


def _is_plain_value(value: Any) -> bool:
    """Whether it is a non-empty string, a number, or a list of these."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(member, str | int | float) and member != "" for member in value[:20])
    return value is not None and value != "" and isinstance(value, str | int | float)


def _first_value(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def to_jmespath(path: Sequence[str], many: bool = False) -> str:
    """A path of keys as JMESPath; with `many`, all members of the list that it leads to."""
    text = ""
    for key in path:
        if key == "[0]":
            text += key
        else:
            text += ("." if text else "") + (key if JMESPATH_IDENTIFIER.fullmatch(key) else json.dumps(key))
    return text + "[]" if many else text


def _rank(path: tuple[str, ...]) -> tuple[int, int]:
    keys = [key for key in path if key != "[0]"]
    ranks = [PREFERRED_PROPERTIES.index(key) for key in keys if key in PREFERRED_PROPERTIES]
    return (min(ranks) if ranks else len(PREFERRED_PROPERTIES)), len(keys)


def _field_name(path: tuple[str, ...]) -> str:
    keys = [key for key in path if key != "[0]"]
    last = keys[-1]
    if len(keys) > 1 and last in ("name", "@value", "value", "title", "login"):
        last = keys[-2]  # `author.name` is the author
    elif len(keys) > 1 and last in ("url", "id", "type"):
        last = f"{keys[-2]}_{last}"
    return snake_case(last)


def _field_type(path: tuple[str, ...], values: Sequence[Any]) -> str | None:
    key, firsts = path[-1].lower(), [_first_value(value) for value in values]
    if all(isinstance(value, str) for value in firsts):
        if all(re.match(r"https?://\S+$", value) for value in firsts):
            return "url"
        if "price" in key and not any(isinstance(parse_decimal(value), ParseFailure) for value in firsts):
            return "decimal"
        if key.startswith("date") and not any(isinstance(parse_date(value), ParseFailure) for value in firsts):
            return "date"
    return None
