"""The sources of a field: one class for each, all with the method `read` of `FieldSource`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from selectolax.lexbor import LexborNode

from scraper.extract.bounds import REGEX_CHARS_KEY, VALUES_KEY
from scraper.extract.rules.compile import check_selector, compile_regex
from scraper.extract.rules.css_field import URL_ATTRIBUTES, CssField
from scraper.extract.rules.css_select import select, select_first
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.json_document import write_json
from scraper.extract.rules.lenient_json import parse_lenient_json
from scraper.extract.rules.optional_libraries import JmesPath, XPath, load_main_text_reader, lxml_markup
from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.extract.rules.structured import find_objects
from scraper.extract.rules.tables import read_table
from scraper.extract.rules.value_parsers import NUMBER_TYPES
from scraper.extract.rules.visible_text import BLOCK_TAGS, ELEMENT_JOINT, INVISIBLE_TAGS, digits_meet


class FieldSource(Protocol):
    """Gives the raw values of a field. `description` names the source in messages."""

    description: str

    def read(self, node: Any, context: PageContext) -> list[Any] | ParseFailure:
        """The raw values at `node`, in document order: texts, or JSON values. At most
        `PageBounds.values` of them; the others are counted.

        `node` is the item's element or, on a JSON page, its value. A `ParseFailure` says why nothing can be read.
        """
        ...


def compile_source(settings: FieldSettings, key_path: str) -> FieldSource:
    """The source that a field's settings name. Raises `ExtractionRuleError`, `MissingExtraError`."""
    if settings.xpath is not None:
        return XPathSource(settings, key_path)
    if settings.structured:
        return StructuredSource(settings)
    if settings.main_text is not None:
        return MainTextSource(settings.main_text, key_path)
    if settings.table is not None:
        return TableSource(settings, key_path)
    if settings.reads_element:
        return CssSource(settings, key_path)
    if settings.json is not None:
        return JsonSource()
    assert settings.regex is not None
    return RegexSource(settings.regex, key_path, settings.many)


class CssSource:
    """Elements selected by CSS, or the item's own element."""

    def __init__(self, settings: FieldSettings, key_path: str) -> None:
        self._css = check_selector(settings.css, key_path) if settings.css is not None else None
        # `CssField` alone decides what the text of an element is.
        self._field = CssField(
            FieldSettings(settings.name, attr=settings.attr, type=settings.type, regex=settings.regex)
        )
        self._one = not settings.many
        self._keeps_white_space = settings.json is not None and settings.attr is None
        self.description = settings.css or "the element"

    def read(self, node: Any, context: PageContext) -> list[Any] | ParseFailure:
        """The texts of the elements."""
        found: Sequence[Any]
        if self._css is None:
            found = [node]
        elif self._one:
            first = select_first(node, self._css)
            found = [] if first is None else [first]
        else:
            found = context.beyond.first(select(node, self._css), context.bounds.values, VALUES_KEY)
        if self._keeps_white_space:  # JSON in a script
            return [element.text(deep=True) for element in found]
        return [text for element in found if (text := self._field.source_text(element, context)) is not None]


class XPathSource:
    """Elements, attributes and values selected by XPath in the item's element."""

    def __init__(self, settings: FieldSettings, key_path: str) -> None:
        assert settings.xpath is not None
        self._path = XPath(settings.xpath, key_path)
        self._settings = settings
        self.description = settings.xpath

    def read(self, node: Any, context: PageContext) -> list[Any] | ParseFailure:
        """What the expression gives: the texts of elements, or texts, numbers and booleans."""
        tree = self._tree(node, context)
        found = self._path.read(tree) if tree is not None else []
        if isinstance(found, ParseFailure):
            return found
        first = context.beyond.first(found, context.bounds.values, VALUES_KEY) if self._settings.many else found
        values = (self._value(value, context) for value in first)
        return [value for value in values if value is not None]

    def _tree(self, node: Any, context: PageContext) -> Any:
        """The item's element as a tree of lxml, parsed once for all fields of an item."""
        cached = context.cache.get("xpath")
        if cached is None or cached[0] is not node:
            markup = node.html or ""
            context.charge(len(markup))
            cached = context.cache["xpath"] = (node, self._path.parse(markup))
        return cached[1]

    def _value(self, value: Any, context: PageContext) -> Any:
        if isinstance(value, str):
            text = " ".join(value.split())
        elif isinstance(value, bool | int):
            return value
        elif isinstance(value, float):
            return int(value) if value.is_integer() else value
        elif hasattr(value, "attrib"):
            text = self._text(value) or ""
        else:
            return None  # a namespace, which lxml gives as a pair of names
        context.charge(len(text))
        return text or None

    def _text(self, element: Any) -> str | None:
        attributes = element.attrib
        if self._settings.attr is not None:
            return (attributes.get(self._settings.attr.lower()) or "").strip()
        if self._settings.type == "html":
            return lxml_markup(element)
        if self._settings.type == "url":
            for name in URL_ATTRIBUTES:
                if value := attributes.get(name):
                    return str(value)
        reads_numbers = self._settings.type in NUMBER_TYPES and self._settings.regex is None
        return lxml_visible_text(element, ELEMENT_JOINT if reads_numbers else "")


