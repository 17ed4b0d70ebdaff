"""Politeness by host: the defaults, and what the user wants to be different for some hosts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from fnmatch import translate
from typing import Any, Literal

from scraper.politeness.circuit_breaker import BreakerSettings
from scraper.politeness.crawl_delay import LongDelayPolicy
from scraper.politeness.host_gate import GateSettings


class Unchanged(Enum):
    """Stands for a value that an override leaves as it is; None cannot, because it means "no limit"."""

    UNCHANGED = "unchanged"


UNCHANGED: Literal[Unchanged.UNCHANGED] = Unchanged.UNCHANGED


@dataclass(frozen=True, slots=True)
class HostOverride:
    """What is different for some hosts: the fields of `GateSettings`, each `UNCHANGED` unless it is given."""

    rate: float | Literal[Unchanged.UNCHANGED] | None = UNCHANGED
    concurrency: int | Literal[Unchanged.UNCHANGED] | None = UNCHANGED
    adaptive: bool | Literal[Unchanged.UNCHANGED] = UNCHANGED
    breaker: BreakerSettings | Literal[Unchanged.UNCHANGED] | None = UNCHANGED
    max_retry_after: float | Literal[Unchanged.UNCHANGED] = UNCHANGED
    max_crawl_delay: float | Literal[Unchanged.UNCHANGED] = UNCHANGED
    long_crawl_delay: LongDelayPolicy | Literal[Unchanged.UNCHANGED] = UNCHANGED
    max_pages: int | Literal[Unchanged.UNCHANGED] | None = UNCHANGED

    def apply_to(self, base: GateSettings) -> GateSettings:
        """`base` with the values that this override gives. Raises `ConfigError` when the result makes no sense."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        changes: dict[str, Any] = {name: value for name, value in values if value is not UNCHANGED}
        return replace(base, **changes)


@dataclass(frozen=True, slots=True)
class PolitenessSettings:
    """The rules for all hosts: `defaults`, and `hosts`, overrides by host pattern.

    A pattern is a host name in ASCII with `*` for any run of characters and `?` for one; with a port (`host:8080`)
    it means that port, without one any. Of the patterns that match a host only the most specific applies: a name
    without wildcards before one with them, then the one with more literal characters. Raises `ConfigError` when an
    override makes no sense.
    """

    defaults: GateSettings = field(default_factory=GateSettings)
    hosts: Mapping[str, HostOverride] = field(default_factory=dict)
    # Patterns with their settings, the most specific first.
    _ordered: tuple[tuple[re.Pattern[str], GateSettings], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Compiled and checked here: an error must not wait for the first URL of such a host in the middle of a run.
        by_rank = sorted(self.hosts.items(), key=lambda entry: _specificity(entry[0]), reverse=True)
        ordered = tuple((_compile_pattern(pattern), override.apply_to(self.defaults)) for pattern, override in by_rank)
        # The dataclass is frozen; this field is derived from the others once.
        object.__setattr__(self, "_ordered", ordered)

    def for_host(self, host: str) -> GateSettings:
        """The rules for `host` (lower-case name, with `:port` unless that is the scheme's default)."""
        if self._ordered:
            without_port = _PORT_SUFFIX.sub("", host)
            for pattern, settings in self._ordered:
                if pattern.match(host) or pattern.match(without_port):
                    return settings
        return self.defaults


_PORT_SUFFIX = re.compile(r":[0-9]+\Z")


def _specificity(pattern: str) -> tuple[bool, int, str]:
    wildcards = pattern.count("*") + pattern.count("?")
    return wildcards == 0, len(pattern) - wildcards, pattern


def _compile_pattern(pattern: str) -> re.Pattern[str]:
    # Brackets belong to IPv6 addresses here, not to character classes of fnmatch.
    return re.compile(translate(pattern.lower().replace("[", "[[]")))
