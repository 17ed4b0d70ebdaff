"""How each expression of a rule fares on a page: the places it looks in, what it finds there, near misses when nothing.

Expressions are read by the same sources as in a crawl, step by step (source, `json`, `regex`), so that the step that
loses everything is the one that is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from scraper.explain.pages.css_probe import css_misses
from scraper.explain.pages.jmespath_misses import jmespath_misses
from scraper.explain.pages.parsed_page import ParsedPage
from scraper.explain.pages.regex_misses import regex_misses
from scraper.explain.pages.xpath_misses import xpath_misses
from scraper.extract.rules.compile import compile_regex
from scraper.extract.rules.conditions import Condition, ConditionSettings
from scraper.extract.rules.field_pipeline import to_text
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.field_sources import apply_jmespath, compile_source
from scraper.extract.rules.follow_links import FollowRule, FollowSettings
from scraper.extract.rules.next_page import NextSettings
from scraper.extract.rules.optional_libraries import JmesPath, XPath
from scraper.extract.rules.page_context import PageContext, ReadBudgetExceeded
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.extract.rules.rule import RuleSettings
from scraper.extract.rules.structured import all_objects, parse_lenient_json, type_names
from scraper.extract.rules.xpath_select import XPathSelector

MAX_CONTEXTS_READ = 1_000
"""Elements or members of one rule in which its fields are looked for."""
MAX_TEXTS_READ = 50
MAX_FIELD_DEPTH = 5
"""Objects inside objects that are looked into."""
TYPES_SHOWN = 8
ADDRESSES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class SelectorCheck:
    """One expression of the config on this page: where it stands, what it is, and what it finds."""

    config_path: str
    selector: str
    count: int
    searched: int | None = None
    """With `each`: in how many of the places it was looked for."""
    hints: tuple[str, ...] = ()


class RuleChecker:
    """Checks the rules of a config on one page. `view` is the page as fields see it."""

    def __init__(self, surface: ParsedPage, view: PageContext) -> None:
        self._surface, self._view = surface, view

    def check_rule(self, rule: RuleSettings, index: int) -> Iterator[SelectorCheck]:
        """The expressions of one rule that is meant for the page. Raises `MissingExtraError`."""
        where = f"extract[{index}]"
        self._view.reset_budget()
        try:
            places: Sequence[Any] = [self._view.root]
            selector = rule.each or rule.each_xpath or rule.each_json
            if selector is not None:
                places, hints = self._each(rule)
                yield SelectorCheck(f"{where}.each", selector, len(places), hints=hints)
            of = len(places) if selector is not None else None
            if places:
                yield from self._inside(rule, places[:MAX_CONTEXTS_READ], of and min(of, MAX_CONTEXTS_READ), where)
            if rule.next is not None:
                yield from self._next(rule.next, f"{where}.next")
        except ReadBudgetExceeded as enough:
            yield SelectorCheck(where, "all of it", 1, hints=(str(enough),))

    def _inside(self, rule: RuleSettings, places: Sequence[Any], of: int | None, where: str) -> Iterator[SelectorCheck]:
        for number, condition in enumerate(rule.when):
            if condition.field is None:
                yield self._when(condition, places, f"{where}.when[{number}]")
        for field in rule.fields:
            yield from self._field(field, places, of, f"{where}.fields.{field.name}", MAX_FIELD_DEPTH)
        for number, follow in enumerate(rule.follow):
            yield from self._follow(follow, places, of, f"{where}.follow[{number}]")

    def _each(self, rule: RuleSettings) -> tuple[Sequence[Any], tuple[str, ...]]:
        root = self._view.root
        found: Any
        if rule.each_json is not None:
            found = JmesPath(rule.each_json, "each").read_list(root)
        elif rule.each_xpath is not None:
            found = XPathSelector(rule.each_xpath, "each").find(root, self._view)
            if isinstance(found, ParseFailure):
                return (), (str(found),)
        else:
            found = root.css(rule.each)
        looked_for = FieldSettings("each", css=rule.each, xpath=rule.each_xpath, json=rule.each_json)
        return found, () if found else self._misses(looked_for, [root])

    def _when(self, condition: ConditionSettings, places: Sequence[Any], where: str) -> SelectorCheck:
        text = condition.css or condition.xpath or condition.json or condition.regex or ""
        compiled = Condition(condition, where)
        held = sum(1 for place in places if compiled.holds_at(place, self._view))
        hints: tuple[str, ...] = ()
        if not held:
            looked_for = FieldSettings(
                where, css=condition.css, xpath=condition.xpath, json=condition.json, regex=condition.regex
            )
            values = condition.equals or condition.matches
            hints = ("it is there, with other values",) if values else self._misses(looked_for, places)
        return SelectorCheck(where, text, held, len(places), hints)

    def _field(
        self, field: FieldSettings, places: Sequence[Any], of: int | None, where: str, depth: int
    ) -> Iterator[SelectorCheck]:
        """The steps of one field, up to the one that loses everything."""
        if field.links is not None or field.main_text is not None:
            return
        raw, alone = self._raw(field, places, where)
        values = [found for found in raw if not isinstance(found, ParseFailure) and found]
        expression = _expression(field)
        if expression is not None:
            count = len(values) if of is not None else sum(len(found) for found in values)
            refused = next((str(found) for found in raw if isinstance(found, ParseFailure)), None)
            hints = () if count else (refused,) if refused else self._misses(field, places)
            yield SelectorCheck(where, expression, count, of, hints)
        if field.json is not None and not alone and values:
            raw = [apply_jmespath(JmesPath(field.json, where), found) for found in values]
            kept = [found for found in raw if not isinstance(found, ParseFailure) and found]
            hints = () if kept else _misses_within(values, field.json)
            yield SelectorCheck(f"{where}.json", field.json, len(kept), len(values), hints)
            values = kept
        if field.regex is not None and expression != field.regex and values:
            yield _regex_check(field.regex, values, f"{where}.regex")
        if field.fields and values and depth:
            inner = [place for found in values for place in found][:MAX_CONTEXTS_READ]
            for one in field.fields:
                yield from self._field(one, inner, len(inner), f"{where}.{one.name}", depth - 1)

    def _raw(self, field: FieldSettings, places: Sequence[Any], where: str) -> tuple[list[Any], bool]:
        """What the source gives at each place; whether that has used the field's `json` already."""
        if field.fields and (field.css or field.xpath or not field.structured):
            if field.css is not None:
                return [place.css(field.css) for place in places], False
            if field.xpath is not None:
                path = XPathSelector(field.xpath, where)
                return [path.find(place, self._view) for place in places], False
            if field.json is not None:
                return [apply_jmespath(JmesPath(field.json, where), [place]) for place in places], True
            return [[place] for place in places], False
        source = compile_source(replace(field, many=True, fields=()), where)
        raw = [source.read(place, self._view) for place in places]
        if field.json is not None and _expression(field) == field.json:
            path_to = JmesPath(field.json, where)
            return [apply_jmespath(path_to, found) if isinstance(found, list) else found for found in raw], True
        return raw, False

    def _misses(self, field: FieldSettings, places: Sequence[Any]) -> tuple[str, ...]:
        """Why the source of `field` finds nothing at `places`."""
        first = places[0]
        if field.css is not None:
            return self._css_misses(field, places)
        if field.xpath is not None:
            tree = XPath(field.xpath, "xpath").parse(first.html or "") if hasattr(first, "html") else None
            return tuple(xpath_misses(tree, field.xpath)) if tree is not None else ("there are no elements",)
        if field.structured:
            names = sorted({name for thing in all_objects(self._view) for name in type_names(thing)})
            return (f"the page has {', '.join(names[:TYPES_SHOWN])}" if names else "the page has nothing of the kind",)
        if field.json is not None:
            return tuple(jmespath_misses(first if len(places) == 1 else list(places), _in_all(field.json, places)))
        if field.regex is not None:
            whole = first is self._view.root
            texts = [self._surface.text] if whole else [_markup(place) for place in places[:MAX_TEXTS_READ]]
            return tuple(regex_misses(texts, field.regex))
        return (f"the element has no {field.attr!r}",) if field.attr else ()

    def _css_misses(self, field: FieldSettings, places: Sequence[Any]) -> tuple[str, ...]:
        document = self._surface.document
        assert document is not None
        assert field.css is not None
        there = [found for place in places if (found := place.css_first(field.css)) is not None]
        if there and field.table:
            return (f"it is there, but it is a <{there[0].tag}>, not a table with rows",)
        if there and field.attr:
            names = sorted({name for element in there[:MAX_TEXTS_READ] for name in element.attributes})
            return (f"none of them has the attribute {field.attr!r}; they have: {', '.join(names) or 'none'}",)
        if places[0] is not self._view.root and (elsewhere := len(document.tree.css(field.css))):
            return (f"it is on the page {elsewhere}x, but not inside what `each` selects",)
        return tuple(css_misses(document, field.css, self._surface.names))

    def _follow(
        self, follow: FollowSettings, places: Sequence[Any], of: int | None, where: str
    ) -> Iterator[SelectorCheck]:
        bare = FieldSettings("follow", css=follow.css, xpath=follow.xpath, json=follow.json, regex=follow.regex)
        if _expression(bare) is None:
            bare = replace(bare, css="a[href]")
        yield from self._field(replace(bare, type="url"), places, of, where, 0)
        if follow.match is not None:
            everywhere = FollowRule(replace(follow, match=None, carry=()))
            found = [href for place in places for href in everywhere.find_urls(place, self._view)]
            pattern = compile_regex(follow.match, where)
            count = sum(1 for href in found if pattern.search(href))
            hints: tuple[str, ...] = ()
            if not count:
                hints = (f"none of the addresses, which begin: {', '.join(found[:ADDRESSES_SHOWN])}",)
                hints += tuple(regex_misses(found[:MAX_TEXTS_READ], follow.match))
            if found:  # else it has been told that there are none
                yield SelectorCheck(f"{where}.match", follow.match, count, len(found), hints)

    def _next(self, way: NextSettings, where: str) -> Iterator[SelectorCheck]:
        if way.page is not None or way.offset is not None:
            return  # counted in the request: there is nothing to look for on the page
        css = "link[rel~=next i], a[rel~=next i]" if way.rel else way.css
        field = FieldSettings("next", css=css, xpath=way.xpath, json=way.json or way.cursor, type="url")
        for check in self._field(field, [self._view.root], None, where, 0):
            linked = way.rel and any("next" in text for text in self._surface.response.headers.get_all("link"))
            if not check.count and linked:
                continue
            yield replace(check, hints=(*check.hints, "on the last page that is so")) if not check.count else check


