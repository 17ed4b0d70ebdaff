"""Evaluate every expression of a rule on one page: how often it matches, and near misses when it does not.

Expressions are evaluated by the same code as in a crawl, but step by step (source, `json`, `regex`), so that the step
after which nothing is left can be named. A context is what a field is evaluated in: the page, or with `each` one of
the elements or JSON members that it selects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scraper.explain.pages.css_probe import css_misses
from scraper.explain.pages.jmespath_misses import jmespath_misses
from scraper.explain.pages.parsed_page import ParsedPage
from scraper.explain.pages.regex_misses import regex_misses
from scraper.explain.pages.xpath_misses import xpath_misses
from scraper.extract.rules.compile import compile_regex, compile_url_regex
from scraper.extract.rules.conditions import Condition, ConditionSettings
from scraper.extract.rules.css_select import select
from scraper.extract.rules.field_pipeline import to_text
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.field_sources import apply_jmespath, compile_source
from scraper.extract.rules.follow_links import FollowRule, FollowSettings
from scraper.extract.rules.json_document import write_json
from scraper.extract.rules.lenient_json import parse_lenient_json
from scraper.extract.rules.next_page import NextSettings
from scraper.extract.rules.optional_libraries import JmesPath, XPath
from scraper.extract.rules.page_context import PageContext, ReadBudgetExceeded
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.extract.rules.rule import RuleSettings
from scraper.extract.rules.structured import all_objects, type_names
from scraper.extract.rules.xpath_select import XPathSelector
from scraper.urls.url_regex import shown_url

# Contexts of one rule in which its fields are evaluated.
MAX_CONTEXTS_READ = 1_000
MAX_TEXTS_READ = 50
# Fields inside fields are checked to this depth.
MAX_FIELD_DEPTH = 5
TYPES_SHOWN = 8
ADDRESSES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class SelectorCheck:
    """One expression of the config and how often it matches. `config_path` is like `extract[0].fields.price`.

    `searched` is the number of contexts it was evaluated in; None without `each`, and `count` is then of matches on
    the page, else of contexts that have a match. `hints` say why there is none.
    """

    config_path: str
    selector: str
    count: int
    searched: int | None = None
    hints: tuple[str, ...] = ()


class RuleChecker:
    """Checks the rules of a config on one page. `page` is the same page in the form that fields are read from."""

    def __init__(self, parsed: ParsedPage, page: PageContext) -> None:
        self._parsed, self._page = parsed, page

    def check_rule(self, rule: RuleSettings, index: int) -> Iterator[SelectorCheck]:
        """Check the expressions of one rule that applies to the page. Raises `MissingExtraError`."""
        config_path = f"extract[{index}]"
        self._page.reset_budget()
        try:
            contexts: Sequence[Any] = [self._page.root]
            selector = rule.each or rule.each_xpath or rule.each_json
            if selector is not None:
                contexts, hints = self._find_each(rule)
                yield SelectorCheck(f"{config_path}.each", selector, len(contexts), hints=hints)
            searched = len(contexts) if selector is not None else None
            if contexts:
                yield from self._check_contents(
                    rule, contexts[:MAX_CONTEXTS_READ], searched and min(searched, MAX_CONTEXTS_READ), config_path
                )
            if rule.next is not None:
                yield from self._check_next(rule.next, f"{config_path}.next")
        except ReadBudgetExceeded as exceeded:
            # A crawl stops reading such a page at the same point: report it, and keep what was checked so far.
            yield SelectorCheck(config_path, "all of it", 1, hints=(str(exceeded),))

    def _check_contents(
        self, rule: RuleSettings, contexts: Sequence[Any], searched: int | None, config_path: str
    ) -> Iterator[SelectorCheck]:
        for number, condition in enumerate(rule.when):
            if condition.field is None:
                yield self._check_condition(condition, contexts, f"{config_path}.when[{number}]")
        for field in rule.fields:
            yield from self._check_field(
                field, contexts, searched, f"{config_path}.fields.{field.name}", MAX_FIELD_DEPTH
            )
        for number, follow in enumerate(rule.follow):
            yield from self._check_follow(follow, contexts, searched, f"{config_path}.follow[{number}]")

    def _find_each(self, rule: RuleSettings) -> tuple[Sequence[Any], tuple[str, ...]]:
        root = self._page.root
        found: Any
        if rule.each_json is not None:
            found = JmesPath(rule.each_json, "each").read_list(root)
        elif rule.each_xpath is not None:
            found = XPathSelector(rule.each_xpath, "each").find(root, self._page)
            if isinstance(found, ParseFailure):
                return (), (str(found),)
        else:
            found = select(root, rule.each or "")
        looked_for = FieldSettings("each", css=rule.each, xpath=rule.each_xpath, json=rule.each_json)
        return found, () if found else self._explain_miss(looked_for, [root])

    def _check_condition(
        self, condition: ConditionSettings, contexts: Sequence[Any], config_path: str
    ) -> SelectorCheck:
        text = condition.css or condition.xpath or condition.json or condition.regex or ""
        compiled = Condition(condition, config_path)
        matching = sum(1 for context in contexts if compiled.holds_at(context, self._page))
        hints: tuple[str, ...] = ()
        if not matching:
            looked_for = FieldSettings(
                config_path, css=condition.css, xpath=condition.xpath, json=condition.json, regex=condition.regex
            )
            values = condition.equals or condition.matches
            hints = ("it matches, but with other values",) if values else self._explain_miss(looked_for, contexts)
        return SelectorCheck(config_path, text, matching, len(contexts), hints)

    def _check_field(
        self, field: FieldSettings, contexts: Sequence[Any], searched: int | None, config_path: str, depth: int
    ) -> Iterator[SelectorCheck]:
        """Check the steps of one field, up to the first after which nothing is left."""
        if field.links is not None or field.main_text is not None:  # not read by an expression
            return
        raw, json_applied = self._read_source(field, contexts, config_path)
        values = [found for found in raw if not isinstance(found, ParseFailure) and found]
        expression = _expression_of(field)
        if expression is not None:
            count = len(values) if searched is not None else sum(len(found) for found in values)
            refused = next((str(found) for found in raw if isinstance(found, ParseFailure)), None)
            hints = () if count else (refused,) if refused else self._explain_miss(field, contexts)
            yield SelectorCheck(config_path, expression, count, searched, hints)
        if field.json is not None and not json_applied and values:
            raw = [apply_jmespath(JmesPath(field.json, config_path), found) for found in values]
            kept = [found for found in raw if not isinstance(found, ParseFailure) and found]
            hints = () if kept else _explain_inner_miss(values, field.json)
            yield SelectorCheck(f"{config_path}.json", field.json, len(kept), len(values), hints)
            values = kept
        if field.regex is not None and expression != field.regex and values:
            yield _check_regex(field.regex, values, f"{config_path}.regex")
        if field.fields and values and depth:
            inner = [context for found in values for context in found][:MAX_CONTEXTS_READ]
            for one in field.fields:
                yield from self._check_field(one, inner, len(inner), f"{config_path}.{one.name}", depth - 1)

    def _read_source(self, field: FieldSettings, contexts: Sequence[Any], config_path: str) -> tuple[list[Any], bool]:
        """What the source gives in each context, and whether the field's `json` has been applied already."""
        if field.fields and (field.css or field.xpath or not field.structured):
            if field.css is not None:
                return [select(context, field.css) for context in contexts], False
            if field.xpath is not None:
                # Elements, not their texts: nested fields are evaluated inside them.
                path = XPathSelector(field.xpath, config_path)
                return [path.find(context, self._page) for context in contexts], False
            if field.json is not None:
                return [apply_jmespath(JmesPath(field.json, config_path), [context]) for context in contexts], True
            return [[context] for context in contexts], False
        # `many`: all matches are wanted here, also of a field that takes the first.
        source = compile_source(replace(field, many=True, fields=()), config_path)
        raw = [source.read(context, self._page) for context in contexts]
        if field.json is not None and _expression_of(field) == field.json:
            path_to = JmesPath(field.json, config_path)
            return [apply_jmespath(path_to, found) if isinstance(found, list) else found for found in raw], True
        return raw, False

    def _explain_miss(self, field: FieldSettings, contexts: Sequence[Any]) -> tuple[str, ...]:
        """Why the source of `field` finds nothing in `contexts`."""
        first = contexts[0]
        if field.css is not None:
            return self._explain_css_miss(field, contexts)
        if field.xpath is not None:
            tree = XPath(field.xpath, "xpath").parse(first.html or "") if hasattr(first, "html") else None
            return tuple(xpath_misses(tree, field.xpath)) if tree is not None else ("there are no elements",)
        if field.structured:
            names = sorted({name for thing in all_objects(self._page) for name in type_names(thing)})
            return (f"the page has {', '.join(names[:TYPES_SHOWN])}" if names else "the page has nothing of the kind",)
        if field.json is not None:
            return tuple(
                jmespath_misses(first if len(contexts) == 1 else list(contexts), _for_all_members(field.json, contexts))
            )
        if field.regex is not None:
            whole = first is self._page.root
            texts = [self._parsed.text] if whole else [_source_text(context) for context in contexts[:MAX_TEXTS_READ]]
            return tuple(regex_misses(texts, field.regex))
        return (f"the element has no {field.attr!r}",) if field.attr else ()

    def _explain_css_miss(self, field: FieldSettings, contexts: Sequence[Any]) -> tuple[str, ...]:
        document = self._parsed.document
        assert document is not None
        assert field.css is not None
        there = [found for context in contexts if (found := context.css_first(field.css)) is not None]
        if there and field.table:
            return (f"it matches a <{there[0].tag}>, not a table with rows",)
        if there and field.attr:
            names = sorted({name for element in there[:MAX_TEXTS_READ] for name in element.attributes})
            return (f"none of them has the attribute {field.attr!r}; they have: {', '.join(names) or 'none'}",)
        if contexts[0] is not self._page.root and (elsewhere := len(document.tree.css(field.css))):
            return (f"it matches {elsewhere}x on the page, but not inside what `each` selects",)
        return tuple(css_misses(document, field.css, self._parsed.names))

    def _check_follow(
        self, follow: FollowSettings, contexts: Sequence[Any], searched: int | None, config_path: str
    ) -> Iterator[SelectorCheck]:
        bare = FieldSettings("follow", css=follow.css, xpath=follow.xpath, json=follow.json, regex=follow.regex)
        # A follow without an expression takes all links.
        if _expression_of(bare) is None:
            bare = replace(bare, css="a[href]")
        yield from self._check_field(replace(bare, type="url"), contexts, searched, config_path, 0)
        if follow.match is not None:
            everywhere = FollowRule(replace(follow, match=None, carry=()))
            found = [href for context in contexts for href in everywhere.find_urls(context, self._page)]
            pattern = compile_url_regex(follow.match, config_path)
            count = sum(1 for href in found if pattern.search(href))
            hints: tuple[str, ...] = ()
            if not count:
                hints = (f"none of the addresses, which begin: {', '.join(found[:ADDRESSES_SHOWN])}",)
                hints += tuple(regex_misses([shown_url(href) for href in found[:MAX_TEXTS_READ]], follow.match))
            if found:  # without links, the check of the selector has said so already
                yield SelectorCheck(f"{config_path}.match", follow.match, count, len(found), hints)

    def _check_next(self, settings: NextSettings, config_path: str) -> Iterator[SelectorCheck]:
        if settings.page is not None or settings.offset is not None:
            return  # the next URL is computed from this page's URL: no expression to check
        css = "link[rel~=next i], a[rel~=next i]" if settings.rel else settings.css
        field = FieldSettings("next", css=css, xpath=settings.xpath, json=settings.json or settings.cursor, type="url")
        for check in self._check_field(field, [self._page.root], None, config_path, 0):
            # rel=next may also come in the Link header (RFC 8288): then the page needs no such element.
            linked = settings.rel and any("next" in text for text in self._parsed.response.headers.get_all("link"))
            if not check.count and linked:
                continue
            yield replace(check, hints=(*check.hints, "normal on the last page")) if not check.count else check


