"""Fields that are not plain CSS: with another source, with `json`, with transforms, or with fields of their own.

    source -> json -> regex -> transforms -> type

Each step takes the values of the one before it. A field without `many` takes the first value. A field with `fields`
makes an object of each value instead of converting it to a type.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from scraper.extract.rules.compile import check_selector, compile_regex
from scraper.extract.rules.css_field import CssField
from scraper.extract.rules.css_select import select
from scraper.extract.rules.field import MISSING, Field, PartialValue
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.field_sources import RegexSource, StructuredSource, apply_jmespath, compile_source
from scraper.extract.rules.json_document import ExactFloat, to_plain_json
from scraper.extract.rules.limits import MAX_ITEMS, MAX_REGEX_CHARS, MAX_VALUE_CHARS, MAX_VALUES
from scraper.extract.rules.markup_text import TAG_REGEX, decode_entities, markup_to_text
from scraper.extract.rules.number_parser import DEFAULT_OPTIONS, NumberOptions
from scraper.extract.rules.optional_libraries import JmesPath
from scraper.extract.rules.page_context import PageContext, absolute_url
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.extract.rules.transforms import apply_transforms
from scraper.extract.rules.value_parsers import value_parser
from scraper.extract.rules.xpath_select import XPathSelector

# Key of `PageContext.cache`: how many objects inside items were made of the page.
NESTED_OBJECT_COUNT = "nested"

# A number of JSON is none that people wrote.
JSON_NUMBER = NumberOptions(machine=True)

# Values that count as missing. 0 and False do not: they equal none of these.
_EMPTY_VALUES: tuple[Any, ...] = (None, "", [], {})


def compile_fields(settings: Sequence[FieldSettings], key_path: str = "fields") -> tuple[Field, ...]:
    """The fields compiled. Errors as of `ExtractionRule`."""
    return tuple(compile_field(field, f"{key_path}.{field.name}") for field in settings)


def compile_field(settings: FieldSettings, key_path: str) -> Field:
    """One field compiled: an `ObjectField` if it has fields, a `CssField` if that suffices, else a `PipelineField`."""
    if settings.fields:
        return ObjectField(settings, key_path)
    other = settings.xpath or settings.table or settings.json is not None or settings.transform
    if settings.links is not None or (settings.reads_element and not other):
        return CssField(settings)
    return PipelineField(settings, key_path)


class PipelineField:
    """A field with all steps. Implements `Field`."""

    def __init__(self, settings: FieldSettings, key_path: str) -> None:
        self.name = settings.name
        self.required = settings.required
        self._settings = settings
        self._source = compile_source(settings, key_path)
        self._json = JmesPath(settings.json, key_path) if settings.json is not None else None
        # Of a `RegexSource` the regex is the source itself.
        refines = settings.regex is not None and not isinstance(self._source, RegexSource)
        self._regex = compile_regex(settings.regex or "", key_path) if refines else None
        self._many = settings.many
        self._numbers = settings.number_options
        # What a page shows has no entities; JSON-LD often has, and tags.
        self._cleans_text = bool(settings.structured) and settings.plain_text
        self.missing_reason = (
            f"nothing found for {_describe_source(self._source.description, settings, self._regex is not None)}"
        )

    def default_value(self) -> Any:
        """The value of the field when it is missing."""
        return [] if self._settings.default is None and self._many else self._settings.default

    def read(self, node: Any, context: PageContext) -> Any:
        """The field's value at `node`, or `MISSING`, `ParseFailure`, `PartialValue`."""
        # 1. source, 2. json
        values = self._source.read(node, context)
        if self._json is not None and not isinstance(values, ParseFailure):
            values = apply_jmespath(self._json, values)
        if isinstance(values, ParseFailure):
            return values
        if self._cleans_text:
            as_text = self._settings.type in ("text", "any")
            values = [_plain(value, as_text) if isinstance(value, str) else value for value in values]
        # 3. regex
        if self._regex is not None:
            values = [text for value in values if (text := self._search_regex(value))]
        # 4. transforms: with `many` of the list, else of the first value
        found = len(values)
        values = [value for value in values[: MAX_VALUES if self._many else 1] if value not in _EMPTY_VALUES]
        value = values if self._many else values[0] if values else None
        if self._settings.transform:
            value = apply_transforms(value, self._settings.transform, context)
        if isinstance(value, ParseFailure):
            return value
        # 5. type; a list that a transform made (`split`) is converted like one of `many`
        if isinstance(value, list) and (self._many or self._settings.transform):
            return self._convert_list(value, max(found, len(value)), context)
        return self._missing_value() if value in _EMPTY_VALUES else self._convert(value, context)

    def _convert(self, value: Any, context: PageContext) -> Any:
        return convert_value(value, self._settings.type, context, self._numbers)

    def _missing_value(self) -> Any:
        is_false = self._settings.type == "bool" and self._settings.default is None and not self.required
        return False if is_false else MISSING

    def _convert_list(self, values: list[Any], found: int, context: PageContext) -> Any:
        converted = [
            value if isinstance(value, ParseFailure) else self._convert(value, context)
            for value in values[:MAX_VALUES]
            if value not in _EMPTY_VALUES
        ]
        good = [value for value in converted if value is not MISSING and not isinstance(value, ParseFailure)]
        bad = [value for value in converted if isinstance(value, ParseFailure)]
        if found > MAX_VALUES:
            bad.append(ParseFailure(f"{found} values, only the first {MAX_VALUES} were read"))
        if bad and good:
            return PartialValue(good, (("", f"{len(bad)} of {found} not read, the first: {bad[0]}"),))
        return good or (bad[0] if bad else MISSING)

    def _search_regex(self, value: Any) -> str:
        assert self._regex is not None
        found = self._regex.search(to_text(value), 0, MAX_REGEX_CHARS)
        if found is None:
            return ""
        return (found[1] or "" if self._regex.groups else found[0]).strip()


