"""What all mappings of a config have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict

from scraper.config.types.checks import CSS_FORMAT, REGEX_FORMAT
from scraper.config.types.units import RATE_FORMAT
from scraper.config.types.value_format import FLAG_FORMAT

HOUR_SECONDS = 3_600.0
DAY_SECONDS = 24 * HOUR_SECONDS
YEAR_SECONDS = 365 * DAY_SECONDS
MAX_PAGES = 10**10

Flag = Annotated[bool, FLAG_FORMAT]
Regex = Annotated[str, REGEX_FORMAT]
Css = Annotated[str, CSS_FORMAT]
Rate = Annotated[float | None, RATE_FORMAT]


def exactly_one_of(*keys: str) -> ConfigDict:
    """What tells an editor that exactly one of `keys` is given; people are told by the section's own check."""
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in keys]})


class Section(BaseModel):
    """A mapping of the config: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True)

    omits_unset_keys: ClassVar[bool] = False
    """Whether the effective config leaves out keys that were not given, because absence has a meaning."""
    unavailable_keys: ClassVar[Mapping[str, str]] = {}
    """Keys that are known and not available in this version, with what to use instead."""
