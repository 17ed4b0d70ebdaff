"""What a selector finds on a page; and when it finds nothing, where it stops and what it may have meant.

A near miss is told in two ways: how far the selector gets (`article.product` is there, `article.product .cost` is
not), and for each name in it that the page does not have, the names it does have that look alike.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from scraper.errors import ExtractError
from scraper.extract.links.document import Document
from scraper.extract.links.links import parse_file_selector
from scraper.extract.rules.compile import check_selector
from scraper.extract.rules.visible_text import visible_text

MAX_NAMES = 4_000
"""Distinct tags, classes and ids of one page that are looked at, each."""
MAX_ELEMENTS = 100_000
MAX_SIMILAR_NAMES = 3
"""Names that look alike which are proposed for one name."""
VALUES_SHOWN = 5
_NAME = r"-?[A-Za-z_][\w-]*"
_SIMPLE = re.compile(rf"(?P<mark>[.#]?)(?P<name>{_NAME})")
_DROPPED = re.compile(r"\[[^\]]*\]|::?[\w-]+(?:\([^)]*\))?|\"[^\"]*\"|'[^']*'")
_COMBINED = re.compile(r"\s*[>+~]\s*|\s+")


@dataclass(frozen=True, slots=True)
class PageNames:
    """The names that a page has, with how often: `tags`, `classes` (`.name`) and `ids` (`#name`)."""

    tags: Mapping[str, int]
    classes: Mapping[str, int]
    ids: Mapping[str, int]

    @classmethod
    def from_document(cls, document: Document) -> PageNames:
        """The names of `document`, at most `MAX_NAMES` of each kind."""
        tags: Counter[str] = Counter()
        classes: Counter[str] = Counter()
        ids: Counter[str] = Counter()
        for element in document.tree.css("*")[:MAX_ELEMENTS]:
            attributes = element.attributes
            names = [(tags, element.tag or "")]
            names += [(classes, f".{name}") for name in (attributes.get("class") or "").split()]
            if identity := attributes.get("id"):
                names.append((ids, f"#{identity}"))
            for counter, name in names:
                if name in counter or len(counter) < MAX_NAMES:
                    counter[name] += 1
        return cls(tags, classes, ids)

    def of_kind(self, prefix: str) -> Mapping[str, int]:
        """The names of one kind: `.`, `#`, or nothing for tags."""
        return {".": self.classes, "#": self.ids}.get(prefix, self.tags)

    def all_names(self) -> list[str]:
        """Every name as it stands in a selector, the frequent ones of each kind first."""
        return [name for kind in (self.tags, self.classes, self.ids) for name in sorted(kind, key=lambda n: -kind[n])]

    def find_similar(self, name: str) -> list[str]:
        """Names of the page that look like `name` (`.name`, `#name` or a tag), the best first."""
        mark = name[0] if name[0] in ".#" else ""
        known = self.of_kind(mark)
        bare = {candidate.lstrip(".#").lower(): candidate for candidate in known}
        wanted = name.lstrip(".#").lower()
        # `price` is meant by `.prise`, and `price_color` by `.price`: names are compared whole and in their parts.
        parts: dict[str, list[str]] = {}
        for name_known in bare:
            for part in re.split(r"[-_]+", name_known):
                parts.setdefault(part, []).append(name_known)
        found = dict.fromkeys(get_close_matches(wanted, bare, n=MAX_SIMILAR_NAMES, cutoff=0.6))
        for word in [wanted, *(part for part in re.split(r"[-_]+", wanted) if len(part) > 2)]:
            for part in get_close_matches(word, parts, n=MAX_SIMILAR_NAMES, cutoff=0.75):
                found.update(dict.fromkeys(parts[part][:MAX_SIMILAR_NAMES]))
        proposals = [bare[name_known] for name_known in list(found)[:MAX_SIMILAR_NAMES]]
        # A class is often written without its dot, and the other way round.
        other = [f"{m}{wanted}" for m in (".", "#", "") if m != mark and f"{m}{wanted}" in self.of_kind(m)]
        return other + proposals


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one expression finds: how many matches, the first values; and hints when it finds nothing."""

    expression: str
    count: int
    values: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    problem: str | None = None


def probe_css(document: Document, text: str, names: PageNames | None = None) -> ProbeResult:
    """What `text`, a CSS selector with an optional `@attribute`, finds on the page. Never raises."""
    try:
        selector, attribute = parse_file_selector(text) if "@" in text else (check_selector(text, "css"), "")
    except ExtractError as error:
        return ProbeResult(text, 0, problem=str(error))
    found = document.tree.css(selector)
    if not found:
        return ProbeResult(
            text, 0, hints=tuple(css_misses(document, selector, names or PageNames.from_document(document)))
        )
    shown = found[:VALUES_SHOWN]
    values = [(e.attributes.get(attribute) or "") if attribute else visible_text(e) for e in shown]
    hints: tuple[str, ...] = ()
    if attribute and not any(attribute in element.attributes for element in found):
        present = sorted({name for element in found[:50] for name in element.attributes})
        hints = (f"none of them has the attribute {attribute!r}; they have: {', '.join(present) or 'none'}",)
    return ProbeResult(text, len(found), tuple(values), hints)


def css_misses(document: Document, selector: str, names: PageNames) -> list[str]:
    """Why `selector` finds nothing, in sentences: how far it gets, and names that look alike."""
    hints: list[str] = []
    reached = _reached(document, selector)
    if reached is not None:
        head, count, rest = reached
        hints.append(f"{head!r} is there {count}x, but nothing in it is {rest!r}")
    for match in _SIMPLE.finditer(_DROPPED.sub(" ", selector)):
        name = match["mark"] + (match["name"] if match["mark"] else match["name"].lower())
        if name in names.of_kind(match["mark"]):
            continue
        alike = names.find_similar(name)
        proposal = f"; the page has {', '.join(alike)}" if alike else ""
        hints.append(f"no {name!r} on this page{proposal}")
    return hints or ["each of its names is on the page, but never together like this"]


def _reached(document: Document, selector: str) -> tuple[str, int, str] | None:
    """The longest beginning of `selector` that finds something, how often, and what comes after it."""
    if "," in selector:
        return None
    ends = [match.start() for match in _COMBINED.finditer(selector.strip())]
    for end in reversed(ends):
        head = selector.strip()[:end]
        try:
            found = document.tree.css(check_selector(head, "css"))
        except ExtractError:
            continue
        if found:
            return head, len(found), selector.strip()[end:].strip()
    return None
