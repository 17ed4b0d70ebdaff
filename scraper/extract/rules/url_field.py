"""A field whose values are URLs to go to: for `follow` and `next`."""

from __future__ import annotations

from typing import Any, Literal

from scraper.extract.rules.field import MISSING, Field, PartialValue
from scraper.extract.rules.field_pipeline import compile_field
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.parse_failure import ParseFailure


def compile_url_field(
    key_path: Literal["follow", "next"],
    *,
    css: str | None,
    xpath: str | None,
    json: str | None,
    regex: str | None = None,
    many: bool = False,
) -> Field:
    """The field compiled; without any source it is `css: a[href]`. Errors as of `ExtractionRule`."""
    if css is None and xpath is None and json is None and regex is None:
        css = "a[href]"
    return compile_field(
        FieldSettings(key_path, css=css, xpath=xpath, json=json, regex=regex, type="url", many=many), key_path
    )


def read_or_none(field: Field, node: Any, context: PageContext) -> Any:
    """The field's value at `node` with the parts that could be read; None if there is none."""
    read = field.read(node, context)
    value = read.value if isinstance(read, PartialValue) else read
    if value is MISSING or isinstance(value, ParseFailure):
        return None
    # Where to go has no fragment, and `follow.match` looks at the address alone.
    if isinstance(value, list):
        return [_without_fragment(one) for one in value]
    return _without_fragment(value)


def _without_fragment(value: Any) -> Any:
    return value.partition("#")[0] if isinstance(value, str) else value
