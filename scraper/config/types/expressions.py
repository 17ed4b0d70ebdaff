"""The formats of expressions that select something, CSS apart: XPath, JMESPath, types of structured data.

Each is tried with the library that will use it, where that is installed; where it is not, the start of the run names
the missing extra.
"""

from __future__ import annotations

import re
import warnings
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from scraper.config.schema.section import CSS_SHORTHAND, Css, Section, exactly_one_of
from scraper.config.types.checks import MAX_NAME_CHARS, MAX_PATTERN_CHARS
from scraper.config.types.value_format import (
    InvalidValueError,
    ParseContext,
    ValueFormat,
    describe_value,
    wrong_kind_error,
)

XPATH_DESCRIPTION = "an XPath expression"
JMESPATH_DESCRIPTION = "a JMESPath expression"
_EXSLT_NAMESPACES = {"re": "http://exslt.org/regular-expressions"}


def _check_length(value: Any, description: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise wrong_kind_error(description, value)
    if len(value) > MAX_PATTERN_CHARS:
        raise InvalidValueError(f"{description} may have {MAX_PATTERN_CHARS:,} characters, this one has {len(value):,}")
    return value


def check_xpath(value: Any, _: ParseContext) -> str:
    """An expression that lxml compiles; raises `InvalidValueError`."""
    text = _check_length(value, XPATH_DESCRIPTION)
    try:
        from lxml import etree
    except ImportError:
        return text
    try:
        etree.XPath(text, namespaces=_EXSLT_NAMESPACES)
    except (etree.XPathError, ValueError, UnicodeError) as error:
        raise InvalidValueError(f"bad XPath expression {describe_value(text)}: {_first_line(error)}") from None
    return text


def check_jmespath(value: Any, _: ParseContext) -> str:
    """An expression that jmespath compiles; raises `InvalidValueError`."""
    text = _check_length(value, JMESPATH_DESCRIPTION)
    try:
        import jmespath
        from jmespath.exceptions import JMESPathError
    except ImportError:
        return text
    try:
        jmespath.compile(text)
    except (JMESPathError, ValueError, RecursionError) as error:
        hint = "JMESPath has no $ and no leading dot: items[].name" if text.startswith(("$", ".")) else ""
        raise InvalidValueError(f"bad JMESPath expression {describe_value(text)}: {_first_line(error)}", hint) from None
    return text


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(":")


def check_schema_org_type(value: Any, _: ParseContext) -> str:
    """A type of schema.org without its address, or `opengraph`; raises `InvalidValueError`."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z][\w.:-]*", value) or len(value) > MAX_NAME_CHARS:
        hint = "the name alone, without the address" if isinstance(value, str) and "://" in value else ""
        raise wrong_kind_error("a type such as product, article or opengraph", value, hint)
    return value


def _text_schema(example: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": MAX_PATTERN_CHARS, "examples": [example]}


XPATH_FORMAT = ValueFormat(XPATH_DESCRIPTION, _text_schema("//h1"), check_xpath)
JMESPATH_FORMAT = ValueFormat(JMESPATH_DESCRIPTION, _text_schema("items[].name"), check_jmespath)
SCHEMA_ORG_TYPE_FORMAT = ValueFormat(
    "a type of schema.org, or `opengraph`", _text_schema("product"), check_schema_org_type
)

XPath = Annotated[str, XPATH_FORMAT]
JmesPath = Annotated[str, JMESPATH_FORMAT]


with warnings.catch_warnings():
    # The key is called json, and so is a deprecated method of pydantic models.
    warnings.filterwarnings("ignore", 'Field name "json"')

    class EachSection(Section):
        """What is one item each: elements of HTML, or members of a list in JSON. A plain text is a CSS selector."""

        model_config = exactly_one_of("css", "xpath", "json")
        omits_unset_keys: ClassVar[bool] = True

        css: Css | None = Field(default=None, description="A CSS selector.")
        xpath: XPath | None = Field(
            default=None, description="An XPath 1.0 expression that selects elements (needs scraper[xpath])."
        )
        json: JmesPath | None = Field(  # type: ignore[assignment]
            default=None, description="JMESPath to a list, on JSON pages."
        )

        @model_validator(mode="after")
        def _check_exactly_one_given(self) -> EachSection:
            if sum(v is not None for v in (self.css, self.xpath, self.json)) != 1:
                raise InvalidValueError("expected one of css:, xpath: and json:")
            return self


EachEntry = Annotated[EachSection, CSS_SHORTHAND]
