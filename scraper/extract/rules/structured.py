"""Structured data of a page: JSON-LD, microdata and OpenGraph, as mappings with an `@type`.

Order: first JSON-LD, then microdata, then OpenGraph; each in document order, and an object before those inside it. Keys
are those of the page, except that OpenGraph's prefix `og:` is left out. Values of microdata are read as the HTML
standard says (5.2.4), with URLs made absolute. A repeated property is a list. Microdata's `itemref` is not supported.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from selectolax.lexbor import LexborNode

from scraper.extract.rules.json_ld import MAX_OBJECTS, read_json_ld
from scraper.extract.rules.page_context import PageContext, absolute_url
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.extract.rules.visible_text import visible_text

# Properties of one kind of markup that are read from one page.
MAX_PROPERTIES = 10_000
# In a field's `structured`: the page's OpenGraph properties, whatever their og:type.
OPENGRAPH = "opengraph"

_OPENGRAPH_PREFIXES = ("og:", "article:", "product:", "book:", "profile:", "music:", "video:")
_URL_ATTRIBUTE_BY_TAG = {
    "a": "href", "area": "href", "link": "href", "audio": "src", "embed": "src", "iframe": "src", "img": "src",
    "source": "src", "track": "src", "video": "src", "object": "data",
}  # fmt: skip
# Subtypes of schema.org types: a field with `structured: [article]` takes a NewsArticle, too.
_SUBTYPES = {
    "article": {
        "newsarticle", "blogposting", "techarticle", "scholarlyarticle", "report", "reportagenewsarticle",
        "opinionnewsarticle", "analysisnewsarticle", "reviewnewsarticle", "liveblogposting", "socialmediaposting",
        "discussionforumposting", "advertisercontentarticle", "satiricalarticle",
    },
    "product": {"productgroup", "productmodel", "individualproduct", "someproducts", "vehicle", "car"},
    "organization": {
        "corporation", "localbusiness", "newsmediaorganization", "ngo", "educationalorganization", "store",
        "restaurant", "hotel", "onlinestore", "onlinebusiness", "governmentorganization",
    },
    "event": {
        "businessevent", "danceevent", "educationevent", "exhibitionevent", "festival", "foodevent", "literaryevent",
        "musicevent", "screeningevent", "socialevent", "sportsevent", "theaterevent",
    },
    "offer": {"aggregateoffer"},
    "rating": {"aggregaterating"},
}  # fmt: skip


def find_objects(context: PageContext, names: Iterable[str]) -> list[dict[str, Any]]:
    """The page's objects whose type is one of `names` or a subtype of one, ignoring case."""
    wanted_types = {_short_type(name) for name in names}
    for name in tuple(wanted_types):
        wanted_types |= _SUBTYPES.get(name, set())
    found = [obj for obj in _read_all(context) if not wanted_types.isdisjoint(type_names(obj))]
    if OPENGRAPH in wanted_types:
        opengraph = _cached(context, "og", lambda: _opengraph(context))
        if opengraph and opengraph not in found:
            found.append(opengraph)
    return found


def all_objects(context: PageContext) -> list[dict[str, Any]]:
    """All objects of the page, whatever their types."""
    return list(_read_all(context))


def type_names(obj: dict[str, Any]) -> set[str]:
    """The types of an object: the last part of each, in lower case (`product` for https://schema.org/Product)."""
    types = obj.get("@type")
    return {_short_type(name) for name in (types if isinstance(types, list) else [types]) if isinstance(name, str)}


def _read_all(context: PageContext) -> list[dict[str, Any]]:
    opengraph = _cached(context, "og", lambda: _opengraph(context))
    objects: list[dict[str, Any]] = _cached(
        context,
        "structured",
        lambda: [*_json_ld(context), *_microdata(context), *([opengraph] if opengraph else [])],
    )
    return objects


def _cached(context: PageContext, name: str, make: Any) -> Any:
    if name not in context.cache:
        context.cache[name] = make()
    return context.cache[name]


def _short_type(name: str) -> str:
    return name.rstrip("/#").replace("#", "/").rpartition("/")[2].rpartition(":")[2].lower()


def _json_ld(context: PageContext) -> list[dict[str, Any]]:
    found = read_json_ld(context.root, context.base.href)
    context.problems.extend(found.problems)
    return found.objects


def _microdata(context: PageContext) -> list[dict[str, Any]]:
    # 1. Each itemscope is an object. 2. Each itemprop is a property of the object that encloses it. If it has an
    # itemscope too, its value is that object, otherwise a text.
    object_by_node: dict[int, dict[str, Any]] = {}
    top_objects: list[dict[str, Any]] = []
    for node in context.root.css("[itemscope]")[:MAX_OBJECTS]:
        attributes = node.attributes
        obj: dict[str, Any] = {}
        if types := [_type_name(name) for name in (attributes.get("itemtype") or "").split()]:
            obj["@type"] = types[0] if len(types) == 1 else types
        # An object with an itemprop that no other encloses belongs to nothing: it stands for itself.
        is_part = "itemprop" in attributes and _enclosing_object(node, object_by_node) is not None
        object_by_node[node.mem_id] = obj
        if "@type" in obj and not is_part:
            top_objects.append(obj)
    if object_by_node:
        for node in context.root.css("[itemprop]")[:MAX_PROPERTIES]:
            parent_object = _enclosing_object(node, object_by_node)
            if parent_object is not None:
                value = object_by_node.get(node.mem_id)
                for name in (node.attributes.get("itemprop") or "").split():
                    _add_property(parent_object, name, _property_value(node, context) if value is None else value)
    return top_objects


def _type_name(address: str) -> str:
    return address.rstrip("/#").replace("#", "/").rpartition("/")[2]


def _enclosing_object(node: LexborNode, object_by_node: dict[int, dict[str, Any]]) -> dict[str, Any] | None:
    ancestor = node.parent
    while ancestor is not None:
        if (obj := object_by_node.get(ancestor.mem_id)) is not None:
            return obj
        ancestor = ancestor.parent
    return None


def _property_value(node: LexborNode, context: PageContext) -> str:
    attributes, tag = node.attributes, node.tag or ""
    if "content" in attributes:  # the standard says so of `meta` only, but pages use it on any element
        return attributes["content"] or ""
    if attribute := _URL_ATTRIBUTE_BY_TAG.get(tag):
        text = attributes.get(attribute) or ""
        address = absolute_url(text, context)
        return text if isinstance(address, ParseFailure) else address
    if tag in ("data", "meter") and "value" in attributes:
        return attributes["value"] or ""
    if tag == "time" and "datetime" in attributes:
        return attributes["datetime"] or ""
    return visible_text(node, context.charge)


def _opengraph(context: PageContext) -> dict[str, Any] | None:
    obj: dict[str, Any] = {}
    # OpenGraph's attribute is `property`, which may hold several; many sites write `name`.
    for node in context.root.css("meta[content]")[:MAX_PROPERTIES]:
        attributes = node.attributes
        value = (attributes.get("content") or "").strip()
        for name in (attributes.get("property") or attributes.get("name") or "").lower().split():
            if value and name.startswith(_OPENGRAPH_PREFIXES):
                name = name.removeprefix("og:")
                _add_property(obj, "@type" if name == "type" and "@type" not in obj else name, value)
    return obj or None


def _add_property(obj: dict[str, Any], name: str, value: Any) -> None:
    """Add a property. The second one with the same name makes a list."""
    if name not in obj:
        obj[name] = value
    elif isinstance(obj[name], list):
        obj[name].append(value)
    else:
        obj[name] = [obj[name], value]
