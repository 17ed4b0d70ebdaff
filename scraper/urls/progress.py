"""Which patterns of URLs go on without end: those whose pages lead to one another and bring nothing new.

A page is looked at when it was found on a page of its own family (`patterns`) and brings new links into it. It is
productive when it also brings anything else: a link out of the family, an item, a word or an image that no page of
its path had before. When `limit` pages of a pattern in a row are not, links from such pages to more of the pattern are
denied. Links on a productive page, or on a page of another family, never are: so a list is read to its end, and what a
site names in a menu, an index or a sitemap is fetched, however alike it is.

The limit depends on the kind of the pattern, for numbered pages may be alike and not endless:

    dated       `limit`
    combined    `limit`; the fewer, the longer the pages of all combinations of the same path have brought nothing
    numbered    `NUMBERED_FACTOR` times `limit`, and only pages that bring one single link: to the next; `limit` for
                lists, that is when earlier pages brought links or items

Memory: `MAX_PATTERNS` patterns, `MAX_WORDS` words and items. What is forgotten counts as new, which cuts nothing.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from xxhash import xxh3_64_intdigest

from scraper.model import Item, Request
from scraper.structures.recent_set import RecentSet
from scraper.urls.patterns import UrlPattern, numbers_of, pattern_of
from scraper.urls.traps import TrapSettings

MAX_PATTERNS = 2_000
MAX_WORDS = 100_000
# Pages that brought nothing new and whose links wait in the queue; of further ones these links are fetched.
MAX_PARENTS = 50_000
NUMBERED_FACTOR = 10
# Combinations that were never tried are closed when so many times `limit` pages of their path brought nothing.
UNTRIED_FACTOR = 10
# Pages of a larger content count as productive, unread (bytes).
MAX_PAGE_BYTES = 262_144
# After a productive page up to so many are not looked at.
MAX_UNREAD = 32
# Pages of a restored pattern that only teach what the session before knew.
RELEARN_PAGES = 10
# Sentences for the user; further patterns are only in skipped.jsonl.
MAX_WARNINGS = 20

# What begins a part of a page that is no text, and what ends it.
_NOT_TEXT = re.compile(rb"<(?:script|style|noscript|!--)")
_END_OF = {b"<script": b"</script", b"<style": b"</style", b"<noscript": b"</noscript", b"<!--": b"-->"}
_TEXT = re.compile(rb">([^<]+)")
_CONTENT_ATTRIBUTE = re.compile(rb"""\s(?:src|data-src|alt)\s*=\s*["']?([^"'>?#]+)""")
_WORD = re.compile(rb"[a-z\x80-\xff]{3,}")
_NUMBER = re.compile(rb"\d+")


class Closed(NamedTuple):
    """A request that is denied: the pattern of its URL, and the rule for skipped.jsonl."""

    request: Request
    rule: str


@dataclass(slots=True)
class _Streak:
    """Pages of one pattern. `pages`: how many in a row brought nothing new; `parents`: hashes of their URLs."""

    pages: int = 0
    parents: set[int] = field(default_factory=set)
    # How many pages are not looked at after a productive one, and how many of them are left.
    unread_next: int = 1
    unread: int = 0
    relearn: int = 0
    # Whether pages brought links out of the family, or items.
    is_list: bool = False


class UrlProgress:
    """Counts what pages of each pattern bring, and denies more of those that bring nothing."""

    def __init__(self, settings: TrapSettings) -> None:
        """Raises `re.error` for an expression in `allow` that cannot be compiled."""
        self._limit = settings.max_unproductive or 0
        self._allow = [re.compile(text) for text in settings.allow]
        self._patterns: OrderedDict[str, _Streak] = OrderedDict()
        self._bases: OrderedDict[str, int] = OrderedDict()
        self._parents = 0
        self._seen = RecentSet(MAX_WORDS)
        self._any_closed = False
        self._warned: set[str] = set()
        self._warnings: list[str] = []
        self._changed = False

    def take_warnings(self) -> list[str]:
        """Sentences about paths that were closed since the last call."""
        warnings, self._warnings = self._warnings, []
        return warnings

    def judge(
        self, page: Request, discovered: Sequence[Request], items: Iterable[Item], content: bytes | None
    ) -> list[Closed]:
        """Count what `page` brought; return those of the `discovered` requests, all new, that are denied.

        `content` is that of the page, None when it is too large to be looked at.
        """
        if not self._limit or page.kind != "page" or page.parent is None:
            return []
        own = _pattern(page)
        # Most pages end here: an address without number and parameter cannot be one of endless ones.
        if own.kind == "single" or (own.kind != "dated" and not discovered) or _family_of(page.parent) != own.family:
            return []
        inside = _inside(own, discovered)
        several = own.kind == "numbered" and len(inside) > 1
        if several or (own.kind != "dated" and not inside):
            self._mark_productive(own, of_path=not several)
            return []
        if self._allow and any(expression.search(page.url.href) for expression in self._allow):
            return []
        streak = self._streak(own)
        # After productive pages some are passed over: reading words costs time.
        if streak.unread and not streak.relearn:
            streak.unread -= 1
            return []
        if self._is_productive(page, own, streak, len(inside) < len(discovered), inside, items, content):
            self._mark_productive(own)
            return []
        if streak.relearn:
            streak.relearn -= 1
            return []
        self._mark_unproductive(own, streak)
        denied = self._deny(inside)
        if len(denied) < len(inside) and own.kind != "numbered":  # that has one link, which is fetched before the next
            self._add_parent(page, streak)
        return denied

    def rule_against_queued(self, request: Request) -> str | None:
        """The rule that denies a request which was queued before its pattern was closed; None if none does.

        It must have been found on a page that brought nothing new.
        """
        if not self._any_closed or request.parent is None or request.kind != "page" or request.redirects:
            return None
        pattern, parent = _pattern(request), _pattern_of_text(request.parent)
        streak = self._patterns.get(parent.text)
        if (
            parent.family != pattern.family
            or streak is None
            or xxh3_64_intdigest(request.parent.encode()) not in streak.parents
            or not self._is_closed(pattern)
            or self._is_allowed(request)
        ):
            return None
        return self._rule(pattern)

    def to_json(self) -> str | None:
        """What a later session must know, if it has changed since the last call; None if it has not."""
        if not self._changed:
            return None
        self._changed = False
        streaks = {
            text: [one.pages, sorted(one.parents), one.is_list] for text, one in self._patterns.items() if one.pages
        }
        bases = {base: pages for base, pages in self._bases.items() if pages}
        return orjson.dumps({"patterns": streaks, "paths": bases}).decode()

    def restore(self, text: str) -> None:
        """Go on from what `to_json` wrote. Anything else is ignored: counting then begins anew, which cuts nothing."""
        try:
            state: dict[str, Any] = orjson.loads(text)
            for pattern, (pages, parents, is_list) in state["patterns"].items():
                self._patterns[pattern] = _Streak(
                    int(pages), set(map(int, parents)), relearn=RELEARN_PAGES, is_list=bool(is_list)
                )
                self._parents += len(parents)
            self._bases.update({base: int(pages) for base, pages in state["paths"].items()})
        except (ValueError, KeyError, TypeError, AttributeError):
            self._patterns.clear()
            self._bases.clear()
            self._parents = 0
        self._any_closed = bool(self._patterns)

    def _is_productive(
        self,
        page: Request,
        own: UrlPattern,
        streak: _Streak,
        has_other_links: bool,
        inside: Sequence[tuple[Request, UrlPattern]],
        items: Iterable[Item],
        content: bytes | None,
    ) -> bool:
        """Whether the page brought anything but links into its own family."""
        # 1. What a session before this one knew must be learned again first.
        relearning = bool(streak.relearn)
        # 2. Links out of the family, and items.
        new_items = False
        for item in items:  # all of them: each is remembered
            new_items |= self._seen.add_if_new(hash(repr(item.fields)))
        if (has_other_links or new_items) and not relearning:
            streak.is_list = True
            return True
        # 3. The words of its text, and its images.
        if content is None or len(content) > MAX_PAGE_BYTES or b"\0" in content:
            return not relearning
        excluded = None
        if own.kind == "numbered":
            urls = [page.url.target, *(request.url.target for request, _ in inside)]
            excluded = {number + step for target in urls for number in numbers_of(target) for step in (-1, 0, 1)}
        new_words = self._add_words(content, own.base, excluded)
        return new_words and not relearning

    def _add_words(self, content: bytes, base: str, excluded: set[int] | None) -> bool:
        """Remember the words of a page; True if one of them is new. Numbers count unless `excluded` is None."""
        content = _without_scripts(content.lower())
        text = b" ".join(_TEXT.findall(content)) if b"<" in content else content
        found: set[bytes] = set(_WORD.findall(text))
        found.update(_CONTENT_ATTRIBUTE.findall(content))
        if excluded is not None:
            found.update(number for number in _NUMBER.findall(text) if len(number) > 18 or int(number) not in excluded)
        new = False
        for word in found:
            new |= self._seen.add_if_new(hash((base, word)))
        return new

    def _streak(self, pattern: UrlPattern) -> _Streak:
        streak = self._patterns.get(pattern.text)
        if streak is None:
            streak = self._patterns[pattern.text] = _Streak()
            if len(self._patterns) > MAX_PATTERNS:
                _, forgotten = self._patterns.popitem(last=False)
                self._parents -= len(forgotten.parents)
        else:
            self._patterns.move_to_end(pattern.text)
        return streak

    def _mark_productive(self, pattern: UrlPattern, *, of_path: bool = True) -> None:
        """Begin the count of the pattern again and, unless `of_path` is False, that of its path."""
        if of_path:
            self._bases.pop(pattern.base, None)
        streak = self._patterns.get(pattern.text)
        if streak is None or streak.relearn:
            return
        if streak.pages:
            streak.pages = 0
            self._parents -= len(streak.parents)
            streak.parents.clear()
            self._changed = True
        streak.unread, streak.unread_next = streak.unread_next, min(MAX_UNREAD, 2 * streak.unread_next)

    def _add_parent(self, page: Request, streak: _Streak) -> None:
        if self._parents < MAX_PARENTS:
            before = len(streak.parents)
            streak.parents.add(xxh3_64_intdigest(page.url.href.encode()))
            self._parents += len(streak.parents) - before

    def _mark_unproductive(self, pattern: UrlPattern, streak: _Streak) -> None:
        streak.pages += 1
        streak.unread_next = 1
        self._bases[pattern.base] = self._bases.get(pattern.base, 0) + 1
        self._bases.move_to_end(pattern.base)
        if len(self._bases) > MAX_PATTERNS:
            self._bases.popitem(last=False)
        # Often enough for a resumed run, rarely enough to cost nothing.
        self._changed |= streak.pages % max(1, self._limit // 4) == 0

    def _deny(self, inside: Sequence[tuple[Request, UrlPattern]]) -> list[Closed]:
        denied = []
        for request, pattern in inside:
            if self._is_closed(pattern) and not self._is_allowed(request):
                denied.append(Closed(request, self._rule(pattern)))
        return denied

    def _is_closed(self, pattern: UrlPattern) -> bool:
        streak = self._patterns.get(pattern.text)
        pages, limit = 0 if streak is None else streak.pages, self._limit
        match pattern.kind:
            case "dated":
                return pages >= limit
            case "numbered":
                is_list = streak is not None and streak.is_list
                return pages >= (limit if is_list else NUMBERED_FACTOR * limit)
            case "combined":
                of_path = self._bases.get(pattern.base, 0)
                if pages == 0:
                    return of_path >= UNTRIED_FACTOR * limit
                return pages >= (limit if of_path < limit else max(1, 10 * limit // of_path))
            case _:
                return False

    def _is_allowed(self, request: Request) -> bool:
        return any(expression.search(request.url.href) for expression in self._allow)

    def _rule(self, pattern: UrlPattern) -> str:
        """The rule for skipped.jsonl; the first time for a path, a warning is kept as well."""
        rule = f"traps.max_unproductive: {self._limit} ({pattern.text})"
        if pattern.base not in self._warned and len(self._warned) < MAX_WARNINGS:
            self._warned.add(pattern.base)
            self._warnings.append(
                f"{pattern.text}: page after page brings nothing new; links from there to more of them are skipped "
                "(scope.traps.max_unproductive; scope.traps.allow makes exceptions)"
            )
        self._changed = self._changed or not self._any_closed
        self._any_closed = True
        return rule


def _without_scripts(page: bytes) -> bytes:
    """The page without scripts, styles and comments; what is never closed reaches to the end."""
    kept, position = [], 0
    # No single expression: it would search to the end of a hostile page for each of its open tags.
    while (start := _NOT_TEXT.search(page, position)) is not None:
        kept.append(page[position : start.start()])
        end = _END_OF[start[0]]
        position = page.find(end, start.end())
        if position < 0:
            return b" ".join(kept)
        position += len(end)
    return b" ".join((*kept, page[position:]))


def _inside(own: UrlPattern, discovered: Sequence[Request]) -> list[tuple[Request, UrlPattern]]:
    """The requests for pages of the family of `own`. Of a numbered one at most two: more than one decides nothing."""
    most = 2 if own.kind == "numbered" else len(discovered)
    inside: list[tuple[Request, UrlPattern]] = []
    for request in discovered:
        if request.kind == "page":
            pattern = _pattern(request)
            if pattern.family == own.family:
                inside.append((request, pattern))
                if len(inside) == most:
                    break
    return inside


def _pattern(request: Request) -> UrlPattern:
    return pattern_of(request.url.origin, request.url.target)


def _pattern_of_text(href: str) -> UrlPattern:
    end = href.find("/", href.find("://") + 3)
    return pattern_of(href[:end], href[end:]) if end > 0 else pattern_of(href, "/")


def _family_of(href: str) -> str:
    return _pattern_of_text(href).family
