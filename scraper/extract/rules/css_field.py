"""What a field is, and fields by CSS: compiled once, read on every page.

A field takes its first match, or with `many` all of them, and turns it into a value in these steps:

    element -> source text (visible text, an attribute, markup) -> regex -> type

Fields of other sources, and those with transforms, are read by pipeline.py; most fields are plain CSS, and theirs is
the short way.

What is empty counts as missing. A missing field has its default: None or, with `many` and `links`, an empty list,
unless one is set. A text that is not of the field's type gives the default too, and is told as `FieldError`. If the
field is `required`, both mean that there is no item.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from scraper.errors import ExtractError
from scraper.extract.rules.value_parsers import (
    ParseFailure,
    parse_bool,
    parse_date,
    parse_decimal,
    parse_float,
    parse_int,
)
from scraper.model import Link, OutOfScope
from scraper.urls.canonicalize import DEFAULT_KEY_RULES, BaseUrl, KeyRules, canonicalize

FieldType = Literal["text", "int", "float", "decimal", "bool", "url", "date", "html", "any"]
LinkSelection = Literal["in_scope", "all"]

# Longest text or markup of one value, in characters; longer ones are refused, never cut.
MAX_VALUE_CHARS = 1_000_000
# How far into a text a field's regex looks, in characters. It bounds honest patterns; one that backtracks without end
# (`(a+)+$`) is the config's own fault.
MAX_REGEX_CHARS = 50_000
# Most values of one `many` field.
MAX_VALUES = 10_000
# Most items one rule makes of one page.
MAX_ITEMS = 10_000

# What one rule's values of one page may amount to, in characters and elements read: elements inside each other hold the
# same text again and again.
MAX_RULE_CHARS = 10_000_000

MISSING = object()
# Reasons for not asking a URL that is in scope all the same.
IN_SCOPE_DENIALS = frozenset({"depth", "nofollow", "rules"})
URL_ATTRIBUTES = ("href", "src", "content", "data")
INVISIBLE_TAGS = frozenset({"script", "style", "noscript"})
# Elements that are set apart from what stands beside them, so that their texts never run together.
BLOCK_TAGS = frozenset(
    {
        "address", "article", "aside", "blockquote", "br", "dd", "details", "dialog", "div", "dl", "dt", "fieldset",
        "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main",
        "nav", "ol", "option", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr",
        "ul",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldSettings:
    """One field: its source, and how what it gives becomes a value.

    Sources: `css`, `xpath`, `structured` (schema.org types or `opengraph`), `main_text` and `links` read HTML, and
    without any of them the item's own element is the source. `json` (JMESPath) alone reads a JSON page, beside a source
    it reads what that gave. `regex` alone searches the page's or the element's own markup. `table` makes rows of the
    element that is a table. With `fields` the source gives places, and each becomes an object. `transform` are steps of
    transforms.py.

    `attr` takes an attribute in place of the text; `type: url` without it takes href, src, content or data, whichever
    is there. `html` is the element's own markup with all that is in it (outerHTML). `bool` is whether something was
    found that does not say no. `any` leaves what JSON gives as it is. `regex` gives its first group, or its whole match
    when it has none.
    """

    name: str
    css: str | None = None
    links: LinkSelection | None = None
    attr: str | None = None
    type: FieldType = "text"
    regex: str | None = None
    many: bool = False
    required: bool = False
    default: Any = None
    xpath: str | None = None
    json: str | None = None
    structured: tuple[str, ...] = ()
    main_text: Literal["markdown", "text"] | None = None
    table: Literal["rows"] | None = None
    fields: tuple[FieldSettings, ...] = ()
    transform: tuple[tuple[str, Any], ...] = ()

    @property
    def reads_element(self) -> bool:
        """Whether the source is an element of HTML: one that is selected, or without any source the item's own."""
        other = self.json is not None or self.regex is not None
        return (
            self.css is not None
            or self.xpath is not None
            or self.table is not None
            or not (other or self.structured or self.main_text or self.links)
        )


class ReadBudgetExceeded(Exception):  # noqa: N818  a state of the rule, which ends its reading of the page
    """A rule has read more than `MAX_RULE_CHARS` of one page."""