def _expression_of(field: FieldSettings) -> str | None:
    """The expression that selects the value; None when the field is the context itself."""
    if field.structured:
        return ", ".join(field.structured)
    source = field.css or field.xpath
    if source is not None:
        return source
    return field.json or (field.regex if not field.reads_element else None)


def _for_all_members(path: str, contexts: Sequence[Any]) -> str:
    """`path` for a list of contexts, so that one explanation is about all of them."""
    return path if len(contexts) == 1 else f"[*].{path}" if path[:1] not in "[@" else path


def _explain_inner_miss(values: Sequence[Any], path: str) -> tuple[str, ...]:
    """Why `path` finds nothing in the first of `values`: a text that holds JSON, or an object."""
    first = values[0][0]
    value = parse_lenient_json(first) if isinstance(first, str) else first
    return ("the text is not JSON",) if value is None else tuple(jmespath_misses(value, path))


def _check_regex(pattern: str, values: Sequence[Any], config_path: str) -> SelectorCheck:
    compiled = compile_regex(pattern, config_path)
    count = sum(
        1 for found in values if any(compiled.search(_matchable_text(value)) for value in found[:MAX_TEXTS_READ])
    )
    texts = [_matchable_text(value) for found in values[:MAX_TEXTS_READ] for value in found[:MAX_TEXTS_READ]]
    return SelectorCheck(config_path, pattern, count, len(values), () if count else tuple(regex_misses(texts, pattern)))


def _matchable_text(value: Any) -> str:
    return value[:50_000] if isinstance(value, str) else to_text(value)[:50_000]


def _source_text(context: Any) -> str:
    return context.html or "" if hasattr(context, "html") else write_json(context)
