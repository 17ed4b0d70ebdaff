"""Why a JMESPath expression finds nothing: the key, index or filter that fails first, and what is there instead.

Node types are those of jmespath's syntax tree: field, index, subexpression, projection, filter_projection ...
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from scraper.report.text.sanitize import clean

KEYS_SHOWN = 8
# Members of a list whose keys are read.
MAX_MEMBERS_READ = 50
MAX_KEYS_READ = 1_000
VALUE_CHARS = 40
NO_EXPLANATION = "its parts may be there, but the expression as a whole gives nothing"
Node = Mapping[str, Any]


def jmespath_misses(value: Any, text: str) -> list[str]:
    """A sentence that says why `text`, valid JMESPath, finds nothing in `value`."""
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        return [_MissFinder().explain(jmespath.compile(text).parsed, value, "") or NO_EXPLANATION]
    except (JMESPathError, ValueError, RecursionError):
        return [NO_EXPLANATION]


class _MissFinder:
    """Walks the syntax tree of an expression and the value together, down to the first node that finds nothing."""

    def __init__(self) -> None:
        from jmespath.visitor import TreeInterpreter

        self._interpreter = TreeInterpreter()

    def explain(self, node: Node, value: Any, path: str) -> str | None:
        """What `node` lacks in `value`, the part of the page at `path`; None when there is no explanation."""
        match node["type"]:
            case "field":
                return _missing_key(str(node["value"]), value, path)
            case "index":
                return _missing_index(node["value"], value, path)
            case "subexpression" | "pipe" | "index_expression":
                return self._explain_chain(node["children"], value, path)
            case "projection" | "value_projection" | "filter_projection":
                return self._explain_projection(node, value, path)
            case "flatten":
                inside = self._find(node["children"][0], value)
                if inside is not None and not isinstance(inside, list):
                    inner_path = _path_text(_append_path(path, node["children"][0]))
                    return f"{inner_path} is {_kind_text(inside)}, not a list"
                return self._explain_chain(node["children"], value, path)
        return None

    def _explain_chain(self, nodes: list[Node], value: Any, path: str) -> str | None:
        for node in nodes:
            found = self._find(node, value)
            # This node of the chain is the first without a result: explain it in the value before it.
            if _is_nothing(found):
                return self.explain(node, value, path) or (
                    f"{_path_text(path)} is empty" if value in ([], {}) else None
                )
            path, value = _append_path(path, node), found
        return f"{_path_text(path.removesuffix('[]'))} is an empty list" if value == [] else None

    def _explain_projection(self, node: Node, value: Any, path: str) -> str | None:
        left, right = node["children"][:2]
        members = self._find(left, value)
        if members is None:
            return self.explain(left, value, path)
        path = _append_path(path, left)
        # `*` on an object projects over its values.
        if node["type"] == "value_projection":
            members = list(members.values()) if isinstance(members, dict) else members
        if not isinstance(members, list):
            return f"{_path_text(path)} is {_kind_text(members)}, not a list"
        if not members:
            return f"{_path_text(path.removesuffix('[]'))} is an empty list"
        if node["type"] == "filter_projection":
            condition = node["children"][2]
            kept = [one for one in members if not _is_nothing(self._find(condition, one), other_empties=(False,))]
            if not kept:
                # `[?condition]` with no member left: name the values that the compared field has.
                message = f"the filter holds for none of the {len(members)} members of {_path_text(path)}"
                details = self._explain_filter(condition, members)
                return f"{message}; {details}" if details else message
            members = kept
        # A key is missing only when no member has it, so look for it in all of them at once.
        return self.explain(right, _merge_members(members), path.removesuffix("[]") + "[]")

    def _explain_filter(self, condition: Node, members: list[Any]) -> str | None:
        if condition["type"] != "comparator":
            return None
        left, right = condition["children"]
        # A literal may be on either side: `7 == id` is the same as `id == 7`.
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
        except Exception:  # noqa: BLE001  JMESPath functions raise many types for arguments they do not accept
            return None


def _missing_key(name: str, value: Any, path: str) -> str:
    if isinstance(value, dict):
        if name in value:
            return f"{_path_text(path)} has {name!r}, but it is {_kind_text(value[name])}"
        keys = [key for key in list(value)[:MAX_KEYS_READ] if isinstance(key, str)]
        close = get_close_matches(name.lower(), {key.lower(): key for key in keys}, n=3, cutoff=0.6)
        similar = [key for key in keys if key.lower() in close]
        shown = ", ".join(clean(key, VALUE_CHARS) for key in keys[:KEYS_SHOWN]) or "nothing"
        more = f" and {len(keys) - KEYS_SHOWN} more" if len(keys) > KEYS_SHOWN else ""
        hint = f"; similar: {', '.join(clean(key, VALUE_CHARS) for key in similar[:3])}" if similar else ""
        return f"{_path_text(path)} has no {name!r}; it has: {shown}{more}{hint}"
    if isinstance(value, list):
        return f"{_path_text(path)} is a list of {len(value)}: {path}[].{name} looks in its members"
    return f"{_path_text(path)} is {_kind_text(value)}, which has no {name!r}"


def _missing_index(index: int, value: Any, path: str) -> str:
    if isinstance(value, list):
        return f"{_path_text(path)} has {len(value)} members, there is no [{index}]"
    return f"{_path_text(path)} is {_kind_text(value)}, not a list"


def _merge_members(members: list[Any]) -> Any:
    """One object with the keys of all members that are objects; the first member when none is."""
    objects = [one for one in members[:MAX_MEMBERS_READ] if isinstance(one, dict)]
    if not objects:
        return members[0]
    merged: dict[str, Any] = {}
    for one in objects:
        for key, value in list(one.items())[:MAX_KEYS_READ]:
            if merged.get(key) is None and len(merged) < MAX_KEYS_READ:
                merged[key] = value
    return merged


def _append_path(path: str, node: Node) -> str:
    """`path` extended by `node`, written as JMESPath: `items[].price`."""
    match node["type"]:
        case "field":
            return f"{path}.{node['value']}" if path else str(node["value"])
        case "index":
            return f"{path}[{node['value']}]"
        case "subexpression" | "pipe" | "index_expression":
            for child in node["children"]:
                path = _append_path(path, child)
            return path
        case "projection" | "filter_projection" | "flatten" | "value_projection":
            inner = _append_path(path, node["children"][0])
            return inner if inner.endswith("[]") or node["type"] == "projection" else inner + "[]"
    return path


def _path_text(path: str) -> str:
    return clean(path, 80) if path else "the page"


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


def _is_nothing(value: Any, other_empties: tuple[Any, ...] = ()) -> bool:
    return value is None or value in ("", [], {}) or any(value is one for one in other_empties)
