"""The section `politeness`: how hosts are treated."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from scraper.config.schema.section import DAY_SECONDS, HOUR_SECONDS, MAX_PAGES, Flag, Rate, Section
from scraper.config.types.checks import HOST_PATTERN_FORMAT, USER_AGENT_FORMAT, canonical_host
from scraper.config.types.units import duration_range
from scraper.config.types.value_format import DistinctKeys, InvalidValueError, Shorthand, float_range, int_range

DEFAULT_USER_AGENT = "scraper/0.1.0"


class HostPaceSection(Section):
    """How fast one host is asked."""

    rate: Rate = Field(default=2.0, description="Requests to start in a time.")
    concurrency: Annotated[int, int_range(1, 10_000)] = Field(default=4, description="Requests at once.")


class HostOverrideSection(Section):
    """What differs for some hosts; a key that is left out keeps the value that all hosts have."""

    omits_unset_keys: ClassVar[bool] = True

    rate: Rate = Field(default=None, description="Requests to start in a time.")
    concurrency: Annotated[int, int_range(1, 10_000)] | None = Field(
        default=None, description="Requests at once; null no limit."
    )
    adaptive: Flag | None = Field(default=None, description="Whether it is asked more slowly when it answers slowly.")
    max_pages: Annotated[int, int_range(1, MAX_PAGES)] | None = Field(
        default=None, description="Pages to ask for; null no limit."
    )

    @model_validator(mode="after")
    def _check_adaptive_not_null(self) -> HostOverrideSection:
        if "adaptive" in self.model_fields_set and self.adaptive is None:
            raise InvalidValueError("expected true or false, got nothing (null)", key="adaptive")
        return self

    def given_keys(self) -> dict[str, Any]:
        """The keys that were given, with their values; None means no limit."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set)}


class RobotsSection(Section):
    """How robots.txt (RFC 9309) is treated. A plain obey or ignore sets the policy alone."""

    policy: Literal["obey", "ignore"] = Field(
        default="obey", description="Whether robots.txt decides what is asked for."
    )
    forbidden: Literal["allow", "deny"] = Field(
        default="allow", description="What a robots.txt that answers 401 or 403 means; RFC 9309 says allow."
    )
    max_crawl_delay: Annotated[float, duration_range(0.1, DAY_SECONDS)] = Field(
        default=30.0, description="The longest Crawl-delay that is taken as normal."
    )
    above: Literal["slow", "skip"] = Field(
        default="slow", description="A host with a longer Crawl-delay is crawled that slowly, or skipped."
    )


class BreakerSection(Section):
    """When a host that only fails is left alone for a while."""

    failures: Annotated[int, int_range(1, 1_000)] = Field(
        default=6, description="Failures in a row that open the breaker."
    )
    ratio: Annotated[float, float_range(0.01, 1)] = Field(
        default=0.8, description="Share of failures that opens it too ..."
    )
    window: Annotated[int, int_range(1, 1_000)] = Field(default=20, description="... over this many last requests.")
    open: Annotated[float, duration_range(0.1, DAY_SECONDS)] = Field(
        default=60.0, description="How long the first pause is; each further one is twice as long."
    )
    max_open: Annotated[float, duration_range(0.1, 7 * DAY_SECONDS)] = Field(
        default=HOUR_SECONDS, description="The longest pause."
    )

    @model_validator(mode="after")
    def _check_pauses_in_order(self) -> BreakerSection:
        if self.open > self.max_open:
            raise InvalidValueError("the first pause is longer than max_open", "raise max_open as well", key="open")
        return self


def _expand_robots(value: Any) -> Any:
    return {"policy": value} if isinstance(value, str) else value


class PolitenessSection(Section):
    """How hosts are treated."""

    robots: Annotated[
        RobotsSection, Shorthand("obey or ignore", {"type": "string", "enum": ["obey", "ignore"]}, _expand_robots)
    ] = Field(default_factory=RobotsSection, description="Whether and how robots.txt is obeyed.")
    nofollow: Literal["respect", "ignore"] = Field(
        default="respect", description="Whether links marked nofollow, and links of pages marked so, are left alone."
    )
    user_agent: Annotated[str, USER_AGENT_FORMAT] = Field(
        default=DEFAULT_USER_AGENT,
        description="Who asks: robots.txt is read for its first name. Say how to reach you.",
    )
    per_host: HostPaceSection = Field(default_factory=HostPaceSection, description="How fast each host is asked.")
    adaptive: Flag = Field(default=True, description="Whether a host that answers slowly is asked more slowly.")
    breaker: BreakerSection = Field(default_factory=BreakerSection, description="When a failing host is left alone.")
    max_retry_after: Annotated[float, duration_range(1, 30 * DAY_SECONDS)] = Field(
        default=HOUR_SECONDS,
        description="The longest Retry-After that is waited for; a host that asks for more is set aside.",
    )
    hosts: Annotated[
        dict[Annotated[str, HOST_PATTERN_FORMAT], HostOverrideSection], DistinctKeys(canonical_host, "host")
    ] = Field(
        default={},
        description="What differs for some hosts, by name; * stands for any characters. The most specific name wins.",
    )
