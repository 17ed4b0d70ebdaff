"""What a page says about itself for machines: JSON-LD, microdata and OpenGraph, as mappings with an `@type`.

Objects come in this order: JSON-LD first, then microdata, then OpenGraph, each in document order and objects before
what they contain. Keys are the source's own; values of microdata are read as the HTML standard says (5.2.4), with
addresses made absolute; of OpenGraph the prefix `og:` is left out. What is repeated is a list. `itemref` is not
followed.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from selectolax.lexbor import LexborNode

from scraper.extract.rules.page_context import PageContext, absolute_url
from scraper.extract.rules.value_parsers import ParseFailure
from scraper.extract.rules.visible_text import visible_text

# Most objects of one kind of markup that are read of one page.
MAX_OBJECTS = 1_000
# Most properties of one kind of markup that are read of one page.
MAX_PROPERTIES = 10_000
# Most characters of JSON-LD that are read of one page.
MAX_JSON_LD_CHARS = 4_000_000
# The name that asks for a page's OpenGraph properties whatever their og:type.
OPENGRAPH = "opengraph"

# Where in JSON-LD the objects stand that a page is about; elsewhere are their parts.
_CONTAINER_PROPERTIES = ("@graph", "mainEntity", "mainEntityOfPage", "itemListElement", "item")
_OPENGRAPH_PREFIXES = ("og:", "article:", "product:", "book:", "profile:", "music:", "video:")
_URL_ATTRIBUTE_BY_TAG = {
    "a": "href", "area": "href", "link": "href", "audio": "src", "embed": "src", "iframe": "src", "img": "src",
    "source": "src", "track": "src", "video": "src", "object": "data",
}  # fmt: skip
# Types that are special cases of another (schema.org): who asks for an article means a NewsArticle, too.
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
    """The page's objects whose type is one of `names`, or a special case of one; case does not matter."""
    wanted = {name.lower() for name in names}
    for name in tuple(wanted):
        wanted |= _SUBTYPES.get(name, set())
    found = [thing for thing in _read_all(context) if not wanted.isdisjoint(type_names(thing))]
    if OPENGRAPH in wanted and (graph := _cached(context, "og", lambda: _opengraph(context))) and graph not in found:
        found.append(graph)
    return found


def all_objects(context: PageContext) -> list[dict[str, Any]]:
    """All the page's objects, whatever their types."""
    return list(_read_all(context))


def type_names(thing: dict[str, Any]) -> set[str]:
    """The object's types: their last part, in lower case."""
    types = thing.get("@type")
    return {_short_type(name) for name in (types if isinstance(types, list) else [types]) if isinstance(name, str)}


def _read_all(context: PageContext) -> list[dict[str, Any]]:
    graph = _cached(context, "og", lambda: _opengraph(context))
    things: list[dict[str, Any]] = _cached(
        context, "structured", lambda: [*_json_ld(context.root), *_microdata(context), *([graph] if graph else [])]
    )
    return things


def _cached(context: PageContext, name: str, make: Any) -> Any:
    if name not in context.cache:
        context.cache[name] = make()
    return context.cache[name]


def _short_type(name: str) -> str:
    return name.rstrip("/#").replace("#", "/").rpartition("/")[2].rpartition(":")[2].lower()


def _json_ld(root: LexborNode) -> Iterator[dict[str, Any]]:
    room = MAX_JSON_LD_CHARS
    waiting: deque[Any] = deque()
    for script in root.css('script[type="application/ld+json" i]'):
        text = script.text(deep=True)
        room -= len(text)
        if room < 0:
            break
        waiting.append(parse_lenient_json(text))
    seen = 0
    while waiting and seen < MAX_OBJECTS:
        value = waiting.popleft()
        seen += 1
        if isinstance(value, list):
            waiting.extend(value[:MAX_OBJECTS])
        elif isinstance(value, dict):
            if "@type" in value:
                yield value
            waiting.extend(value[name] for name in _CONTAINER_PROPERTIES if isinstance(value.get(name), dict | list))


def parse_lenient_json(text: str) -> Any:
    """The JSON in a script, as lenient as browsers' users need: comments around it, raw line breaks in its texts.

    None when it is none.
    """
    text = text.strip().removeprefix("<!--").removesuffix("-->").strip()
    text = (
        text.removeprefix("//<![CDATA[").removeprefix("<![CDATA[").removesuffix("]]>").removesuffix("//").strip(" ;\n")
    )
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text, strict=False)
        except (ValueError, RecursionError):
            return None


def _microdata(context: PageContext) -> list[dict[str, Any]]:
    scopes: dict[int, dict[str, Any]] = {}
    tops: list[dict[str, Any]] = []
    for node in context.root.css("[itemscope]")[:MAX_OBJECTS]:
        attributes = node.attributes
        thing: dict[str, Any] = {}
        if types := (attributes.get("itemtype") or "").split():
            thing["@type"] = _type_name(types[0])
        scopes[node.mem_id] = thing
        if "itemprop" not in attributes and "@type" in thing:
            tops.append(thing)
    if scopes:
        for node in context.root.css("[itemprop]")[:MAX_PROPERTIES]:
            owner = _enclosing_object(node, scopes)
            if owner is not None:
                value = scopes.get(node.mem_id)
                for name in (node.attributes.get("itemprop") or "").split():
                    _add_property(owner, name, _property_value(node, context) if value is None else value)
    return tops


def _type_name(address: str) -> str:
    return address.rstrip("/#").replace("#", "/").rpartition("/")[2]


def _enclosing_object(node: LexborNode, scopes: dict[int, dict[str, Any]]) -> dict[str, Any] | None:
    above = node.parent
    while above is not None:
        if (thing := scopes.get(above.mem_id)) is not None:
            return thing
        above = above.parent
    return None


def _property_value(node: LexborNode, context: PageContext) -> str:
    attributes, tag = node.attributes, node.tag or ""
    if "content" in attributes:  # the standard says meta alone; the web says all
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
    thing: dict[str, Any] = {}
    for node in context.root.css("meta[property][content]")[:MAX_PROPERTIES]:
        attributes = node.attributes
        name, value = (attributes.get("property") or "").strip().lower(), (attributes.get("content") or "").strip()
        if value and name.startswith(_OPENGRAPH_PREFIXES):
            name = name.removeprefix("og:")
            _add_property(thing, "@type" if name == "type" and "@type" not in thing else name, value)
    return thing or None


def _add_property(thing: dict[str, Any], name: str, value: Any) -> None:
    """Add a property; the second one of a name makes a list."""
    if name not in thing:
        thing[name] = value
    elif isinstance(thing[name], list):
        thing[name].append(value)
    else:
        thing[name] = [thing[name], value]