class ObjectField:
    """A field that is an object, or with `many` a list of them: `fields` are read at each element the source gives.

    Implements `Field`.
    """

    def __init__(self, settings: FieldSettings, key_path: str) -> None:
        self.name = settings.name
        self.required = settings.required
        self._default = settings.default
        self._many = settings.many
        self._css = check_selector(settings.css, key_path) if settings.css is not None else None
        self._xpath = XPathSelector(settings.xpath, key_path) if settings.xpath is not None else None
        self._structured = StructuredSource(settings) if settings.structured else None
        self._json = JmesPath(settings.json, key_path) if settings.json is not None else None
        self._fields = compile_fields(settings.fields, key_path)
        described = (
            self._structured.description if self._structured else settings.css or settings.xpath or "the element"
        )
        self.missing_reason = f"nothing found for {_describe_source(described, settings, False)}"

    def default_value(self) -> Any:
        """The value of the field when it is missing."""
        return [] if self._default is None and self._many else self._default

    def read(self, node: Any, context: PageContext) -> Any:
        """The object or objects at `node`, or `MISSING`, `ParseFailure`, `PartialValue`."""
        object_nodes = self._object_nodes(node, context)
        if isinstance(object_nodes, ParseFailure):
            return object_nodes
        errors: list[tuple[str, str]] = []
        objects: list[dict[str, Any]] = []
        for inner in object_nodes[: MAX_ITEMS if self._many else 1]:
            # Counted for the whole page: objects inside objects would multiply.
            context.cache[NESTED_OBJECT_COUNT] = made = context.cache.get(NESTED_OBJECT_COUNT, 0) + 1
            if made > MAX_ITEMS:
                errors.append((self.name, f"more than {MAX_ITEMS} objects on one page, the others were not read"))
                break
            values = read_fields(self._fields, inner, context, errors)
            if values is not None:
                objects.append(values)
        reasons = tuple(("" if name == self.name else f".{name}", reason) for name, reason in errors)
        value: Any = objects if self._many else objects[0] if objects else None
        if not value:
            return ParseFailure("; ".join(f"{name}: {reason}" for name, reason in errors[:3])) if errors else MISSING
        return PartialValue(value, reasons) if reasons else value

    def _object_nodes(self, node: Any, context: PageContext) -> list[Any] | ParseFailure:
        if self._css is not None:
            return select(node, self._css)
        if self._xpath is not None:
            return self._xpath.find(node, context)
        values = self._structured.read(node, context) if self._structured else [node]
        if self._json is None or isinstance(values, ParseFailure):
            return values
        return apply_jmespath(self._json, values)


