"""What a page says about itself for machines, as the fields of a rule: JSON-LD, microdata and OpenGraph."""

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

SITE_TYPES = frozenset(
    {
        "breadcrumblist", "website", "organization", "searchaction", "webpage", "collectionpage", "itemlist",
        "listitem", "person", "imageobject", "blog", "sitenavigationelement", "wpheader", "wpfooter",
        "wpsidebar", "readaction", "entrypoint", "searchresultspage", "contactpoint", "corporation",
        "newsmediaorganization",
    }
)  # fmt: skip
"""Types that tell of the site or the page's make, not of what it is about."""
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
"""Properties that come first, where there are more than are taken."""
MAX_TYPES = 2
MAX_FIELDS = 12
MAX_PROPERTIES = 100
"""Properties of one object that are looked at."""
MAX_OBJECTS_READ = 50
MAX_DEPTH = 2
JMESPATH_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")


@dataclass(frozen=True, slots=True)
class ObjectProperty:
    """A value inside an object: its JMESPath, a name for it, whether it is a list, its type, and examples."""

    path: str
    name: str
    many: bool
    type: str | None
    examples: tuple[Any, ...]

    def to_rule(self) -> dict[str, YamlValue]:
        """What a field inside an object says."""
        rule: dict[str, YamlValue] = {"json": self.path}
        if self.type is not None:
            rule["type"] = self.type
        if self.many:
            rule["many"] = True
        return rule


@dataclass(frozen=True, slots=True)
class TypedObjects:
    """Objects of one type on a page: the type as the page writes it, how many, and what they have."""

    type: str
    count: int
    properties: tuple[ObjectProperty, ...]


def find_types(document: Document) -> tuple[list[TypedObjects], list[str]]:
    """What the page is about, the richest first, and the names of all types it has."""
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
        leaves = find_properties(things)
        if len(leaves) >= 2:
            kinds.append(TypedObjects(name, len(things), leaves))
    kinds.sort(key=lambda kind: -len(kind.properties))
    return kinds[:MAX_TYPES], list(groups)


def find_opengraph(document: Document) -> TypedObjects | None:
    """The page's OpenGraph properties, when it says what it is beyond a page of a site."""
    root = document.tree.root
    found = find_objects(PageContext(root, document.base, DEFAULT_KEY_RULES), ["opengraph"]) if root is not None else []
    if len(found) != 1 or not set(found[0]) - {"@type", "url", "site_name", "locale"}:
        return None
    leaves = find_properties(found)
    return TypedObjects("opengraph", 1, leaves) if leaves else None


def find_properties(things: Sequence[Any], *, limit: int = MAX_FIELDS) -> tuple[ObjectProperty, ...]:
    """What most of `things` (mappings) hold: their values, and those of mappings inside."""
    things = [thing for thing in things[:MAX_OBJECTS_READ] if isinstance(thing, Mapping)]
    found: dict[tuple[str, ...], list[Any]] = {}
    for thing in things:
        for path, value in _walk(thing, (), 1):
            found.setdefault(path, []).append(value)
    common = [(path, values) for path, values in found.items() if len(values) * 2 >= len(things)]
    common.sort(key=lambda pair: _rank(pair[0]))
    taken = sorted(common[:limit], key=lambda pair: list(found).index(pair[0]))
    names: set[str] = set()
    leaves = []
    for path, values in taken:
        name = unique_name(_name(path), names)
        many = sum(isinstance(value, list) for value in values) * 2 > len(values)
        shown = tuple(dict.fromkeys(str(_first(value)) for value in values))[:2]
        leaves.append(ObjectProperty(to_jmespath(path, many), name, many, _type(path, values), shown))
    return tuple(leaves)


def _walk(thing: Mapping[str, Any], above: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Paths to what is no mapping; of a list of mappings to those of its first, marked by `[0]`."""
    for key, value in list(thing.items())[:MAX_PROPERTIES]:
        path = (*above, key)
        if not isinstance(key, str) or key.startswith("@") or not key or len(key) > 100 or "\ufffd" in key:
            continue
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            path, value = (*path, "[0]"), value[0]
        if isinstance(value, Mapping):
            if depth < MAX_DEPTH:
                yield from _walk(value, path, depth + 1)
        elif _plain(value):
            yield path, value


def _plain(value: Any) -> bool:
    """Whether it is a value that says something, or a list of such."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(member, str | int | float) and member != "" for member in value[:20])
    return value is not None and value != "" and isinstance(value, str | int | float)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def to_jmespath(path: Sequence[str], many: bool = False) -> str:
    """A path of keys as JMESPath; with `many` all members of the list at its end."""
    text = ""
    for key in path:
        if key == "[0]":
            text += key
        else:
            text += ("." if text else "") + (key if JMESPATH_IDENTIFIER.fullmatch(key) else json.dumps(key))
    return text + "[]" if many else text


def _rank(path: tuple[str, ...]) -> tuple[int, int]:
    keys = [key for key in path if key != "[0]"]
    places = [PREFERRED_PROPERTIES.index(key) for key in keys if key in PREFERRED_PROPERTIES]
    return (min(places) if places else len(PREFERRED_PROPERTIES)), len(keys)


def _name(path: tuple[str, ...]) -> str:
    keys = [key for key in path if key != "[0]"]
    last = keys[-1]
    if len(keys) > 1 and last in ("name", "@value", "value", "title", "login"):
        last = keys[-2]  # `author.name` is the author
    elif len(keys) > 1 and last in ("url", "id", "type"):
        last = f"{keys[-2]}_{last}"
    return snake_case(last)


def _type(path: tuple[str, ...], values: Sequence[Any]) -> str | None:
    key, firsts = path[-1].lower(), [_first(value) for value in values]
    if all(isinstance(value, str) for value in firsts):
        if all(re.match(r"https?://\S+$", value) for value in firsts):
            return "url"
        if "price" in key and not any(isinstance(parse_decimal(value), ParseFailure) for value in firsts):
            return "decimal"
        if key.startswith("date") and not any(isinstance(parse_date(value), ParseFailure) for value in firsts):
            return "date"
    return None
