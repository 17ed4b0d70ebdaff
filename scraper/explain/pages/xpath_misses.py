"""Why an XPath expression selects nothing: the first location step that fails, and what is there instead.

A path is split into its steps, and prefixes of one, two, three ... steps are evaluated. The first that selects nothing
ends with the failing step. Evaluated again without its predicates, it shows whether the node test or a predicate fails.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, NamedTuple

from scraper.errors import ExtractionRuleError
from scraper.extract.rules.field_sources import lxml_visible_text
from scraper.extract.rules.optional_libraries import XPath
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.report.text.sanitize import clean

MAX_STEPS = 40
# Elements read of those from which the failing step starts.
MAX_NODES_READ = 200
# Elements inside them whose names are counted.
MAX_DESCENDANTS_READ = 5_000
NAMES_SHOWN = 8
VALUE_CHARS = 40
_FUNCTION_CALL = re.compile(r"\s*[\w:-]+\(\s*(?=[/.(])(.*)\)\s*", re.DOTALL)
_COMPARISON = re.compile(
    r"\s*(?:contains|starts-with|re:test)?\s*\(?\s*(?:@(?P<name>[\w:.-]+)|text\(\)|\.|normalize-space\([.)]*\)?)\s*"
    r"(?:[=,]\s*(?P<q>['\"])(?P<value>.*?)(?P=q)\s*\)?)?\s*"
)


class LocationStep(NamedTuple):
    """One location step (XPath 1.0, section 2.1): `//`, `child::`, `a`, `[@href]`.

    `slashes` is `/`, `//` or empty; `axis` keeps its colons; `predicates` are without brackets.
    """

    slashes: str
    axis: str
    node_test: str
    predicates: tuple[str, ...]

    def to_xpath(self, predicates: int | None = None) -> str:
        """The step as text, with its first `predicates` predicates; None for all."""
        return self.slashes + self.axis + self.node_test + "".join(f"[{one}]" for one in self.predicates[:predicates])


def xpath_misses(tree: Any, text: str) -> list[str]:
    """Why `text`, a valid expression, selects nothing in `tree`: one or two sentences for each path of a union."""
    inner = text
    # `string(//h9)`: explain the path inside the call.
    while (wrapped := _FUNCTION_CALL.fullmatch(inner)) is not None:
        inner = wrapped[1]
    hints: list[str] = []
    for path in islice(_split_outside_brackets(inner, "|"), 5):
        steps = parse_steps(path.strip())
        if steps is not None:
            hints += _explain_first_failure(tree, steps)
    return hints or ["its parts may be there, but the expression as a whole selects nothing"]


def parse_steps(path: str) -> list[LocationStep] | None:
    """The steps of a location path; None for any other expression."""
    pieces = list(islice(_split_steps(path), MAX_STEPS + 1))
    steps = []
    for slashes, body in pieces[:MAX_STEPS]:
        test, *predicates = _split_predicates(body)
        axis, colons, name = test.rpartition("::")
        # Function calls and operators are no steps of a path.
        if not re.fullmatch(r"@?[\w.*:-]*(?:\(\))?", test.strip()) or not test.strip():
            return None
        steps.append(LocationStep(slashes, axis + colons, name.strip(), tuple(predicates)))
    return steps or None


def _explain_first_failure(tree: Any, steps: Sequence[LocationStep]) -> list[str]:
    before, nodes = "", [tree]
    for number, step in enumerate(steps):
        found = _select(tree, before + step.to_xpath())
        # A prefix that cannot be evaluated on its own says nothing.
        if found is None:
            return []
        if not found:
            reached = [f"{before!r} is there {len(nodes)}x"] if number and before != "." else []
            return [*reached, *_explain_step(tree, before, nodes, step)]
        before, nodes = before + step.to_xpath(), found
    return []


def _explain_step(tree: Any, before: str, nodes: Sequence[Any], step: LocationStep) -> Iterator[str]:
    """What `step` could have selected from `nodes`: values that its predicate lacks, or other names."""
    bare = _select(tree, before + step.to_xpath(0))
    # The node test matches, so a predicate fails: find the first one that leaves nothing.
    if bare:
        for count in range(1, len(step.predicates) + 1):
            if not _select(tree, before + step.to_xpath(count)):
                left = _select(tree, before + step.to_xpath(count - 1)) or []
                predicate = step.predicates[count - 1]
                yield f"{step.to_xpath(count - 1)!r} is there {len(left)}x, but none meets [{predicate}]"
                yield from _explain_predicate(left, predicate)
                return
    elements = [node for node in nodes[:MAX_NODES_READ] if hasattr(node, "attrib")]
    if step.node_test.startswith("@") or step.axis == "attribute::":
        name = step.node_test.lstrip("@")
        yield f"none has the attribute {name!r}" + _alternatives_text(name, Counter(_attribute_names(elements)))
    elif step.node_test == "text()":
        inside = Counter(
            _tag_names(child for node in elements for child in node.iterdescendants() if _has_own_text(child))
        )
        yield "there is no text directly in it" + (f"; it is in: {_counts_text(inside)}" if inside else "")
    else:
        whole = f"{step.slashes or ''}{step.axis}*"
        there = Counter(_tag_names(_select(tree, before + whole) or []))
        where = (
            "anywhere in it" if step.slashes == "//" else "directly in it" if not step.axis else f"on its {step.axis}"
        )
        if not before:
            where = "on this page" if step.slashes == "//" else "at the top"
        yield f"no {step.node_test!r} {where}" + _alternatives_text(step.node_test, there)


def _explain_predicate(nodes: Sequence[Any], predicate: str) -> Iterator[str]:
    elements = [node for node in nodes[:MAX_NODES_READ] if hasattr(node, "attrib")]
    comparison = _COMPARISON.fullmatch(predicate)
    if comparison is None or not elements:
        return
    name, value = comparison["name"], comparison["value"]
    if name is None:
        values = Counter(text for node in elements if (text := lxml_visible_text(node)[:200]))
    else:
        values = Counter(str(node.attrib[name])[:200] for node in elements if name in node.attrib)
    if not values and name is not None:
        yield f"none of them has the attribute {name!r}" + _alternatives_text(name, Counter(_attribute_names(elements)))
    elif values and value is not None:
        words = Counter(word for text in values for word in [text, *text.split()])
        similar = get_close_matches(value, list(words)[:1_000], n=3, cutoff=0.6)
        hint = f"; similar: {', '.join(_quoted(a) for a in similar)}" if similar else ""
        shown = ", ".join(f"{_quoted(v)} {n}x" for v, n in values.most_common(4))
        yield f"{'their text' if name is None else f'their {name!r}'} is: {shown}{hint}"


def _alternatives_text(name: str, there: Counter[str]) -> str:
    """The end of a sentence: the names that are there instead of `name`, then those similar to it."""
    if not there:
        return ": there is nothing"
    similar = get_close_matches(name.lower(), list(there)[:1_000], n=3, cutoff=0.6)
    hint = f"; similar: {', '.join(clean(a, VALUE_CHARS) for a in similar)}" if similar else ""
    return f"; there is: {_counts_text(there)}{hint}"


def _counts_text(names: Counter[str]) -> str:
    shown = ", ".join(f"{clean(name, VALUE_CHARS)} {count}x" for name, count in names.most_common(NAMES_SHOWN))
    return shown + (f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else "")


def _quoted(text: str) -> str:
    return repr(clean(text, VALUE_CHARS))


def _select(tree: Any, text: str) -> list[Any] | None:
    """The result of an expression; None when it cannot be evaluated."""
    try:
        found = XPath(text, "xpath").read(tree)
    except ExtractionRuleError:
        return None
    return None if isinstance(found, ParseFailure) else [one for one in found if one is not False and one != ""]


def _tag_names(nodes: Iterable[Any]) -> Iterator[str]:
    return (node.tag for node in islice(nodes, MAX_DESCENDANTS_READ) if isinstance(getattr(node, "tag", None), str))


def _attribute_names(elements: Iterable[Any]) -> Iterator[str]:
    return (str(name) for node in elements for name in node.attrib)


def _has_own_text(node: Any) -> bool:
    return bool((node.text or "").strip())


def _split_steps(path: str) -> Iterator[tuple[str, str]]:
    """Split a path into pairs of slashes and step; slashes in brackets and quotes do not count."""
    slashes, body = "", ""
    for piece, nested in _characters_with_nesting(path):
        if piece != "/" or nested:
            body += piece
        elif body.strip():
            yield slashes, body
            slashes, body = "/", ""
        else:
            slashes += "/"
    if body.strip():
        yield slashes, body


def _split_predicates(body: str) -> list[str]:
    """Axis and node test of a step, then the text of each predicate."""
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


def _split_outside_brackets(text: str, separator: str) -> Iterator[str]:
    part = ""
    for piece, nested in _characters_with_nesting(text):
        if piece == separator and not nested:
            yield part
            part = ""
        else:
            part += piece
    yield part


def _characters_with_nesting(text: str) -> Iterator[tuple[str, bool]]:
    """Characters, and whether each is inside brackets or quotes."""
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