def read_fields(
    fields: Sequence[Field], node: Any, context: PageContext, errors: list[tuple[str, str]]
) -> dict[str, Any] | None:
    """The fields' values at `node` by name; None if a required one is missing.

    For each field that cannot be read, its name and the reason are appended to `errors`.
    """
    values: dict[str, Any] = {}
    for field in fields:
        value = field.read(node, context)
        if isinstance(value, PartialValue):
            errors.extend((field.name + below, reason) for below, reason in value.reasons)
            value = value.value
        if value is MISSING or isinstance(value, ParseFailure):
            if value is not MISSING or field.required:
                errors.append((field.name, str(value) if value is not MISSING else field.missing_reason))
            if field.required:
                return None
            value = field.default_value()
        values[field.name] = value
    return values


def _plain(text: str, as_text: bool) -> str:
    """`text` without entities and, if it is a text to read, without tags."""
    if len(text) > MAX_VALUE_CHARS:
        return text  # it is rejected for its length
    return markup_to_text(text) if as_text and TAG_REGEX.search(text) else decode_entities(text)


def to_text(value: Any) -> str:
    """A JSON value as text, as JSON writes it, but a text without quotes and null as nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, ExactFloat):
        return value.to_text()
    return "" if value is None else str(value)


def _exact_number(value: Any) -> Decimal | None:
    """A number of JSON or XPath as a decimal, with all digits it was written with."""
    number: Decimal | None = None
    if isinstance(value, ExactFloat):
        number = value.to_decimal()
    elif isinstance(value, Decimal | int):
        number = Decimal(value)
    elif isinstance(value, float):
        number = Decimal(repr(value))
    return number if number is not None and number.is_finite() else None


def convert_value(value: Any, kind: str, context: PageContext, numbers: NumberOptions = DEFAULT_OPTIONS) -> Any:
    """`value` (a text or a JSON value) as the type `kind`, or `MISSING`, `ParseFailure`."""
    if isinstance(value, str) and len(value) > MAX_VALUE_CHARS:
        return ParseFailure(f"too long: {len(value)} characters, at most {MAX_VALUE_CHARS}")
    if kind == "any":
        return to_plain_json(value)
    if isinstance(value, dict | list):
        return ParseFailure(f"a {'mapping' if isinstance(value, dict) else 'list'} where {kind} is expected")
    if kind == "decimal" and not isinstance(value, str | bool) and (number := _exact_number(value)) is not None:
        return number  # a number has no thousands separator, so there is nothing to guess
    text = to_text(value).strip()
    if (parse := value_parser(kind, numbers if isinstance(value, str) else JSON_NUMBER)) is not None:
        return parse(text) if text else MISSING
    if kind == "url":
        return absolute_url(text, context)
    return text


def _describe_source(source: str, settings: FieldSettings, refined: bool) -> str:
    """The source for the message that nothing was found."""
    parts = [source]
    if settings.attr is not None:
        parts.append(f"@{settings.attr}")
    if settings.json is not None:
        parts.append(f"json {settings.json}")
    if refined:
        parts.append("that matches the regex")
    return " ".join(parts)
