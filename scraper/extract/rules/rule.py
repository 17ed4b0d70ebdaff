"""Extraction rules: which pages a rule is for, and how its fields become items.

A rule makes one item a page, or one for each element that `each` selects. What becomes of missing fields and of texts
that cannot be parsed is in field.py.

A rule reads one format of page: JSON if it uses `json`, otherwise HTML. A rule of regexes alone reads any text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scraper.extract.bounds import ITEMS_KEY, RULE_CHARS_KEY
from scraper.extract.rules.compile import check_selector, compile_url_regex
from scraper.extract.rules.conditions import Condition, ConditionSettings
from scraper.extract.rules.css_select import select
from scraper.extract.rules.field_pipeline import compile_fields, read_fields
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.follow_links import FollowRule, FollowSettings, FollowUps, merge_inherited
from scraper.extract.rules.listing_pages import page_digest
from scraper.extract.rules.next_page import NextPageRule, NextSettings
from scraper.extract.rules.optional_libraries import JmesPath
from scraper.extract.rules.page_context import PageContext, ReadBudgetExceeded
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.extract.rules.xpath_select import XPathSelector
from scraper.model import FieldError, Item


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """One extraction rule.

    `match`: a regular expression that the page's URL must contain (None: any page). `label`: the rule is for requests
    with this label; None, for those without one. `each` (CSS), `each_xpath`, `each_json` (JMESPath, on JSON pages):
    select the elements or objects that become one item each. `when`, `unless`: an element that fails one of `when` or
    meets one of `unless` is silently left out. `keep`: if False, the items are not recorded and only serve `follow`.
    `read_as`: how the rule's pages are read, whatever their media type is (None: by that).
    """

    match: str | None = None
    each: str | None = None
    fields: tuple[FieldSettings, ...] = ()
    each_json: str | None = None
    each_xpath: str | None = None
    label: str | None = None
    keep: bool = True
    follow: tuple[FollowSettings, ...] = ()
    next: NextSettings | None = None
    when: tuple[ConditionSettings, ...] = ()
    unless: tuple[ConditionSettings, ...] = ()
    read_as: PageFormat | None = None


# Why a list that is counted by number ends on a page that has items.
REPEATED_PAGE = "next: this page repeats the items of an earlier one, so the list ends here"

# The format in which a rule reads a page.
PageFormat = Literal["html", "json", "text"]


class ExtractionRule:
    """A compiled rule.

    `index`: its number in the config, from 0. `formats`: the formats of page it reads. `follows_links`: whether it has
    `follow` or `next`. Raises `ExtractionRuleError` for a selector or pattern that cannot be compiled,
    `MissingExtraError` if
    a field needs a library that is not installed.
    """

    __slots__ = (
        "_each",
        "_each_json",
        "_each_xpath",
        "_field_conditions",
        "_fields",
        "_follow_rules",
        "_keeps_items",
        "_label",
        "_match",
        "_next_page_rule",
        "_node_conditions",
        "follows_links",
        "formats",
        "index",
        "read_as",
    )

    def __init__(self, settings: RuleSettings, index: int = 0) -> None:
        self.index = index
        self.formats = formats_of(settings)
        self.read_as = settings.read_as
        self._match = compile_url_regex(settings.match, "match") if settings.match is not None else None
        self._each = check_selector(settings.each, "each") if settings.each is not None else None
        self._each_json = JmesPath(settings.each_json, "each.json") if settings.each_json is not None else None
        self._each_xpath = XPathSelector(settings.each_xpath, "each.xpath") if settings.each_xpath is not None else None
        self._fields = compile_fields(settings.fields)
        self._label = settings.label
        self._keeps_items = settings.keep and bool(settings.fields)
        self._follow_rules = tuple(FollowRule(follow) for follow in settings.follow)
        self._next_page_rule = NextPageRule(settings.next) if settings.next is not None else None
        self.follows_links = bool(self._follow_rules) or self._next_page_rule is not None
        # Conditions on the element are checked before its fields are read, those on fields afterwards.
        conditions = [(Condition(one, "when"), True) for one in settings.when]
        conditions += [(Condition(one, "unless"), False) for one in settings.unless]
        self._node_conditions = [pair for pair in conditions if pair[0].field is None]
        self._field_conditions = [pair for pair in conditions if pair[0].field is not None]

    def matches(self, href: str, label: str | None = None) -> bool:
        """Whether the rule is for the page `href` that was requested with `label`."""
        return self._label == label and (self._match is None or self._match.search(href) is not None)

    def read(
        self,
        context: PageContext,
        items: list[Item],
        field_errors: list[FieldError],
        follow_ups: FollowUps | None = None,
    ) -> None:
        """Read the page. Items go to `items`, fields that cannot be read to `field_errors`, requests to `follow_ups`.

        Without `follow_ups` the rule only makes items.
        """
        context.reset_budget()
        found: list[tuple[Any, dict[str, Any]]] = []
        nodes_read = 0
        nodes: Sequence[Any] = ()
        # Items read before the budget is exceeded are kept; `next` is then not followed.
        try:
            nodes = self._select_nodes(context, field_errors)
            for node in nodes:
                values = self._read_one(node, context, items, field_errors, follow_ups)
                nodes_read += 1
                if values is not None:
                    found.append((node, values))
            if self._next_page_rule is not None and follow_ups is not None:
                self._add_next_page(self._next_page_rule, context, found, follow_ups, field_errors)
        except ReadBudgetExceeded as exceeded:
            field_errors.append(FieldError("each", str(exceeded), self.index, False))
            context.beyond.add(RULE_CHARS_KEY, max(1, len(nodes) - nodes_read))

    def _add_next_page(
        self,
        rule: NextPageRule,
        context: PageContext,
        found: Sequence[tuple[Any, dict[str, Any]]],
        follow_ups: FollowUps,
        field_errors: list[FieldError],
    ) -> None:
        to = rule.next_request(context, follow_ups.page, len(found))
        if isinstance(to, ParseFailure):
            field_errors.append(FieldError("next", to, self.index))
        elif to is not None:
            digest = page_digest(found) if rule.stops_on_repeat else None
            if digest in follow_ups.page.request.earlier_pages:
                follow_ups.notices.append(f"rule {self.index}: {REPEATED_PAGE}")
            else:
                follow_ups.add_next_page(to, digest)

    def _select_nodes(self, context: PageContext, field_errors: list[FieldError]) -> Sequence[Any]:
        found: Any
        if self._each is not None:
            found = select(context.root, self._each)
        elif self._each_json is not None:
            found = self._each_json.read_list(context.root)
        elif self._each_xpath is not None:
            found = self._each_xpath.find(context.root, context)
            if isinstance(found, ParseFailure):
                field_errors.append(FieldError("each", found, self.index, False))
                return ()
        else:
            return (context.root,)
        bound = context.bounds.items
        if len(found) > bound:
            reason = f"{len(found)} elements on one page, only the first {bound} were read ({ITEMS_KEY})"
            field_errors.append(FieldError("each", reason, self.index, False))
        return context.beyond.first(found, bound, ITEMS_KEY)

    def _read_one(
        self,
        node: Any,
        context: PageContext,
        items: list[Item],
        field_errors: list[FieldError],
        follow_ups: FollowUps | None,
    ) -> dict[str, Any] | None:
        """Read one item. Returns its fields if there was one, recorded or not: `next` goes on while there are items."""
        if self._node_conditions and not self._node_conditions_met(node, context):
            return None
        errors: list[tuple[str, str]] = []
        values = read_fields(self._fields, node, context, errors)
        if values is not None and self._field_conditions and not self._field_conditions_met(values):
            return None
        # Errors of elements that the conditions exclude are not reported, so this comes after them.
        if errors:
            item_kept = values is not None
            field_errors.extend(FieldError(name, reason, self.index, item_kept) for name, reason in errors)
        if follow_ups is not None:
            values = self._follow_from(node, values, follow_ups, field_errors)
        if self._keeps_items:
            if values is None:
                context.items_rejected += 1
            else:
                items.append(Item(values, self.index))
        return values

    def _follow_from(
        self, node: Any, values: dict[str, Any] | None, follow_ups: FollowUps, field_errors: list[FieldError]
    ) -> dict[str, Any] | None:
        """Add the requests of `follow` for one item. Returns its fields with those inherited from the page before.

        If the item could not be read (`values` is None), only a `follow` without `carry` is used.
        """
        if values is not None and follow_ups.page.request.inherited_fields:
            values = merge_inherited(values, follow_ups.page.request.inherited_fields)
        for rule in self._follow_rules:
            if values is not None or not rule.settings.carry:
                problem = follow_ups.add_followed(rule, node, values or {})
                if problem is not None:
                    field_errors.append(FieldError("follow", problem, self.index))
        return values

    def _node_conditions_met(self, node: Any, context: PageContext) -> bool:
        return all(condition.holds_at(node, context) is wanted for condition, wanted in self._node_conditions)

    def _field_conditions_met(self, values: dict[str, Any]) -> bool:
        return all(condition.holds_for_fields(values) is wanted for condition, wanted in self._field_conditions)


def formats_of(settings: RuleSettings) -> frozenset[PageFormat]:
    """The formats of page that a rule reads.

    0. Only the one that `read_as` names.
    1. Only JSON, if anything in it is JMESPath on the page itself.
    2. Any format, if it consists of fields by regex alone.
    3. Otherwise only HTML.
    """
    if settings.read_as is not None:
        return frozenset({settings.read_as})
    targets: list[FollowSettings | NextSettings] = [*settings.follow]
    targets += [settings.next] if settings.next is not None else []
    by_json = any(target.json is not None for target in targets) or (settings.next is not None and settings.next.cursor)
    if settings.each_json is not None or by_json or any(_reads_json(field) for field in settings.fields):
        return frozenset({"json"})
    by_markup = any(target.css is not None or target.xpath is not None for target in targets) or any(
        target.regex is None for target in settings.follow
    )
    by_markup = by_markup or settings.each is not None or settings.each_xpath is not None
    if settings.fields and not by_markup and all(_reads_any_format(field) for field in settings.fields):
        return frozenset({"html", "json", "text"})
    return frozenset({"html"})


def _reads_json(field: FieldSettings) -> bool:
    if field.structured or field.css or field.xpath:
        return False
    return field.json is not None or any(_reads_json(inner) for inner in field.fields)


def _reads_any_format(field: FieldSettings) -> bool:
    return (
        field.regex is not None
        and not field.fields
        and not (field.reads_element or field.structured or field.main_text or field.links)
    )
