"""What a CSS selector matches on a page, and near misses when it matches nothing.

A near miss is explained in two ways: the longest prefix of the selector that matches (`article.product` does,
`article.product .cost` does not), and for each name in it that the page lacks, similar names that the page has.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from scraper.errors import ExtractionRuleError
from scraper.extract.links.document import Document
from scraper.extract.links.links import parse_file_selector
from scraper.extract.rules.compile import check_selector
from scraper.extract.rules.css_select import select
from scraper.extract.rules.visible_text import visible_text

# Distinct names of one page that are counted: this many tags, classes and ids each.
MAX_NAMES = 4_000
MAX_ELEMENTS = 100_000
# Similar names suggested for one unknown name.
MAX_SIMILAR_NAMES = 3
VALUES_SHOWN = 5
# A name may hold letters of any script and escaped characters (`.md\\:flex`). Only an id may begin with a digit.
_NAME_PATTERN = r"-{0,2}(?:[^\W\d]|\\.)(?:[\w-]|\\.)*"
_SIMPLE_SELECTOR = re.compile(rf"#(?:[\w-]|\\.)+|\.?{_NAME_PATTERN}")
_QUOTED = r"\"[^\"]*\"|'[^']*'"
_ATTRIBUTE_OR_PSEUDO = re.compile(
    rf"\[(?:{_QUOTED}|[^\]\"'])*\]|(?<!\\)::?[\w-]+(?:\((?:{_QUOTED}|\([^()]*\)|[^()\"'])*\))?|{_QUOTED}"
)
# Stands for a blanked-out character: it is no combinator and no part of a name.
MASK = "\0"
_COMBINATOR = re.compile(r"\s*[>+~]\s*|\s+")


@dataclass(frozen=True, slots=True)
class PageNames:
    """The names on a page and how often each occurs: `tags` (`name`), `classes` (`.name`) and `ids` (`#name`)."""

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
        """Every name as a selector writes it: tags, classes, ids, each sorted by frequency."""
        return [name for kind in (self.tags, self.classes, self.ids) for name in sorted(kind, key=lambda n: -kind[n])]

    def find_similar(self, name: str) -> list[str]:
        """Names of the page that resemble `name` (`.name`, `#name` or a tag), the most similar first."""
        prefix = name[0] if name[0] in ".#" else ""
        known = self.of_kind(prefix)
        bare = {candidate.lstrip(".#").lower(): candidate for candidate in known}
        wanted = name.lstrip(".#").lower()
        # Compare whole names (`.prise` means `.price`) and their parts (`.price` may mean `.price_color`).
        parts: dict[str, list[str]] = {}
        for name_known in bare:
            for part in re.split(r"[-_]+", name_known):
                parts.setdefault(part, []).append(name_known)
        found = dict.fromkeys(get_close_matches(wanted, bare, n=MAX_SIMILAR_NAMES, cutoff=0.6))
        for word in [wanted, *(part for part in re.split(r"[-_]+", wanted) if len(part) > 2)]:
            for part in get_close_matches(word, parts, n=MAX_SIMILAR_NAMES, cutoff=0.75):
                found.update(dict.fromkeys(parts[part][:MAX_SIMILAR_NAMES]))
        proposals = [bare[name_known] for name_known in list(found)[:MAX_SIMILAR_NAMES]]
        # A common mistake is a class without its dot, or a tag with one: suggest the same name of another kind first.
        other_kind = [f"{p}{wanted}" for p in (".", "#", "") if p != prefix and f"{p}{wanted}" in self.of_kind(p)]
        return other_kind + proposals


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of one expression: the number of matches and the first values, or hints when there is none.

    `problem` says why the expression could not be evaluated.
    """

    expression: str
    count: int
    values: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    problem: str | None = None


def probe_css(document: Document, text: str, names: PageNames | None = None) -> ProbeResult:
    """Evaluate `text`, a CSS selector with an optional `@attribute`. Never raises: errors are in `problem`.

    `names` are the names of `document`, when the caller has them already; they take a pass over the page.
    """
    try:
        selector, attribute = parse_file_selector(text) if "@" in text else (check_selector(text, "css"), "")
    except ExtractionRuleError as error:
        return ProbeResult(text, 0, problem=str(error))
    found = select(document.tree, selector)
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
    """Sentences that say why `selector` matches nothing. Each was tried on the page, so that none misleads.

    In this order: the longest prefix that matches, names that the page lacks with similar ones that it has, a condition
    without which there are matches.
    """
    hints: list[str] = []
    reached = _longest_matching_prefix(document, selector)
    if reached is not None:
        head, count, rest = reached
        where = {">": "nothing directly in it is", "+": "nothing right behind it is", "~": "nothing behind it is"}
        relation = where.get(rest[:1], "nothing in it is")
        hints.append(f"{head!r} is there {count}x, but {relation} {rest.lstrip('>+~ ')!r}")
    simple_selectors = list(_simple_selectors(selector))
    for text in simple_selectors:
        if _count(document, text):
            continue
        similar = names.find_similar(text if text[0] in ".#" else text.lower())
        proposal = f"; the page has {', '.join(similar)}" if similar else ""
        hints.append(f"no {text!r} on this page{proposal}")
    if hints:
        return hints
    conditions = [found[0] for found in _ATTRIBUTE_OR_PSEUDO.finditer(selector)]
    counts = {condition: _count(document, selector.replace(condition, "") or "*") for condition in conditions}
    hints += [f"without {condition!r} it matches {count}x" for condition, count in counts.items() if count]
    if hints or conditions or len(simple_selectors) < 2:
        return hints or ["nothing on this page matches it"]
    return ["each of its names is on the page, but never together like this"]


def _simple_selectors(selector: str) -> Iterator[str]:
    """The tags, classes and ids of a selector; the names in attribute conditions and pseudo-classes are none."""
    masked = _masked(selector)
    for match in _SIMPLE_SELECTOR.finditer(masked):
        yield match[0]


def _masked(selector: str) -> str:
    """`selector` with attribute conditions, pseudo-classes and texts blanked out; nothing else moves."""
    return _ATTRIBUTE_OR_PSEUDO.sub(lambda found: MASK * len(found[0]), selector)


def _count(document: Document, selector: str) -> int:
    """How often a selector matches; 0 if it is none."""
    try:
        return len(document.tree.css(check_selector(selector, "css")))
    except ExtractionRuleError:
        return 0


def _longest_matching_prefix(document: Document, selector: str) -> tuple[str, int, str] | None:
    """The longest prefix of `selector` that matches, its number of matches, and the rest of the selector."""
    selector = selector.strip()
    if "," in selector:  # several selectors: no single prefix explains them all
        return None
    for match in reversed(list(_COMBINATOR.finditer(_masked(selector)))):
        head = selector[: match.start()]
        if head and (count := _count(document, head)):
            return head, count, selector[match.start() :].strip()
    return None
