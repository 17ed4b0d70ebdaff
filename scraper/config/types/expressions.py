"""The forms of expressions that select something beside CSS: XPath, JMESPath, types of structured data.

Each is tried with the library that will use it, where that is installed; where it is not, opening the run names the
extra that is missing.
"""

from __future__ import annotations

import re
import warnings
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from scraper.config.schema.section import Css, Section, one_of
from scraper.config.types.checks import NAME_LIMIT, PATTERN_LIMIT
from scraper.config.types.forms import Form, FormError, Shorthand, Surroundings, describe, expected

XPATH_WORDS = "an XPath expression"
JSON_WORDS = "a JMESPath expression"
_EXSLT = {"re": "http://exslt.org/regular-expressions"}


def _text(value: Any, words: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise expected(words, value)
    if len(value) > PATTERN_LIMIT:
        raise FormError(f"{words} may have {PATTERN_LIMIT:,} characters, this one has {len(value):,}")
    return value


def check_xpath(value: Any, _: Surroundings) -> str:
    """An expression that lxml compiles; raises `FormError`."""
    text = _text(value, XPATH_WORDS)
    try:
        from lxml import etree
    except ImportError:
        return text
    try:
        etree.XPath(text, namespaces=_EXSLT)
    except (etree.XPathError, ValueError, UnicodeError) as error:
        raise FormError(f"bad XPath expression {describe(text)}: {_first_line(error)}") from None
    return text


def check_json_path(value: Any, _: Surroundings) -> str:
    """An expression that jmespath compiles; raises `FormError`."""
    text = _text(value, JSON_WORDS)
    try:
        import jmespath
        from jmespath.exceptions import JMESPathError
    except ImportError:
        return text
    try:
        jmespath.compile(text)
    except (JMESPathError, ValueError, RecursionError) as error:
        hint = "JMESPath has no $ and no leading dot: items[].name" if text.startswith(("$", ".")) else ""
        raise FormError(f"bad JMESPath expression {describe(text)}: {_first_line(error)}", hint) from None
    return text


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(":")


def check_type_name(value: Any, _: Surroundings) -> str:
    """A type of schema.org without its address, or `opengraph`; raises `FormError`."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z][\w.:-]*", value) or len(value) > NAME_LIMIT:
        hint = "the name alone, without the address" if isinstance(value, str) and "://" in value else ""
        raise expected("a type such as product, article or opengraph", value, hint)
    return value


def _schema(example: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": PATTERN_LIMIT, "examples": [example]}


XPATH = Form(XPATH_WORDS, _schema("//h1"), check_xpath)
JSON_PATH = Form(JSON_WORDS, _schema("items[].name"), check_json_path)
TYPE_NAME = Form("a type of schema.org, or `opengraph`", _schema("product"), check_type_name)

XPathText = Annotated[str, XPATH]
JsonText = Annotated[str, JSON_PATH]


with warnings.catch_warnings():
    # The key is called json, and so is a method that pydantic keeps for its own past.
    warnings.filterwarnings("ignore", 'Field name "json"')

    class Each(Section):
        """What is one item each: elements of HTML, or members of a list in JSON. A plain text is a CSS selector."""

        model_config = one_of("css", "xpath", "json")
        sparse: ClassVar[bool] = True

        css: Css | None = Field(default=None, description="A CSS selector.")
        xpath: XPathText | None = Field(
            default=None, description="An XPath 1.0 expression that selects elements (needs scraper[xpath])."
        )
        json: JsonText | None = Field(  # type: ignore[assignment]
            default=None, description="JMESPath to a list, on JSON pages."
        )

        @model_validator(mode="after")
        def _one(self) -> Each:
            if sum(v is not None for v in (self.css, self.xpath, self.json)) != 1:
                raise FormError("expected one of css:, xpath: and json:")
            return self


def _expand(value: Any) -> Any:
    return {"css": value} if isinstance(value, str) else value


def _collapse(value: Any) -> Any:
    return value["css"] if isinstance(value, dict) and value.keys() == {"css"} else value


EachEntry = Annotated[Each, Shorthand("a CSS selector", {"type": "string", "minLength": 1}, _expand, _collapse)]
