"""The base class of all mappings of a config, and the types that several of them use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from scraper.config.types.checks import CSS_FORMAT, REGEX_FORMAT
from scraper.config.types.units import RATE_FORMAT
from scraper.config.types.value_format import FLAG_FORMAT, Shorthand

HOUR_SECONDS = 3_600.0
DAY_SECONDS = 24 * HOUR_SECONDS
YEAR_SECONDS = 365 * DAY_SECONDS
MAX_PAGES = 10**10

Flag = Annotated[bool, FLAG_FORMAT]
Regex = Annotated[str, REGEX_FORMAT]
Css = Annotated[str, CSS_FORMAT]
Rate = Annotated[float | None, RATE_FORMAT]


def _expand_css(value: Any) -> Any:
    return {"css": value} if isinstance(value, str) else value


def _collapse_css(value: Any) -> Any:
    return value["css"] if isinstance(value, dict) and value.keys() == {"css"} else value


# A text in place of a mapping is its `css` key.
CSS_SHORTHAND = Shorthand("a CSS selector", {"type": "string", "minLength": 1}, _expand_css, _collapse_css)


def exactly_one_of(*keys: str) -> ConfigDict:
    """The part of the JSON Schema that exactly one of `keys` is given; the loader has a check in the section itself."""
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in keys]})


class Section(BaseModel):
    """A mapping of the config: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True)

    # Whether the effective config leaves out keys that were not given, because absence has a meaning.
    omits_unset_keys: ClassVar[bool] = False
    # Keys that are known and not available in this version, with what to use instead.
    unavailable_keys: ClassVar[Mapping[str, str]] = {}
