"""What must be so for a place to become an item: something stands there, or a field has a certain value.

Without `equals` and `matches` a condition holds when anything is found; a field when it has a value that does not say
no (null, false, an empty text or list do).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scraper.extract.rules.compile import check_selector, compile_regex
from scraper.extract.rules.field import MISSING, PartialValue
from scraper.extract.rules.field_pipeline import compile_field, to_text
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.limits import MAX_REGEX_CHARS
from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.value_parsers import ParseFailure


@dataclass(frozen=True, slots=True)
class ConditionSettings:
    """One of `css`, `xpath`, `json` and `regex`, which look at the place, or `field`, which looks at its value.

    `equals`: one of the values is one of these texts. `matches`: a regex is found in one of the values.
    """

    css: str | None = None
    xpath: str | None = None
    json: str | None = None
    regex: str | None = None
    field: str | None = None
    equals: tuple[str, ...] = ()
    matches: str | None = None


class Condition:
    """A compiled condition. `field` is the name of the field it is about. Errors as `Rule`."""

    __slots__ = ("_css", "_equals", "_matches", "_source", "field")

    def __init__(self, settings: ConditionSettings, key_path: str) -> None:
        s = settings
        self.field = s.field
        self._equals = frozenset(s.equals)
        self._matches = compile_regex(s.matches, key_path) if s.matches is not None else None
        # An element may be there without any text: only when its text is asked about does that matter.
        presence = s.css is not None and not s.equals and s.matches is None
        self._css = check_selector(s.css, key_path) if s.css is not None and presence else None
        looked_for = FieldSettings(
            key_path, css=s.css, xpath=s.xpath, json=s.json, regex=s.regex, type="any" if s.json else "text", many=True
        )
        self._source = None if presence or s.field is not None else compile_field(looked_for, key_path)

    def holds_at(self, node: Any, context: PageContext) -> bool:
        """Whether it is so at `node`."""
        if self._css is not None:
            return node.css_first(self._css) is not None
        assert self._source is not None
        found = self._source.read(node, context)
        return found is not MISSING and not isinstance(found, ParseFailure) and self._check_values(found)

    def holds_for_fields(self, values: Mapping[str, Any]) -> bool:
        """Whether it is so of the fields' values."""
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
