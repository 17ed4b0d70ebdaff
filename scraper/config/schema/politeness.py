"""The section `politeness`: how hosts are treated."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from scraper.config.schema.section import DAY_SECONDS, HOUR_SECONDS, MAX_PAGES, Flag, Rate, Section
from scraper.config.types.checks import HOST_PATTERN_FORMAT, USER_AGENT_FORMAT, canonical_host
from scraper.config.types.units import duration_range
from scraper.config.types.value_format import InvalidValueError, Shorthand, UniqueKeysCheck, float_range, int_range

DEFAULT_USER_AGENT = "scraper/0.1.0"


class HostPaceSection(Section):
    """How fast requests go to one host."""

    rate: Rate = Field(default=2.0, description="Requests to start per time.")
    concurrency: Annotated[int, int_range(1, 10_000)] = Field(default=4, description="Requests at once.")


class HostOverrideSection(Section):
    """What is different for some hosts; a key that is left out has the value of all hosts."""

    omits_unset_keys: ClassVar[bool] = True

    rate: Rate = Field(default=None, description="Requests to start per time.")
    concurrency: Annotated[int, int_range(1, 10_000)] | None = Field(
        default=None, description="Requests at once; null no limit."
    )
    adaptive: Flag | None = Field(
        default=None, description="Whether requests slow down when the host responds more slowly than usual."
    )
    max_pages: Annotated[int, int_range(1, MAX_PAGES)] | None = Field(
        default=None, description="Pages to fetch; null no limit."
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
    """How robots.txt (RFC 9309) is treated. A plain obey or ignore is the policy."""

    policy: Literal["obey", "ignore"] = Field(default="obey", description="Whether robots.txt decides what is fetched.")
    forbidden: Literal["allow", "deny"] = Field(
        default="allow", description="What a 401 or 403 for robots.txt means; RFC 9309 says allow."
    )
    max_crawl_delay: Annotated[float, duration_range(0.1, DAY_SECONDS)] = Field(
        default=30.0, description="The longest Crawl-delay that counts as normal."
    )
    above: Literal["slow", "skip"] = Field(
        default="slow", description="A host with a longer Crawl-delay is crawled that slowly, or skipped."
    )


class BreakerSection(Section):
    """When a host that fails gets no requests for a while (a circuit breaker)."""

    failures: Annotated[int, int_range(1, 1_000)] = Field(
        default=6, description="Failures, without a success, that open the breaker."
    )
    ratio: Annotated[float, float_range(0.01, 1)] = Field(
        default=0.8, description="Share of failures that opens it as well ..."
    )
    window: Annotated[int, int_range(1, 1_000)] = Field(default=20, description="... among this many last requests.")
    open: Annotated[float, duration_range(0.1, DAY_SECONDS)] = Field(
        default=60.0, description="How long the first pause is; each further one is twice as long."
    )
    max_open: Annotated[float, duration_range(0.1, 7 * DAY_SECONDS)] = Field(
        default=HOUR_SECONDS, description="The longest pause."
    )
    refusals: Annotated[int, int_range(1, 10_000)] | None = Field(
        default=10,
        description="Responses with 403, and no success since the start, after which the host rests as well; "
        "null never.",
    )
    give_up: Annotated[int, int_range(1, 1_000)] = Field(
        default=5, description="Pauses without a lasting recovery after which the host is given up for this run ..."
    )
    last_chances: Annotated[int, int_range(0, 1_000_000)] = Field(
        default=100,
        description="... once so many waiting URLs of a host that responds, if only with errors, were asked for, too.",
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
        default="respect", description="Whether links marked nofollow, and links of pages marked so, are not followed."
    )
    user_agent: Annotated[str, USER_AGENT_FORMAT] = Field(
        default=DEFAULT_USER_AGENT,
        description="The User-Agent; robots.txt rules are matched with its first name. Say how to reach you.",
    )
    per_host: HostPaceSection = Field(default_factory=HostPaceSection, description="How fast requests go to each host.")
    adaptive: Flag = Field(
        default=True, description="Whether requests slow down when a host responds more slowly than usual."
    )
    learn_pace: Flag = Field(
        default=True,
        description="Whether the rate and the requests at once that a host allows are learned when it refuses some.",
    )
    breaker: BreakerSection = Field(default_factory=BreakerSection, description="When a failing host gets no requests.")
    max_retry_after: Annotated[float, duration_range(1, 30 * DAY_SECONDS)] = Field(
        default=HOUR_SECONDS,
        description="The longest Retry-After, or Crawl-delay, that keeps a run open. A host that asks for more is "
        "left alone for all of it, and the run ends without it when nothing else is left.",
    )
    hosts: Annotated[
        dict[Annotated[str, HOST_PATTERN_FORMAT], HostOverrideSection], UniqueKeysCheck(canonical_host, "host")
    ] = Field(
        default={},
        description="What is different for some hosts, by name; * matches any characters. The most specific name wins.",
    )