def lxml_visible_text(element: Any, joint: str = "") -> str:
    """`visible_text` of an element of lxml."""
    parts: list[str] = []
    text_parent: Any = None  # of the text before
    # A node's text is in front of its first child, its tail behind its end tag, in the parent.
    for event, node in _iterwalk(element):
        breaks = node.tag in BLOCK_TAGS
        if event == "start":
            invisible = node.tag in INVISIBLE_TAGS or not isinstance(node.tag, str)
            parts.append(" " if breaks else "")
            if node.text and not invisible:
                if joint and text_parent is not node and digits_meet(parts, node.text):
                    parts.append(joint)
                parts.append(node.text)
                text_parent = node
        elif node is not element:
            parts.append(" " if breaks else "")
            parent = node.getparent()
            if node.tail and (parent is None or parent.tag not in INVISIBLE_TAGS):
                if joint and text_parent is not parent and digits_meet(parts, node.tail):
                    parts.append(joint)
                parts.append(node.tail)
                text_parent = parent
    return " ".join("".join(parts).split())


def _iterwalk(element: Any) -> Any:
    # Comments and processing instructions too: the text behind one is its tail.
    from lxml import etree

    return etree.iterwalk(element, events=("start", "end", "comment", "pi"))


class JsonSource:
    """The item's value on a JSON page, from which the field's `json` selects."""

    description = "the page's JSON"

    def read(self, node: Any, context: PageContext) -> list[Any] | ParseFailure:
        """The value itself, as the only one."""
        return [node]


class StructuredSource:
    """Objects of JSON-LD, microdata and OpenGraph of the whole page, whatever the item's element is."""

    def __init__(self, settings: FieldSettings) -> None:
        self._names = settings.structured
        self.description = f"structured: {', '.join(settings.structured)}"

    def read(self, node: Any, context: PageContext) -> list[Any] | ParseFailure:
        """The objects as mappings."""
        return list(find_objects(context, self._names))


class MainTextSource:
    """The main text of the page, without navigation and advertisements."""

    def __init__(self, form: str, key_path: str) -> None:
        self._form = form
        self._read = load_main_text_reader(key_path)
        self.description = "main text"

    def read(self, node: Any, context: PageContext) -> list[Any] | ParseFailure:
        """The main text of the item's element."""
        markup = node.html or ""
        context.charge(len(markup))
        try:
            text = self._read(markup, self._form, context.base.href)
        except Exception as error:  # noqa: BLE001  it may raise anything for odd markup; that must not cost the item
            return ParseFailure(f"main text: {type(error).__name__}: {error}")
        return [text] if text else []


class TableSource:
    """Tables as lists of rows: the tables that `css` selects, or the item's own element."""

    def __init__(self, settings: FieldSettings, key_path: str) -> None:
        self._css = check_selector(settings.css, key_path) if settings.css is not None else None
        self._one = not settings.many
        self.description = settings.css or "the element"

    def read(self, node: Any, context: PageContext) -> list[Any] | ParseFailure:
        """One list of rows for each table; elements that are no tables are left out. A failure if one is too large."""
        found: Sequence[Any] = [node] if self._css is None else select(node, self._css)
        found = found[:1] if self._one else context.beyond.first(found, context.bounds.values, VALUES_KEY)
        values: list[Any] = []
        for table in found:
            rows = read_table(table, context) if table.tag == "table" else []
            if isinstance(rows, ParseFailure):
                return rows
            if rows:
                values.append(rows)
        return values


class RegexSource:
    """What a regex finds in the page's text as it came, or in the markup of the item's element."""

    def __init__(self, pattern: str, key_path: str, many: bool) -> None:
        self._pattern = compile_regex(pattern, key_path)
        self._one = not many
        self.description = f"regex {pattern}"

    def read(self, node: Any, context: PageContext) -> list[Any] | ParseFailure:
        """The first group of each match, or the whole match if it has none."""
        if node is context.root:
            text = context.text()
        else:
            text = node.html or "" if isinstance(node, LexborNode) else write_json(node)
            context.charge(len(text))
        bound, end = context.bounds.values, context.bounds.regex_chars
        has_group = self._pattern.groups > 0
        found: list[Any] = []
        for number, match in enumerate(self._pattern.finditer(text, 0, end)):
            if number >= bound:
                context.beyond.add(VALUES_KEY, 1)
                continue
            if value := ((match[1] or "") if has_group else match[0]).strip():
                found.append(value)
            if self._one:
                return found
        context.beyond.add(REGEX_CHARS_KEY, len(text) - end)
        return found


def apply_jmespath(path: JmesPath, values: list[Any]) -> list[Any] | ParseFailure:
    """What `path` finds in each of `values`; texts are parsed as JSON first."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, str) and (value := parse_lenient_json(value)) is None:
            return ParseFailure("the text is not JSON")
        selected = path.read(value)
        if isinstance(selected, ParseFailure):
            return selected
        found.extend(selected if isinstance(selected, list) else [selected] if selected is not None else [])
    return found
