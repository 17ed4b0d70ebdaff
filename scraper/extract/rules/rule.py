"""Extraction rules: which pages a rule is for, and how its fields become items.

A rule makes one item a page, or one for each element that `each` selects. A missing field has its default: None or,
with `many` and `links`, an empty list, unless one is set. A text that is not of the field's type gives the default too,
and is told as `FieldError`. If the field is `required`, both mean that there is no item.

A rule reads one kind of page: JSON when it says so by `json`, otherwise HTML. One that consists of regexes alone reads
any text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scraper.extract.rules.compile import check_selector, compile_regex
from scraper.extract.rules.conditions import Condition, ConditionSettings
from scraper.extract.rules.field_pipeline import compile_fields, read_fields
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.follow_links import FollowRule, FollowSettings, FollowUps, merge_inherited
from scraper.extract.rules.limits import MAX_ITEMS
from scraper.extract.rules.next_page import NextPageRule, NextRequest, NextSettings
from scraper.extract.rules.optional_libraries import JmesPath
from scraper.extract.rules.page_context import PageContext, ReadBudgetExceeded
from scraper.extract.rules.value_parsers import ParseFailure
from scraper.extract.rules.xpath_select import XPathSelector
from scraper.model import FieldError, Item


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """One extraction rule. `match` is a regex searched in the page's URL (None: every page).

    `each` (a CSS selector), `each_xpath` or `each_json` (JMESPath, on JSON pages) selects what becomes one item each.
    What does not meet all of `when`, or meets one of `unless`, is no item, and nobody is told. With a `label` the rule
    is for requests that have it, without one for those that have none. Without `keep` its items only serve `follow`.
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


# What a page is, to a rule.
PageFormat = Literal["html", "json", "text"]


class ExtractionRule:
    """A compiled rule. `index` is its place in the config, `reads` the kinds of page it is for.

    `leads` says that it goes on to other pages.

    Raises `ExtractError` for a bad selector or pattern, `MissingExtraError` when a field needs what is not installed.
    """

    __slots__ = (
        "_at_place",
        "_each",
        "_each_json",
        "_each_xpath",
        "_fields",
        "_follow",
        "_keep",
        "_label",
        "_match",
        "_next",
        "_of_values",
        "follows_links",
        "formats",
        "index",
    )

    def __init__(self, settings: RuleSettings, index: int = 0) -> None:
        self.index = index
        self.formats = formats_of(settings)
        self._match = compile_regex(settings.match, "match") if settings.match is not None else None
        self._each = check_selector(settings.each, "each") if settings.each is not None else None
        self._each_json = JmesPath(settings.each_json, "each.json") if settings.each_json is not None else None
        self._each_xpath = XPathSelector(settings.each_xpath, "each.xpath") if settings.each_xpath is not None else None
        self._fields = compile_fields(settings.fields)
        self._label = settings.label
        self._keep = settings.keep and bool(settings.fields)
        self._follow = tuple(FollowRule(follow) for follow in settings.follow)
        self._next = NextPageRule(settings.next) if settings.next is not None else None
        self.follows_links = bool(self._follow) or self._next is not None
        conditions = [(Condition(one, "when"), True) for one in settings.when]
        conditions += [(Condition(one, "unless"), False) for one in settings.unless]
        self._at_place = [pair for pair in conditions if pair[0].field is None]
        self._of_values = [pair for pair in conditions if pair[0].field is not None]

    def matches(self, href: str, label: str | None = None) -> bool:
        """Whether the rule is meant for the page at `href` that was asked for under `label`."""
        return self._label == label and (self._match is None or self._match.search(href) is not None)

    def read(
        self, context: PageContext, items: list[Item], rejected: list[FieldError], trail: FollowUps | None = None
    ) -> None:
        """Read the page: what is found goes to `items`, what could not be read to `rejected`, where to go to `trail`.

        A rule that leads needs a trail.
        """
        context.reset_budget()
        made = 0
        try:
            for node in self._select_nodes(context, rejected):
                made += self._read_one(node, context, items, rejected, trail)
            if self._next is not None and trail is not None:
                self._add_next_page(self._next.next_request(context, trail.page, made), trail, rejected)
        except ReadBudgetExceeded as enough:
            rejected.append(FieldError("each", str(enough), self.index, False))

    def _add_next_page(
        self, to: NextRequest | ParseFailure | None, trail: FollowUps, rejected: list[FieldError]
    ) -> None:
        if isinstance(to, ParseFailure):
            rejected.append(FieldError("next", to, self.index))
        elif to is not None:
            trail.add_next_page(to)

    def _select_nodes(self, context: PageContext, rejected: list[FieldError]) -> Sequence[Any]:
        if self._each is not None:
            found = context.root.css(self._each)
        elif self._each_json is not None:
            found = self._each_json.read_list(context.root)
        elif self._each_xpath is not None:
            found = self._each_xpath.find(context.root, context)
            if isinstance(found, ParseFailure):
                rejected.append(FieldError("each", found, self.index, False))
                return ()
        else:
            return (context.root,)
        if len(found) > MAX_ITEMS:
            reason = f"{len(found)} elements on one page, only the first {MAX_ITEMS} were read"
            rejected.append(FieldError("each", reason, self.index, False))
        return found[:MAX_ITEMS]  # type: ignore[no-any-return]

    def _read_one(
        self, node: Any, context: PageContext, items: list[Item], rejected: list[FieldError], trail: FollowUps | None
    ) -> bool:
        """Read one item; whether there was one."""
        if self._at_place and not self._node_conditions_met(node, context):
            return False
        errors: list[tuple[str, str]] = []
        values = read_fields(self._fields, node, context, errors)
        if values is not None and self._of_values and not self._field_conditions_met(values):
            return False
        if errors:
            kept = values is not None
            rejected.extend(FieldError(name, reason, self.index, kept) for name, reason in errors)
        if trail is not None:
            values = self._follow_from(node, values, trail, rejected)
        if values is not None and self._keep:
            items.append(Item(values, self.index))
        return values is not None

    def _follow_from(
        self, node: Any, values: dict[str, Any] | None, trail: FollowUps, rejected: list[FieldError]
    ) -> dict[str, Any] | None:
        """Go on from an item; return it with what was carried to its page. Without the item nothing is carried on."""
        if values is not None and trail.page.request.inherited_fields:
            values = merge_inherited(values, trail.page.request.inherited_fields)
        for rule in self._follow:
            if values is not None or not rule.settings.carry:
                problem = trail.add_followed(rule, node, values or {})
                if problem is not None:
                    rejected.append(FieldError("follow", problem, self.index))
        return values

    def _node_conditions_met(self, node: Any, context: PageContext) -> bool:
        return all(condition.holds_at(node, context) is wanted for condition, wanted in self._at_place)

    def _field_conditions_met(self, values: dict[str, Any]) -> bool:
        return all(condition.holds_for_fields(values) is wanted for condition, wanted in self._of_values)


def formats_of(settings: RuleSettings) -> frozenset[PageFormat]:
    """The kinds of page that a rule is for."""
    leads: list[FollowSettings | NextSettings] = [*settings.follow]
    leads += [settings.next] if settings.next is not None else []
    by_json = any(lead.json is not None for lead in leads) or (settings.next is not None and settings.next.cursor)
    if settings.each_json is not None or by_json or any(_reads_json(field) for field in settings.fields):
        return frozenset({"json"})
    by_markup = any(lead.css is not None or lead.xpath is not None for lead in leads) or any(
        lead.regex is None for lead in settings.follow
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
