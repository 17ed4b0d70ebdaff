"""Why an XPath expression finds nothing: the step that fails first, and what there is in its place.

A path is cut into its steps, and each longer beginning of it is tried. The first that finds nothing names the step;
without its predicates it says whether the name or a condition is to blame.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, NamedTuple

from scraper.errors import ExtractError
from scraper.extract.rules.field_sources import lxml_visible_text
from scraper.extract.rules.optional_libraries import XPath
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.report.text.sanitize import clean

MAX_STEPS = 40
MAX_NODES_READ = 200
"""Elements at which a step fails that are looked at."""
MAX_DESCENDANTS_READ = 5_000
"""Elements in them that are counted by name."""
NAMES_SHOWN = 8
VALUE_CHARS = 40
_WRAPPED = re.compile(r"\s*[\w:-]+\(\s*(?=[/.(])(.*)\)\s*", re.DOTALL)
_COMPARED = re.compile(
    r"\s*(?:contains|starts-with|re:test)?\s*\(?\s*(?:@(?P<name>[\w:.-]+)|text\(\)|\.|normalize-space\([.)]*\)?)\s*"
    r"(?:[=,]\s*(?P<q>['\"])(?P<value>.*?)(?P=q)\s*\)?)?\s*"
)


class LocationStep(NamedTuple):
    """One step: `lead` is `/`, `//` or nothing, `axis` with its colons, `test` the name or `text()`, `conditions`."""

    slashes: str
    axis: str
    node_test: str
    predicates: tuple[str, ...]

    def to_xpath(self, conditions: int | None = None) -> str:
        """The step as text, with as many of its conditions as asked for."""
        return self.slashes + self.axis + self.node_test + "".join(f"[{one}]" for one in self.predicates[:conditions])


def xpath_misses(tree: Any, text: str) -> list[str]:
    """Why `text`, which can be evaluated, finds nothing in `tree`: one sentence or two for each of its paths."""
    inner = text
    while (wrapped := _WRAPPED.fullmatch(inner)) is not None:
        inner = wrapped[1]
    hints: list[str] = []
    for path in islice(_split(inner, "|"), 5):
        steps = parse_steps(path.strip())
        if steps is not None:
            hints += _first_failure(tree, steps)
    return hints or ["its parts may be there, but the expression as a whole selects nothing"]


def parse_steps(path: str) -> list[LocationStep] | None:
    """The steps of a location path; None for an expression that is none."""
    pieces = list(islice(_steps(path), MAX_STEPS + 1))
    steps = []
    for lead, body in pieces[:MAX_STEPS]:
        test, *conditions = _split_conditions(body)
        axis, colons, name = test.rpartition("::")
        if not re.fullmatch(r"@?[\w.*:-]*(?:\(\))?", test.strip()) or not test.strip():
            return None
        steps.append(LocationStep(lead, axis + colons, name.strip(), tuple(conditions)))
    return steps or None


def _first_failure(tree: Any, steps: Sequence[LocationStep]) -> list[str]:
    before, nodes = "", [tree]
    for number, step in enumerate(steps):
        found = _find(tree, before + step.to_xpath())
        if found is None:
            return []
        if not found:
            reached = [f"{before!r} is there {len(nodes)}x"] if number and before != "." else []
            return [*reached, *_why(tree, before, nodes, step)]
        before, nodes = before + step.to_xpath(), found
    return []


def _why(tree: Any, before: str, nodes: Sequence[Any], step: LocationStep) -> Iterator[str]:
    """What is there where `step` finds nothing."""
    bare = _find(tree, before + step.to_xpath(0))
    if bare:
        for count in range(1, len(step.predicates) + 1):
            if not _find(tree, before + step.to_xpath(count)):
                left = _find(tree, before + step.to_xpath(count - 1)) or []
                condition = step.predicates[count - 1]
                yield f"{step.to_xpath(count - 1)!r} is there {len(left)}x, but none meets [{condition}]"
                yield from _about_condition(left, condition)
                return
    elements = [node for node in nodes[:MAX_NODES_READ] if hasattr(node, "attrib")]
    if step.node_test.startswith("@") or step.axis == "attribute::":
        name = step.node_test.lstrip("@")
        yield f"none has the attribute {name!r}" + _instead(name, Counter(_attributes(elements)))
    elif step.node_test == "text()":
        inside = Counter(_tags(child for node in elements for child in node.iterdescendants() if _own_text(child)))
        yield "there is no text directly in it" + (f"; it is in: {_counted(inside)}" if inside else "")
    else:
        whole = f"{step.slashes or ''}{step.axis}*"
        there = Counter(_tags(_find(tree, before + whole) or []))
        where = (
            "anywhere in it" if step.slashes == "//" else "directly in it" if not step.axis else f"on its {step.axis}"
        )
        if not before:
            where = "on this page" if step.slashes == "//" else "at the top"
        yield f"no {step.node_test!r} {where}" + _instead(step.node_test, there)


def _about_condition(nodes: Sequence[Any], condition: str) -> Iterator[str]:
    elements = [node for node in nodes[:MAX_NODES_READ] if hasattr(node, "attrib")]
    asked = _COMPARED.fullmatch(condition)
    if asked is None or not elements:
        return
    name, value = asked["name"], asked["value"]
    if name is None:
        values = Counter(text for node in elements if (text := lxml_visible_text(node)[:200]))
    else:
        values = Counter(str(node.attrib[name])[:200] for node in elements if name in node.attrib)
    if not values and name is not None:
        yield f"none of them has the attribute {name!r}" + _instead(name, Counter(_attributes(elements)))
    elif values and value is not None:
        words = Counter(word for text in values for word in [text, *text.split()])
        alike = get_close_matches(value, list(words)[:1_000], n=3, cutoff=0.6)
        told = f"; like it: {', '.join(_quoted(a) for a in alike)}" if alike else ""
        shown = ", ".join(f"{_quoted(v)} {n}x" for v, n in values.most_common(4))
        yield f"{'their text' if name is None else f'their {name!r}'} is: {shown}{told}"


def _instead(name: str, there: Counter[str]) -> str:
    """What there is in place of `name`: the names that look alike first."""
    if not there:
        return ": there is nothing"
    alike = get_close_matches(name.lower(), list(there)[:1_000], n=3, cutoff=0.6)
    told = f"; like it: {', '.join(clean(a, VALUE_CHARS) for a in alike)}" if alike else ""
    return f"; there is: {_counted(there)}{told}"


def _counted(names: Counter[str]) -> str:
    shown = ", ".join(f"{clean(name, VALUE_CHARS)} {count}x" for name, count in names.most_common(NAMES_SHOWN))
    return shown + (f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else "")


def _quoted(text: str) -> str:
    return repr(clean(text, VALUE_CHARS))


def _find(tree: Any, text: str) -> list[Any] | None:
    """What an expression selects; None when it cannot be evaluated."""
    try:
        found = XPath(text, "xpath").read(tree)
    except ExtractError:
        return None
    return None if isinstance(found, ParseFailure) else [one for one in found if one is not False and one != ""]


def _tags(nodes: Iterable[Any]) -> Iterator[str]:
    return (node.tag for node in islice(nodes, MAX_DESCENDANTS_READ) if isinstance(getattr(node, "tag", None), str))


def _attributes(elements: Iterable[Any]) -> Iterator[str]:
    return (str(name) for node in elements for name in node.attrib)


def _own_text(node: Any) -> bool:
    return bool((node.text or "").strip())


def _steps(path: str) -> Iterator[tuple[str, str]]:
    """Steps with the slashes before them; slashes in brackets and quotes are none."""
    lead, body = "", ""
    for piece, nested in _pieces(path):
        if piece != "/" or nested:
            body += piece
        elif body.strip():
            yield lead, body
            lead, body = "/", ""
        else:
            lead += "/"
    if body.strip():
        yield lead, body


def _split_conditions(body: str) -> list[str]:
    """A step's test, and the texts between its square brackets."""
    parts, depth, quote = [""], 0, ""
    for character in body:
        quote = ("" if character == quote else quote) if quote else character if character in "'\"" else ""
        if character == "[" and not quote:
            depth += 1
            if depth == 1:
                parts.append("")
                continue
        if character == "]" and not quote:
            depth -= 1
            if depth == 0:
                continue
        parts[-1] += character
    return parts


def _split(text: str, mark: str) -> Iterator[str]:
    part = ""
    for piece, nested in _pieces(text):
        if piece == mark and not nested:
            yield part
            part = ""
        else:
            part += piece
    yield part


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Characters, and whether each stands in brackets or quotes."""
    depth, quote = 0, ""
    for character in text:
        if quote:
            yield character, True
            quote = "" if character == quote else quote
            continue
        if character in "'\"":
            quote = character
        depth += (character in "[(") - (character in "])")
        yield character, depth > 0 or bool(quote)
