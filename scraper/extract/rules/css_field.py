"""Fields by CSS, read the short way: most fields of most configs.

    element -> text (visible text, an attribute, markup) -> regex -> type

A field takes its first match, or with `many` all of them. Fields with another source or with transforms are read by
field_pipeline.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from selectolax.lexbor import LexborNode

from scraper.errors import ExtractionRuleError
from scraper.extract.bounds import VALUES_KEY
from scraper.extract.links.images import SRCSET_ATTRIBUTES, image_address, parse_srcset
from scraper.extract.rules.compile import check_selector, compile_regex
from scraper.extract.rules.css_select import select, select_first
from scraper.extract.rules.field import MISSING, PartialValue
from scraper.extract.rules.field_settings import FieldSettings, FieldType
from scraper.extract.rules.limits import MAX_REGEX_CHARS, MAX_VALUE_CHARS
from scraper.extract.rules.page_context import PageContext, absolute_url
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.extract.rules.value_parsers import NUMBER_TYPES, value_parser
from scraper.extract.rules.visible_text import ELEMENT_JOINT, visible_text

# Where `type: url` looks for a URL, in this order.
URL_ATTRIBUTES = ("href", "src", "content", "data")


class CssField:
    """One compiled field whose source is `css`, `links` or the item's element. Implements `Field`."""

    __slots__ = (
        "_attr",
        "_css",
        "_default",
        "_joint",
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
            raise ExtractionRuleError(f"{key_path}: css and links are two sources; a field has one")
        if settings.type not in get_args(FieldType):
            raise ExtractionRuleError(
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
        # Between the digits of two elements; a regex of the config sees the text as a page shows it.
        reads_numbers = settings.type in NUMBER_TYPES and settings.regex is None
        self._joint = ELEMENT_JOINT if reads_numbers else ""
        self._parse: Callable[[str], Any] | None = value_parser(settings.type, settings.number_options)
        source = f"links: {settings.links}" if settings.links else settings.css or "the element"
        source = f"{source}{f' @{settings.attr}' if settings.attr else ''}"
        self.missing_reason = f"nothing found for {source}{' that matches the regex' if settings.regex else ''}"

    def default_value(self) -> Any:
        """The value of the field when it is missing."""
        if self._default is None and (self._many or self._links):
            return []
        return self._default

    def read(self, element: LexborNode, context: PageContext) -> Any:
        """The field's value in `element`, or `MISSING`, `ParseFailure`, `PartialValue`."""
        # 1. links
        if self._links is not None:
            found_links = context.link_hrefs(self._links)
            context.charge(sum(map(len, found_links)))
            return found_links or MISSING
        # 2. all elements
        if self._many:
            return self._read_many([element] if self._css is None else select(element, self._css), context)
        # 3. the first element
        if self._css is not None:
            found = select_first(element, self._css)
            if found is None:
                return False if self._type == "bool" and self._default is None and not self.required else MISSING
            element = found
        return self._value(element, context)

    def _read_many(self, elements: list[LexborNode], context: PageContext) -> Any:
        values, failures = [], []
        if self._type == "url" and self._attr in SRCSET_ATTRIBUTES:
            return self._read_srcsets(elements, context)
        for element in context.beyond.first(elements, context.bounds.values, VALUES_KEY):
            value = self._value(element, context)
            if isinstance(value, ParseFailure):
                failures.append(value)
            elif value is not MISSING:
                values.append(value)
        if len(elements) > (bound := context.bounds.values):
            failures.append(ParseFailure(f"{len(elements)} values, only the first {bound} were read"))
        if failures and values:
            return PartialValue(
                values, (("", f"{len(failures)} of {len(elements)} not read, the first: {failures[0]}"),)
            )
        return values or (failures[0] if failures else MISSING)

    def _read_srcsets(self, elements: list[LexborNode], context: PageContext) -> Any:
        """All candidates of all elements, as URLs; what is none is left out."""
        texts = [text for node in elements for text in parse_srcset(node.attributes.get(self._attr or "") or "")]
        context.charge(sum(map(len, texts)))
        first = context.beyond.first(texts, context.bounds.values, VALUES_KEY)
        urls = [url for text in first if not isinstance(url := absolute_url(text, context), ParseFailure)]
        return list(dict.fromkeys(urls)) or MISSING

    def _value(self, element: LexborNode, context: PageContext) -> Any:
        """The value of one element, or `MISSING`, `ParseFailure`."""
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
                return False  # for `bool`, no match is an answer
            text = text.strip()
        if self._parse is not None:
            return self._parse(text) if text or self._type == "bool" else MISSING
        if not text:
            return MISSING
        return text if self._type != "url" else absolute_url(text, context)

    def source_text(self, element: LexborNode, context: PageContext) -> str | None:
        """The text from which the value is parsed; None if the attribute is missing."""
        if self._attr is not None:
            attributes = element.attributes
            if self._attr not in attributes:
                return None
            text = (attributes[self._attr] or "").strip()
            context.charge(len(text))
            if self._type == "url" and self._attr in SRCSET_ATTRIBUTES:
                return next(iter(parse_srcset(text)), "")
            return text
        if self._type == "html":
            markup = element.html
            context.charge(len(markup or ""))
            return markup
        if self._type == "url":
            attributes = element.attributes
            if element.tag == "img" and (address := image_address(attributes)):
                return address
            for name in URL_ATTRIBUTES:
                if value := attributes.get(name):
                    return value
        return visible_text(element, context.charge, self._joint)
