"""Translates a config into the settings of each package: none of them sees the whole config."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scraper.config.schema.crawl import CrawlConfig
from scraper.config.schema.extraction import ConditionSection, FieldRule
from scraper.config.schema.following import FollowSection, NextSection
from scraper.config.schema.posting import JsonPointerParam
from scraper.config.schema.seeds import SeedSection
from scraper.engine.login_check import LoginSettings
from scraper.engine.settings import EngineSettings
from scraper.errors import ConfigError, Problem
from scraper.extract.page_extractor import ExtractSettings, FileSettings
from scraper.extract.rules.conditions import ConditionSettings
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.follow_links import FollowSettings
from scraper.extract.rules.json_pointer import JsonPointer
from scraper.extract.rules.next_page import NextSettings
from scraper.extract.rules.rule import RuleSettings
from scraper.model import SEED_SITEMAP_DEPTH, Content, OutOfScope, Priority, Request, Url
from scraper.politeness.circuit_breaker import BreakerSettings
from scraper.politeness.host_gate import GateSettings
from scraper.politeness.host_overrides import HostOverride, PolitenessSettings
from scraper.politeness.robots_cache import RobotsSettings
from scraper.sinks.parquet import ColumnKind
from scraper.urls.canonicalize import KeyRules, canonicalize
from scraper.urls.post_identity import with_post_key
from scraper.urls.scope import Scope, ScopeSettings
from scraper.urls.traps import TrapSettings

# The rest of a longer line in a seed file is cut off, and what is left fails as no URL.
MAX_SEED_LINE_CHARS = 65_536
# Lines of one seed file.
MAX_SEEDS = 10_000_000


def read_seeds(config: CrawlConfig, keys: KeyRules) -> list[Url]:
    """The seeds as canonical URLs, those of sitemaps too. Raises `ConfigError` naming file and line."""
    return [request.url for request in seed_requests(config, keys)]


def seed_requests(config: CrawlConfig, keys: KeyRules) -> Iterator[Request]:
    """Seeds as they enter the frontier, in the order given; sitemaps are fetched before pages.

    Raises `ConfigError` naming file and line.
    """
    same = Counter[str]()
    for seed in config.seeds:
        if seed.file is not None:
            for url in _read_seed_file(seed.file, keys):
                yield Request(url, label=seed.label)
        elif seed.sitemap is not None:
            yield Request(
                _parse_seed(seed.sitemap, keys, Problem(seed.sitemap, "seeds")),
                depth=SEED_SITEMAP_DEPTH,
                kind="sitemap",
                priority=Priority.SITEMAP,
            )
        else:
            url, content, _ = _posted(seed, keys, same)
            yield Request(with_post_key(url, content), label=seed.label, content=content)


def post_secrets(config: CrawlConfig) -> dict[bytes, bytes]:
    """What the markers in the seeds' contents stand for (`urls.post_secrets`). Raises `ConfigError`."""
    keys, same, found = KeyRules(), Counter[str](), dict[bytes, bytes]()
    for seed in config.seeds:
        if seed.url is not None:
            found |= _posted(seed, keys, same)[2]
    return found


def _posted(seed: SeedSection, keys: KeyRules, same: Counter[str]) -> tuple[Url, Content | None, Mapping[bytes, bytes]]:
    """A seed's URL, what is posted to it and its secrets. `same` counts seeds that differ in nothing but secrets."""
    text = seed.url or ""
    url = _parse_seed(text, keys, Problem(text, "seeds"))
    if seed.content is None:
        return url, None, {}
    look = f"{url.href}\n{seed.content_type}\n{seed.json!r}\n{seed.body!r}"
    same[look] += 1
    return url, *seed.content_and_secrets(f"{url.href}\n{same[look]}")


