"""What a config may contain: every key with its type, its default and its meaning.

The reference (docs/config.md), the JSON Schema for editors and the error messages are generated from these models;
there is no other list of keys. Values are ready to use: durations are seconds, sizes bytes, rates requests per second
(None for unlimited), passwords `Secret`. Models are frozen; treat the mappings in them as read-only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from scraper.config.schema.extraction import ConditionEntry, ConditionSection, ExtractRule, FilesSection
from scraper.config.schema.politeness import PolitenessSection
from scraper.config.schema.section import (
    DAY_SECONDS,
    HOUR_SECONDS,
    MAX_PAGES,
    YEAR_SECONDS,
    Flag,
    Regex,
    Section,
    exactly_one_of,
)
from scraper.config.schema.seeds import SeedEntry
from scraper.config.types.checks import (
    AUTH_HOST_FORMAT,
    FOLDER_FORMAT,
    HEADER_NAME_FORMAT,
    HOOK_FORMAT,
    HOST_PATTERN_FORMAT,
    NAME_FORMAT,
    PARAM_PATTERN_FORMAT,
    canonical_host,
)
from scraper.config.types.plugin_use import OrPlugin, plugin_format
from scraper.config.types.secret import (
    BASIC_AUTH_FORMAT,
    BEARER_TOKEN_FORMAT,
    HEADER_VALUE_FORMAT,
    PROXY_FORMAT,
    Secret,
    mask_header,
)
from scraper.config.types.units import duration_range, size_range
from scraper.config.types.value_format import InvalidValueError, Shorthand, UniqueKeysCheck, int_range
from scraper.plugins import PluginUse

# Highest value of a limit on what is read of one page.
MAX_COUNT = 10_000_000


class TrapsSection(Section):
    """Limits that detect endless sites, such as calendars. A URL above a limit is skipped, with the limit as reason."""

    max_length: Annotated[int, int_range(50, 65_536)] | None = Field(default=2_048, description="Characters of a URL.")
    max_segments: Annotated[int, int_range(1, 1_000)] | None = Field(
        default=16, description="Parts of a path, between slashes."
    )
    max_repeats: Annotated[int, int_range(1, 1_000)] | None = Field(
        default=2, description="How often a sequence of parts may repeat itself: /a/b/a/b/ is two."
    )
    max_params: Annotated[int, int_range(1, 1_000)] | None = Field(default=10, description="Parameters of a query.")
    max_unproductive: Annotated[int, int_range(1, 1_000_000)] | None = Field(
        default=100,
        description="How many pages of one pattern (a URL without its dates, numbers and values of parameters) may "
        "bring nothing new in a row, when they lead to one another. Links from such pages to more of the pattern are "
        "then skipped. Numbered pages without links and items have ten times as many. null: no limit.",
    )
    allow: tuple[Regex, ...] = Field(default=(), description="A URL in which one of these is found is never a trap.")


class ScopeSection(Section):
    """Which links are followed. A URL must pass all of it; `scrape why CONFIG URL` names the rule that decides."""

    mode: Literal["page", "prefix", "host", "domain", "any"] = Field(
        default="host",
        description="How far from the seeds: page (only the seeds), prefix (below a seed's folder), host (a seed's "
        "host), domain (its registered domain with all hosts below), any (everywhere).",
    )
    hosts: tuple[Annotated[str, HOST_PATTERN_FORMAT], ...] = Field(
        default=(), description="Further hosts that are in scope."
    )
    allow: tuple[Regex, ...] = Field(
        default=(),
        description="When given, a URL must match one of these (searched anywhere in the URL). Seeds need not.",
    )
    deny: tuple[Regex, ...] = Field(
        default=(), description="URLs that match one of these are skipped; deny wins over allow."
    )
    links: Literal["all", "rules"] = Field(
        default="all",
        description="Whether every link in scope is followed, or only what follow and next of extraction rules name.",
    )
    max_depth: Annotated[int, int_range(0, 10_000)] | None = Field(
        default=None, description="Links from a seed: 0 is only the seeds, null no limit."
    )
    strip_params: tuple[Annotated[str, PARAM_PATTERN_FORMAT], ...] = Field(
        default=(
            "utm_*",
            "gclid",
            "fbclid",
            "msclkid",
            "mc_cid",
            "mc_eid",
            "PHPSESSID",
            "ASPSESSIONID*",
            ";jsessionid",
        ),
        description="Query parameters that do not change the page: URLs that differ only in them are fetched once. * "
        "matches any characters, a name after a semicolon is a parameter of the path. Your list replaces this one.",
    )
    sort_query: Flag = Field(
        default=False, description="Whether URLs that differ only in the order of their parameters are the same."
    )
    traps: TrapsSection = Field(default_factory=TrapsSection, description="Limits against endless sites.")


class LimitsSection(Section):
    """How much a crawl may fetch, and how long it may take."""

    max_pages: Annotated[int, int_range(1, MAX_PAGES)] | None = Field(
        default=None, description="Pages to fetch in all."
    )
    max_pages_per_host: Annotated[int, int_range(1, MAX_PAGES)] | None = Field(
        default=None, description="Pages to fetch from any one host."
    )
    max_time: Annotated[float, duration_range(1, YEAR_SECONDS)] | None = Field(
        default=None, description="Length of one session; the next one continues where it stopped."
    )
    max_bytes: Annotated[int, size_range(1_000, 10 * 10**9)] = Field(
        default=20_000_000,
        description="Size of one page, before and after decompression; larger ones fail as too_large.",
    )
    max_redirects: Annotated[int, int_range(0, 50)] = Field(default=10, description="Redirects followed for one URL.")
    concurrency: Annotated[int, int_range(1, 10_000)] = Field(
        default=64, description="Requests at once, to all hosts together."
    )
    timeout: Annotated[float, duration_range(0.1, HOUR_SECONDS)] = Field(
        default=30.0, description="The longest wait for one step: connecting, or the next bytes."
    )
    deadline: Annotated[float, duration_range(0.1, DAY_SECONDS)] = Field(
        default=120.0, description="The longest a whole request for a page may take."
    )
    retries: Annotated[int, int_range(0, 100)] = Field(
        default=3, description="Further attempts after a failure that may pass."
    )
    max_links: Annotated[int, int_range(1, MAX_COUNT)] = Field(
        default=100_000,
        description="Links read of one page, and files that files.css selects. What lies beyond this limit or one of "
        "the following is counted in the page's record, in a warning and under bounds in the summary.",
    )
    max_items: Annotated[int, int_range(1, MAX_COUNT)] = Field(
        default=100_000, description="Elements that one rule makes items of on one page, and objects inside items."
    )
    max_follow: Annotated[int, int_range(1, MAX_COUNT)] = Field(
        default=100_000, description="Pages that the rules' follow names on one page; next is never left out."
    )
    max_values: Annotated[int, int_range(1, MAX_COUNT)] = Field(
        default=100_000, description="Values of one field with many, and parts that split makes."
    )
    max_table_cells: Annotated[int, int_range(1, 100 * MAX_COUNT)] = Field(
        default=1_000_000, description="Cells of one table; one that spans several counts as several."
    )
    max_objects: Annotated[int, int_range(1, MAX_COUNT)] = Field(
        default=10_000, description="Objects of structured data read of one page, and ten times as many properties."
    )
    max_rule_chars: Annotated[int, int_range(1_000, 100 * MAX_COUNT)] = Field(
        default=10_000_000,
        description="Characters that one rule reads on one page, those of nested elements repeatedly.",
    )
    max_regex_chars: Annotated[int, int_range(1_000, 100 * MAX_COUNT)] = Field(
        default=1_000_000, description="How far into the page's text the regex of a field without css searches."
    )
    max_sitemap_entries: Annotated[int, int_range(1, MAX_COUNT)] = Field(
        default=50_000, description="Entries read of one sitemap; the protocol allows 50,000."
    )
    max_robots_sitemaps: Annotated[int, int_range(1, MAX_COUNT)] = Field(
        default=10_000, description="Sitemaps taken from one robots.txt."
    )


class NetworkSection(Section):
    """How connections are made."""

    allow_private: Flag = Field(
        default=False, description="Whether connections to private networks and to this machine are allowed."
    )
    cookies: Flag = Field(
        default=True,
        description="Whether cookies are stored and sent back to the servers that set them. They are kept in the "
        "run's folder, in a file with mode 0600, so that a resumed run still has its login.",
    )
    proxy: Annotated[Secret, PROXY_FORMAT] | None = Field(
        default=None, description="An HTTP or SOCKS5 proxy for all requests. ${NAME} is read from the environment."
    )
    http2: Flag = Field(default=False, description="Whether HTTP/2 is offered to servers.")
    verify_tls: Flag = Field(default=True, description="Whether certificates are checked. Turn it off only for tests.")
    fetcher: Annotated[PluginUse, plugin_format("fetcher")] | None = Field(
        default=None,
        description="A plug-in that fetches in place of the built-in fetcher: {use: NAME, ...}. The other keys of this "
        "section have no effect on it.",
    )


class CredentialsSection(Section):
    """How to log in to one host: one of the two."""

    model_config = exactly_one_of("basic", "bearer")
    omits_unset_keys: ClassVar[bool] = True

    basic: Annotated[Secret, BASIC_AUTH_FORMAT] | None = Field(
        default=None, description="USER:PASSWORD for HTTP Basic."
    )
    bearer: Annotated[Secret, BEARER_TOKEN_FORMAT] | None = Field(
        default=None, description="A token for Authorization: Bearer."
    )

    @model_validator(mode="after")
    def _check_exactly_one_given(self) -> CredentialsSection:
        if (self.basic is None) == (self.bearer is None):
            raise InvalidValueError("expected one of basic: and bearer:")
        return self


class LoginSection(Section):
    """How a crawl notices that its login has ended.

    It watches where pages end when the config has a login: `auth`, a header Cookie or Authorization, a POST of a seed
    with a password, or `logged_in`. A page that ends at a login form is asked for once more.
    """

    logged_in: ConditionEntry | None = Field(
        default=None, description="What every HTML page has while the login holds, such as a link to log out."
    )
    failures: Annotated[int, int_range(1, 10_000)] = Field(
        default=10, description="Pages in a row that end at one login form, or lack logged_in: the login has ended."
    )
    lost: Literal["stop", "warn", "ignore"] = Field(
        default="stop",
        description="What happens then: the run stops with exit code 1, and those pages are asked for again when it "
        "goes on; or it only warns; or nothing.",
    )

    @field_validator("logged_in")
    @classmethod
    def _check_reads_pages(cls, value: ConditionSection | None) -> ConditionSection | None:
        if value is not None and (value.field is not None or value.json is not None):
            raise InvalidValueError("is about an HTML page: one of css, xpath and regex")
        return value


SinkName = Literal["jsonl", "csv", "sqlite", "parquet", "stdout"]


class OutputSection(Section):
    """Where results go."""

    folder: Annotated[Path, FOLDER_FORMAT] = Field(
        default=Path("out/crawl"),
        description="The run's folder, relative to the current directory. Without it out/ and the crawl's name.",
    )
    sinks: tuple[Annotated[SinkName | PluginUse, OrPlugin("sink")], ...] = Field(
        default=("jsonl",),
        min_length=1,
        description="Formats of the items, one or several: parquet needs scraper[parquet], stdout prints JSON Lines, "
        "{use: NAME, ...} is an installed plug-in with its options. "
        "Page records are always written as JSON Lines.",
    )

    store: Literal["nothing", "pages"] = Field(
        default="nothing",
        description="Whether the bodies of pages are stored, compressed, for scrape extract to apply changed rules to "
        "them without a request.",
    )

    @field_validator("sinks")
    @classmethod
    def _check_sinks_are_distinct(cls, value: tuple[str | PluginUse, ...]) -> tuple[str | PluginUse, ...]:
        names = [name for name in value if isinstance(name, str)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InvalidValueError(f"{twice[0]} is listed twice")
        return value


def _expand_single_to_list(value: Any) -> Any:
    return (value,) if isinstance(value, str | Mapping) else value


class CrawlConfig(Section):
    """A whole crawl."""

    name: Annotated[str, NAME_FORMAT] = Field(
        default="crawl",
        description="The crawl's name, for the screen and the output folder. Without it the file's name.",
    )
    seeds: tuple[SeedEntry, ...] = Field(min_length=1, description="Where to begin.")
    scope: ScopeSection = Field(default_factory=ScopeSection, description="Which links to follow.")
    limits: LimitsSection = Field(default_factory=LimitsSection, description="How much, and how long.")
    politeness: PolitenessSection = Field(default_factory=PolitenessSection, description="How hosts are treated.")
    sitemaps: Literal["auto", "off"] = Field(
        default="auto",
        description="Whether the hosts' sitemaps are read: those that robots.txt names and those at the usual paths.",
    )
    network: NetworkSection = Field(default_factory=NetworkSection, description="How connections are made.")
    headers: Annotated[
        dict[Annotated[str, HEADER_NAME_FORMAT], Annotated[Secret, HEADER_VALUE_FORMAT]],
        UniqueKeysCheck(str.lower, "header"),
    ] = Field(default={}, description="Headers for hosts in scope. ${NAME} is read from the environment.")
    auth: Annotated[
        dict[Annotated[str, AUTH_HOST_FORMAT], CredentialsSection], UniqueKeysCheck(canonical_host, "host")
    ] = Field(
        default={}, description="Credentials by host, sent only to that host. ${NAME} is read from the environment."
    )
    login: LoginSection = Field(default_factory=LoginSection, description="How the end of a login is noticed.")
    extract: tuple[ExtractRule, ...] = Field(default=(), description="What to extract from pages.")
    files: FilesSection = Field(default_factory=FilesSection, description="Files to download along the way.")
    hooks: Annotated[
        tuple[Annotated[str | PluginUse, HOOK_FORMAT], ...],
        Shorthand("a module or module:Class", None, _expand_single_to_list),
    ] = Field(
        default=(),
        description="Python code that may change requests, responses and items: a module or a .py file beside the "
        "config, with :Class when it defines several hooks, or {use: NAME, ...} for an installed plug-in.",
    )
    output: OutputSection = Field(default_factory=OutputSection, description="Where results go.")
    durability: Literal["process", "power"] = Field(
        default="process",
        description="What a committed result survives: a crash of the process, or also a power failure (slower).",
    )

    @model_validator(mode="before")
    @classmethod
    def _derive_folder_from_name(cls, values: Any) -> Any:
        # Before validation, so values of any type may be here: what is wrong is left for the checks that follow.
        if not isinstance(values, dict):
            return values
        name, output = values.get("name"), values.get("output", {})
        if not isinstance(name, str) or not isinstance(output, dict) or "folder" in output:
            return values
        return {**values, "output": {**output, "folder": f"out/{name}"}}

    @model_validator(mode="after")
    def _check_labels_match(self) -> CrawlConfig:
        # A label is given by a follow or a seed and read by rules; one without the other would silently do nothing.
        given = {follow.label for rule in self.extract for follow in rule.follow if follow.label}
        read = {rule.label for rule in self.extract if rule.label}
        begun = {seed.label for seed in self.seeds if seed.label}
        if lost := sorted(given - read):
            raise InvalidValueError(f"no rule has the label {lost[0]!r} that a follow gives", key="extract")
        if lost := sorted(begun - read):
            raise InvalidValueError(f"no rule has the label {lost[0]!r} that a seed gives", key="seeds")
        if idle := sorted(read - given - begun):
            raise InvalidValueError(f"no follow and no seed leads to the label {idle[0]!r}", key="extract")
        if self.scope.links == "rules" and not any(rule.follow or rule.next for rule in self.extract):
            raise InvalidValueError("links: rules follows nothing: no extraction rule has follow or next", key="scope")
        return self

    @field_validator("headers")
    @classmethod
    def _mask_secret_headers(cls, headers: dict[str, Secret]) -> dict[str, Secret]:
        return {name: mask_header(name, value) for name, value in headers.items()}