class PageContext:
    """A page as fields see it.

    `root` is the tree's root element or, of a JSON page, its value; `text` gives the page's text as it came. `base`
    and `keys` are for URLs, `links` those that were found and judged. `kept` holds what fields share, made when first
    asked for.
    """

    __slots__ = ("_left", "base", "cache", "key_rules", "links", "root", "text")

    def __init__(
        self,
        root: Any,
        base: BaseUrl,
        keys: KeyRules = DEFAULT_KEY_RULES,
        links: Sequence[Link] = (),
        text: Callable[[], str] = str,
    ) -> None:
        self.root, self.base, self.key_rules, self.links, self.text = root, base, keys, links, text
        self.cache: dict[str, Any] = {}
        self._left = MAX_RULE_CHARS

    def reset_budget(self) -> None:
        """A rule begins to read."""
        self._left = MAX_RULE_CHARS

    def charge(self, amount: int) -> None:
        """Count `amount` characters or elements that were read. Raises `ReadBudgetExceeded`."""
        self._left -= amount
        if self._left < 0:
            raise ReadBudgetExceeded(
                f"its values amount to more than {MAX_RULE_CHARS} characters, the rest was not read"
            )

    def link_hrefs(self, choice: LinkSelection) -> list[str]:
        """The page's links: all, or those in scope, also when depth or nofollow keeps them from being asked."""
        if choice not in self.cache:
            self.cache[choice] = [
                link.url.href
                for link in self.links
                if choice == "all" or link.denied is None or link.denied.reason in IN_SCOPE_DENIALS
            ]
        return list(self.cache[choice])


@dataclass(frozen=True, slots=True)
class PartialValue:
    """A value of which a part could not be read: why, and in which field below it (`.author`, or nothing)."""

    value: Any
    reasons: tuple[tuple[str, str], ...]


class Field(Protocol):
    """One compiled field. `missing` is the sentence for when nothing is there."""

    name: str
    required: bool
    missing_reason: str

    def read(self, node: Any, context: PageContext) -> Any:
        """The value at `place` (an element, or a value of a JSON page), or `MISSING`, a `ParseFailure`, or
        `PartialValue`."""
        ...

    def default_value(self) -> Any:
        """The value of a field that is not there."""
        ...


class CssField:
    """One compiled field whose source is `css`, `links` or the item's element. `missing` says that nothing is there."""

    __slots__ = (
        "_attr",
        "_css",
        "_default",
        "_links",
        "_many",
        "_parse",
        "_regex",
        "_type",
        "missing_reason",
        "name",
        "required",
    )

    def __init__(self, settings: FieldSettings) -> None:
        key_path = f"fields.{settings.name}"
        if settings.css is not None and settings.links is not None:
            raise ExtractError(f"{key_path}: css and links are two sources; a field has one")
        if settings.type not in get_args(FieldType):
            raise ExtractError(
                f"{key_path}: unknown type {settings.type!r}; it is one of {', '.join(get_args(FieldType))}"
            )
        self.name = settings.name
        self.required = settings.required
        self._css = check_selector(settings.css, key_path) if settings.css is not None else None
        self._links = settings.links
        self._attr = settings.attr.lower() if settings.attr is not None else None
        self._type = settings.type
        self._regex = compile_regex(settings.regex, key_path) if settings.regex is not None else None
        self._many = settings.many
        self._default = settings.default
        self._parse: Callable[[str], Any] | None = VALUE_PARSERS.get(settings.type)
        node = f"links: {settings.links}" if settings.links else settings.css or "the element"
        source = f"{node}{f' @{settings.attr}' if settings.attr else ''}"
        self.missing_reason = f"nothing found for {source}{' that matches the regex' if settings.regex else ''}"

    def default_value(self) -> Any:
        """The value of a field that is not there."""
        if self._default is None and (self._many or self._links):
            return []
        return self._default

    def read(self, element: LexborNode, context: PageContext) -> Any:
        """The field's value below `element`, or why there is none: `MISSING`, a `ParseFailure`, or `PartialValue`."""
        if self._links is not None:
            found_links = context.link_hrefs(self._links)
            context.charge(sum(map(len, found_links)))
            return found_links or MISSING
        if self._many:
            return self._read_many([element] if self._css is None else element.css(self._css), context)
        if self._css is not None:
            found = element.css_first(self._css)
            if found is None:
                return False if self._type == "bool" and self._default is None and not self.required else MISSING
            element = found
        return self._value(element, context)

    def _read_many(self, elements: list[LexborNode], context: PageContext) -> Any:
        values, refusals = [], []
        for element in elements[:MAX_VALUES]:
            value = self._value(element, context)
            if isinstance(value, ParseFailure):
                refusals.append(value)
            elif value is not MISSING:
                values.append(value)
        if len(elements) > MAX_VALUES:
            refusals.append(ParseFailure(f"{len(elements)} values, only the first {MAX_VALUES} were read"))
        if refusals and values:
            return PartialValue(
                values, (("", f"{len(refusals)} of {len(elements)} not read, the first: {refusals[0]}"),)
            )
        return values or (refusals[0] if refusals else MISSING)

    def _value(self, element: LexborNode, context: PageContext) -> Any:
        """What one element gives: a value, `MISSING` or a `ParseFailure`."""
        text = self.source_text(element, context)
        if text is None:
            return False if self._type == "bool" and self._default is None and not self.required else MISSING
        if len(text) > MAX_VALUE_CHARS:
            return ParseFailure(f"too long: {len(text)} characters, at most {MAX_VALUE_CHARS}")
        if self._regex is not None:
            found = self._regex.search(text, 0, MAX_REGEX_CHARS)
            if found is None and len(text) > MAX_REGEX_CHARS:
                return ParseFailure(
                    f"the regex matches nothing in the first {MAX_REGEX_CHARS} of {len(text)} characters"
                )
            text = "" if found is None else found[1] or "" if self._regex.groups else found[0]
            if found is None and self._type == "bool":
                return False
            text = text.strip()
        if self._parse is not None:
            return self._parse(text) if text or self._type == "bool" else MISSING
        if not text:
            return MISSING
        return text if self._type != "url" else absolute_url(text, context)

    def source_text(self, element: LexborNode, context: PageContext) -> str | None:
        """The text that the value is made of; None when the wanted attribute is not there."""
        if self._attr is not None:
            attributes = element.attributes
            if self._attr not in attributes:
                return None
            text = (attributes[self._attr] or "").strip()
            context.charge(len(text))
            return text
        if self._type == "html":
            markup = element.html
            context.charge(len(markup or ""))
            return markup
        if self._type == "url":
            attributes = element.attributes
            for name in URL_ATTRIBUTES:
                if value := attributes.get(name):
                    return value
        return visible_text(element, context.charge)