def _expression(field: FieldSettings) -> str | None:
    """What says where the value comes from; None for the place itself."""
    if field.structured:
        return ", ".join(field.structured)
    source = field.css or field.xpath
    if source is not None:
        return source
    return field.json or (field.regex if not field.reads_element else None)


def _in_all(path: str, places: Sequence[Any]) -> str:
    return path if len(places) == 1 else f"[*].{path}" if path[:1] not in "[@" else path


def _misses_within(values: Sequence[Any], path: str) -> tuple[str, ...]:
    """Why `path` finds nothing in JSON that stands in texts, or in objects."""
    first = values[0][0]
    value = parse_lenient_json(first) if isinstance(first, str) else first
    return ("the text is not JSON",) if value is None else tuple(jmespath_misses(value, path))


def _regex_check(pattern: str, values: Sequence[Any], where: str) -> SelectorCheck:
    compiled = compile_regex(pattern, where)
    count = sum(1 for found in values if any(compiled.search(_plain(value)) for value in found[:MAX_TEXTS_READ]))
    texts = [_plain(value) for found in values[:MAX_TEXTS_READ] for value in found[:MAX_TEXTS_READ]]
    return SelectorCheck(where, pattern, count, len(values), () if count else tuple(regex_misses(texts, pattern)))


def _plain(value: Any) -> str:
    return value[:50_000] if isinstance(value, str) else to_text(value)[:50_000]


def _markup(place: Any) -> str:
    return place.html or "" if hasattr(place, "html") else orjson.dumps(place).decode()