def _read_seed_file(path: Path, keys: KeyRules) -> Iterator[Url]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                text = line.strip()
                if number > MAX_SEEDS:
                    raise ConfigError([Problem(f"more than {MAX_SEEDS} lines", "seeds", str(path), number)])
                if text and not text.startswith("#"):
                    yield _parse_seed(text[:MAX_SEED_LINE_CHARS], keys, Problem(text[:200], "seeds", str(path), number))
    except OSError as error:
        raise ConfigError([Problem(f"cannot be read: {error.strerror or error}", "seeds", str(path))]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem("is not UTF-8 text", "seeds", str(path))]) from error


def _parse_seed(text: str, keys: KeyRules, at: Problem) -> Url:
    found = canonicalize(text, None, keys)
    if isinstance(found, OutOfScope):
        hint = "a seed is a whole URL such as https://books.example/"
        raise ConfigError([Problem(f"{text!r}: {found.rule}", at.key, at.file, at.line, hint=hint)])
    return found


def scope_for(config: CrawlConfig, seeds: Sequence[Url]) -> Scope:
    """The scope that the config describes for its seeds."""
    scope, traps = config.scope, config.scope.traps
    return Scope(
        ScopeSettings(
            mode=scope.mode,
            hosts=scope.hosts,
            allow=scope.allow,
            deny=scope.deny,
            max_depth=scope.max_depth,
            traps=TrapSettings(
                max_length=traps.max_length,
                max_segments=traps.max_segments,
                max_repeats=traps.max_repeats,
                max_params=traps.max_params,
                max_unproductive=traps.max_unproductive,
                allow=traps.allow,
            ),
        ),
        seeds,
    )


def extract_settings(config: CrawlConfig, scope: Scope, keys: KeyRules) -> ExtractSettings:
    """The settings of the page extractor."""
    return ExtractSettings(
        scope=scope,
        rules=tuple(
            RuleSettings(
                match=rule.match,
                each=rule.each.css if rule.each else None,
                each_json=rule.each.json if rule.each else None,
                each_xpath=rule.each.xpath if rule.each else None,
                when=tuple(_condition(condition) for condition in rule.when),
                unless=tuple(_condition(condition) for condition in rule.unless),
                label=rule.label,
                keep=rule.keep,
                follow=tuple(_follow(follow) for follow in rule.follow),
                next=_next(rule.next) if rule.next is not None else None,
                fields=tuple(_field(name, field) for name, field in rule.fields.items()),
                read_as=rule.read_as,
            )
            for rule in config.extract
        ),
        keys=keys,
        nofollow=config.politeness.nofollow,
        files=FileSettings(config.files.match, config.files.css),
        product=robots_settings(config).product_token,
        follow_links=config.scope.links == "all",
        logged_in=_condition(config.login.logged_in) if config.login.logged_in is not None else None,
    )


def _follow(follow: FollowSection) -> FollowSettings:
    return FollowSettings(
        css=follow.css,
        xpath=follow.xpath,
        json=follow.json,
        regex=follow.regex,
        match=follow.match,
        label=follow.label,
        priority=follow.priority,
        carry=follow.carry,
    )


def _next(way: NextSection) -> NextSettings:
    # Pages are counted from 1 and offsets from 0, unless the config says otherwise.
    default_first = 0 if way.offset else 1
    return NextSettings(
        css=way.css,
        xpath=way.xpath,
        json=way.json,
        rel=way.rel,
        page=_request_param(way.page),
        offset=_request_param(way.offset),
        first=way.first if way.first is not None else default_first,
        step=way.step or 1,
        last=way.last,
        stop_on_repeat=way.stop_on_repeat,
        cursor=way.cursor,
        param=_request_param(way.param),
    )


def _request_param(param: str | JsonPointerParam | None) -> str | JsonPointer | None:
    return JsonPointer(param.pointer) if isinstance(param, JsonPointerParam) else param


def _condition(condition: ConditionSection) -> ConditionSettings:
    return ConditionSettings(
        css=condition.css,
        xpath=condition.xpath,
        json=condition.json,
        regex=condition.regex,
        field=condition.field,
        equals=condition.equals,
        matches=condition.matches,
    )