VALUE_PARSERS: dict[str, Callable[[str], Any]] = {
    "int": parse_int,
    "float": parse_float,
    "decimal": parse_decimal,
    "bool": parse_bool,
    "date": parse_date,
}


def visible_text(element: LexborNode, charge: Callable[[int], None] = lambda _: None) -> str:
    """What a reader sees of `element`: without scripts and styles, blocks set apart, white space collapsed.

    `charge` hears how much was read, and may end it by raising.
    """
    first = element.first_child
    if first is None:
        return ""
    if first.next is None and first.is_text_node:
        text = first.text_content or ""
        charge(len(text))
        return " ".join(text.split())
    parts: list[str] = []
    for node in element.traverse(include_text=True):
        tag = node.tag
        previous = node.prev
        if tag in BLOCK_TAGS or (previous is not None and previous.tag in BLOCK_TAGS):
            parts.append(" ")
        if tag == "-text":
            parent = node.parent
            if parent is None or parent.tag not in INVISIBLE_TAGS:
                text = node.text_content or ""
                charge(len(text) + 1)
                parts.append(text)
        else:
            charge(1)
    return " ".join("".join(parts).split())


def absolute_url(text: str, context: PageContext) -> str | ParseFailure:
    """The address that `text` is on this page, or why it is none."""
    url = canonicalize(text, context.base, context.key_rules)
    return ParseFailure(f"not a usable URL ({url.rule}): {text[:80]!r}") if isinstance(url, OutOfScope) else url.href


def check_selector(css: str, key_path: str) -> str:
    """`css` itself when it is a selector; raises `ExtractError` with `key_path` (a key path) when it is none."""
    try:
        LexborHTMLParser("<p>").css_first(css)
    except (SelectolaxError, UnicodeError) as error:
        raise ExtractError(f"{key_path}: not a CSS selector: {css!r}") from error
    return css


def compile_regex(pattern: str, key_path: str) -> re.Pattern[str]:
    """`pattern` compiled; raises `ExtractError` with `key_path` (a key path) when it is no regular expression."""
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ExtractError(f"{key_path}: not a regular expression: {pattern!r}: {error}") from error
