"""`when` and `unless`: conditions on an element or on the fields of an item.

Without `equals` and `matches` a condition holds if something is found. A field must also have a value that does not
mean no: null, false, and empty texts and lists do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scraper.extract.rules.compile import check_selector, compile_regex
from scraper.extract.rules.css_select import select_first
from scraper.extract.rules.field import MISSING, PartialValue
from scraper.extract.rules.field_pipeline import compile_field, to_text
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.limits import MAX_REGEX_CHARS
from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.parse_failure import ParseFailure


@dataclass(frozen=True, slots=True)
class ConditionSettings:
    """One of `css`, `xpath`, `json`, `regex`, which read the item's element or object, or the name of a `field`.

    `equals`: one of the values found must be one of these texts. `matches`: one of the values must contain this regular
    expression.
    """

    css: str | None = None
    xpath: str | None = None
    json: str | None = None
    regex: str | None = None
    field: str | None = None
    equals: tuple[str, ...] = ()
    matches: str | None = None


class Condition:
    """A compiled condition. `field`: the name of the field it reads, or None. Errors as of `ExtractionRule`."""

    __slots__ = ("_css", "_equals", "_matches", "_source", "field")

    def __init__(self, settings: ConditionSettings, key_path: str) -> None:
        s = settings
        self.field = s.field
        self._equals = frozenset(s.equals)
        self._matches = compile_regex(s.matches, key_path) if s.matches is not None else None
        # `css` alone asks whether there is such an element, with or without text: no field needs to be read for that.
        presence = s.css is not None and not s.equals and s.matches is None
        self._css = check_selector(s.css, key_path) if s.css is not None and presence else None
        field_settings = FieldSettings(
            key_path, css=s.css, xpath=s.xpath, json=s.json, regex=s.regex, type="any" if s.json else "text", many=True
        )
        self._source = None if presence or s.field is not None else compile_field(field_settings, key_path)

    def holds_at(self, node: Any, context: PageContext) -> bool:
        """Whether the condition holds for the element or object `node`."""
        if self._css is not None:
            return select_first(node, self._css) is not None
        assert self._source is not None
        found = self._source.read(node, context)
        return found is not MISSING and not isinstance(found, ParseFailure) and self._check_values(found)

    def holds_for_fields(self, values: Mapping[str, Any]) -> bool:
        """Whether the condition, which is about a field, holds for the fields `values`."""
        value = values.get(self.field or "")
        return self._check_values(value if isinstance(value, list) else [value])

    def _check_values(self, found: Any) -> bool:
        values = found.value if isinstance(found, PartialValue) else found
        if not self._equals and self._matches is None:
            return any(value not in ("", [], {}) and value is not None and value is not False for value in values)
        texts = [to_text(value) for value in values]
        if self._matches is not None and not any(self._matches.search(text, 0, MAX_REGEX_CHARS) for text in texts):
            return False
        return not self._equals or any(text in self._equals for text in texts)
