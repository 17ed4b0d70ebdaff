"""Why a JMESPath expression finds nothing: the key, index or filter that fails first, and what there is instead."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from scraper.report.text.sanitize import clean

KEYS_SHOWN = 8
# Members of a list whose keys are looked at.
MAX_MEMBERS_READ = 50
MAX_KEYS_READ = 1_000
VALUE_CHARS = 40
NO_EXPLANATION = "its parts may be there, but the expression as a whole gives nothing"
Node = Mapping[str, Any]


def jmespath_misses(value: Any, text: str) -> list[str]:
    """Why `text`, which is JMESPath, finds nothing in `value`."""
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        return [_MissFinder().explain(jmespath.compile(text).parsed, value, "") or NO_EXPLANATION]
    except (JMESPathError, ValueError, RecursionError):
        return [NO_EXPLANATION]


class _MissFinder:
    """Walks an expression's tree along what it finds in a value."""

    def __init__(self) -> None:
        from jmespath.visitor import TreeInterpreter

        self._interpreter = TreeInterpreter()

    def explain(self, node: Node, value: Any, place: str) -> str | None:
        """What is missing for `node` at `value`, which stands at `place`; None when nothing can be said."""
        match node["type"]:
            case "field":
                return _missing_key(str(node["value"]), value, place)
            case "index":
                return _missing_index(node["value"], value, place)
            case "subexpression" | "pipe" | "index_expression":
                return self._explain_chain(node["children"], value, place)
            case "projection" | "value_projection" | "filter_projection":
                return self._explain_projection(node, value, place)
            case "flatten":
                inside = self._find(node["children"][0], value)
                if inside is not None and not isinstance(inside, list):
                    return f"{_path_text(_append_path(place, node['children'][0]))} is {_kind_text(inside)}, not a list"
                return self._explain_chain(node["children"], value, place)
        return None

    def _explain_chain(self, nodes: list[Node], value: Any, place: str) -> str | None:
        for node in nodes:
            found = self._find(node, value)
            if _is_nothing(found):
                return self.explain(node, value, place) or (
                    f"{_path_text(place)} is empty" if value in ([], {}) else None
                )
            place, value = _append_path(place, node), found
        return f"{_path_text(place.removesuffix('[]'))} is an empty list" if value == [] else None

    def _explain_projection(self, node: Node, value: Any, place: str) -> str | None:
        left, right = node["children"][:2]
        members = self._find(left, value)
        if members is None:
            return self.explain(left, value, place)
        place = _append_path(place, left)
        if node["type"] == "value_projection":
            members = list(members.values()) if isinstance(members, dict) else members
        if not isinstance(members, list):
            return f"{_path_text(place)} is {_kind_text(members)}, not a list"
        if not members:
            return f"{_path_text(place.removesuffix('[]'))} is an empty list"
        if node["type"] == "filter_projection":
            condition = node["children"][2]
            kept = [one for one in members if not _is_nothing(self._find(condition, one), also=(False,))]
            if not kept:
                told = f"the filter holds for none of the {len(members)} members of {_path_text(place)}"
                more = self._explain_filter(condition, members)
                return f"{told}; {more}" if more else told
            members = kept
        return self.explain(right, _merge_members(members), place.removesuffix("[]") + "[]")

    def _explain_filter(self, condition: Node, members: list[Any]) -> str | None:
        if condition["type"] != "comparator":
            return None
        left, right = condition["children"]
        if left["type"] == "literal":
            left, right = right, left
        values = [found for one in members[:MAX_MEMBERS_READ] if (found := self._find(left, one)) is not None]
        if not values:
            return self.explain(left, _merge_members(members), "a member")
        shown = dict.fromkeys(clean(str(found), VALUE_CHARS) for found in values if not isinstance(found, dict | list))
        return f"there it is: {', '.join(list(shown)[:KEYS_SHOWN])}" if shown else None

    def _find(self, node: Node, value: Any) -> Any:
        try:
            return self._interpreter.visit(node, value)
        except Exception:  # noqa: BLE001  functions raise what they like for what they cannot take
            return None


def _missing_key(name: str, value: Any, place: str) -> str:
    if isinstance(value, dict):
        if name in value:
            return f"{_path_text(place)} has {name!r}, but it is {_kind_text(value[name])}"
        keys = [key for key in list(value)[:MAX_KEYS_READ] if isinstance(key, str)]
        alike = get_close_matches(name.lower(), {key.lower(): key for key in keys}, n=3, cutoff=0.6)
        spelled = [key for key in keys if key.lower() in alike]
        shown = ", ".join(clean(key, VALUE_CHARS) for key in keys[:KEYS_SHOWN]) or "nothing"
        more = f" and {len(keys) - KEYS_SHOWN} more" if len(keys) > KEYS_SHOWN else ""
        told = f"; like it: {', '.join(clean(key, VALUE_CHARS) for key in spelled[:3])}" if spelled else ""
        return f"{_path_text(place)} has no {name!r}; it has: {shown}{more}{told}"
    if isinstance(value, list):
        return f"{_path_text(place)} is a list of {len(value)}: {place}[].{name} looks in its members"
    return f"{_path_text(place)} is {_kind_text(value)}, which has no {name!r}"


def _missing_index(index: int, value: Any, place: str) -> str:
    if isinstance(value, list):
        return f"{_path_text(place)} has {len(value)} members, there is no [{index}]"
    return f"{_path_text(place)} is {_kind_text(value)}, not a list"


def _merge_members(members: list[Any]) -> Any:
    """One object with all keys of the members; the first member where they are none."""
    objects = [one for one in members[:MAX_MEMBERS_READ] if isinstance(one, dict)]
    if not objects:
        return members[0]
    merged: dict[str, Any] = {}
    for one in objects:
        for key, value in list(one.items())[:MAX_KEYS_READ]:
            if merged.get(key) is None and len(merged) < MAX_KEYS_READ:
                merged[key] = value
    return merged


def _append_path(place: str, node: Node) -> str:
    match node["type"]:
        case "field":
            return f"{place}.{node['value']}" if place else str(node["value"])
        case "index":
            return f"{place}[{node['value']}]"
        case "subexpression" | "pipe" | "index_expression":
            for child in node["children"]:
                place = _append_path(place, child)
            return place
        case "projection" | "filter_projection" | "flatten" | "value_projection":
            inner = _append_path(place, node["children"][0])
            return inner if inner.endswith("[]") or node["type"] == "projection" else inner + "[]"
    return place


def _path_text(place: str) -> str:
    return clean(place, 80) if place else "the page"


def _kind_text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "an empty object" if not value else "an object"
    if isinstance(value, list):
        return "an empty list" if not value else f"a list of {len(value)}"
    return f"a text: {clean(value, VALUE_CHARS)!r}" if isinstance(value, str) else "a number"


def _is_nothing(value: Any, also: tuple[Any, ...] = ()) -> bool:
    return value is None or value in ("", [], {}) or any(value is one for one in also)
