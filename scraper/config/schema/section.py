"""What all mappings of a config have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict

from scraper.config.types.checks import CSS, REGEX
from scraper.config.types.forms import FLAG
from scraper.config.types.units import RATE

HOUR = 3_600.0
DAY = 24 * HOUR
YEAR = 365 * DAY
MAX_PAGES = 10**10

Flag = Annotated[bool, FLAG]
Regex = Annotated[str, REGEX]
Css = Annotated[str, CSS]
Rate = Annotated[float | None, RATE]


def one_of(*keys: str) -> ConfigDict:
    """What tells an editor that exactly one of `keys` is given; people are told by the section's own check."""
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in keys]})


class Section(BaseModel):
    """A mapping of the config: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True)

    sparse: ClassVar[bool] = False
    """Whether the effective config leaves out keys that were not given, because absence has a meaning."""
    not_yet: ClassVar[Mapping[str, str]] = {}
    """Keys that are known and not available in this version, with what to use instead."""