def _field(name: str, rule: FieldRule) -> FieldSettings:
    # With `each` the field's own selector is that of its elements, and it is a list of them.
    each = rule.each
    return FieldSettings(
        name=name,
        css=each.css if each else rule.css,
        links=rule.links,
        attr=rule.attr,
        type=rule.type or ("any" if rule.reads_json_values else "text"),
        regex=rule.regex,
        many=rule.many or each is not None,
        required=rule.required,
        default=rule.default,
        xpath=each.xpath if each else rule.xpath,
        json=each.json if each else rule.json,
        structured=rule.structured,
        main_text=rule.main_text,
        table=rule.table,
        several_numbers=rule.several_numbers,
        plain_text=rule.plain_text,
        transform=tuple((step.name, step.argument) for step in rule.transform),
        fields=tuple(_field(inner, field) for inner, field in rule.fields.items()),
    )


def column_kinds(config: CrawlConfig) -> dict[str, ColumnKind]:
    """The type of each field's column; a field that rules read differently is JSON."""
    kinds: dict[str, ColumnKind] = {}
    for rule in config.extract:
        for name, field in rule.fields.items():
            kind = _column_kind(field)
            kinds[name] = kind if kinds.get(name, kind) == kind else "json"
    return kinds


def _column_kind(field: FieldRule) -> ColumnKind:
    # Values whose shape may differ from item to item have no column type of their own.
    changes_shape = any(step.name in ("split", "join") for step in field.transform)
    if field.fields or changes_shape or field.table or (field.reads_json_values and field.type is None):
        return "json"
    if field.links:
        return "texts"
    match field.type:
        case "int":
            return "ints" if field.many else "int"
        case "float":
            return "floats" if field.many else "float"
        case "bool":
            return "bools" if field.many else "bool"
        case _:
            return "texts" if field.many else "text"


def engine_settings(config: CrawlConfig) -> EngineSettings:
    """The settings of the engine."""
    limits = config.limits
    return EngineSettings(
        name=config.name,
        concurrency=limits.concurrency,
        max_pages=limits.max_pages,
        max_time=limits.max_time,
        max_redirects=limits.max_redirects,
        sitemaps=config.sitemaps == "auto" and config.scope.mode != "page",
        login=LoginSettings(_expects_login(config), config.login.failures, config.login.lost),
    )


def _expects_login(config: CrawlConfig) -> bool:
    """Whether the config logs in to something, so that a login form is not what was asked for."""
    return (
        config.login.logged_in is not None
        or bool(config.auth)
        or any(name.lower() in ("cookie", "authorization") for name in config.headers)
        or (config.network.cookies and bool(post_secrets(config)))
    )


def robots_settings(config: CrawlConfig) -> RobotsSettings:
    """How robots.txt is treated."""
    robots = config.politeness.robots
    return RobotsSettings(config.politeness.user_agent, robots.policy, robots.forbidden)


def politeness_settings(config: CrawlConfig) -> PolitenessSettings:
    """The rules for hosts: defaults and overrides."""
    polite, breaker, robots = config.politeness, config.politeness.breaker, config.politeness.robots
    defaults = GateSettings(
        rate=polite.per_host.rate,
        concurrency=polite.per_host.concurrency,
        adaptive=polite.adaptive,
        breaker=BreakerSettings(
            failures=breaker.failures,
            ratio=breaker.ratio,
            window=breaker.window,
            open=breaker.open,
            max_open=breaker.max_open,
            refusals=breaker.refusals,
            give_up=breaker.give_up,
            last_chances=breaker.last_chances,
        ),
        max_retry_after=polite.max_retry_after,
        max_crawl_delay=robots.max_crawl_delay,
        long_crawl_delay=robots.above,
        max_pages=config.limits.max_pages_per_host,
    )
    overrides = {pattern: HostOverride(**override.given_keys()) for pattern, override in polite.hosts.items()}
    return PolitenessSettings(defaults, overrides)
