"""Which URLs a crawl fetches.

The rules are checked in this order; the first one that rejects a URL decides:

1. `scope.mode`: the URL is within reach of a seed, or its host is among `scope.hosts`;
2. `traps.*`: its shape is not that of a crawler trap (this also limits the length of what 3 and 4 search);
3. `scope.deny`: none of these expressions is found in it (url_regex.py says in which form of it);
4. `scope.allow`: if there are any, one of these expressions is found in it;
5. `scope.max_depth`: it is not too many links away from a seed.

Seeds are exempt from 2 and 4, because the user named them. The URLs of a sitemap that is a seed are seeds as well:
4 and 5 do not hold for them, and of 1 only the host, for a sitemap may name any. Each rejection names the rule that
decided.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, NamedTuple

from scraper.errors import ConfigError, Problem
from scraper.model import OutOfScope, Url
from scraper.urls.fingerprint import fingerprint
from scraper.urls.scope_modes import AnyHost, ExtraHosts, ModeMatcher, SameDomain, SameHost, SamePage, SamePrefix
from scraper.urls.traps import TrapSettings, find_trap
from scraper.urls.url_regex import UrlRegex

_NOT_CACHED = OutOfScope("", "")

ScopeMode = Literal["page", "prefix", "host", "domain", "any"]

# URLs whose verdict is cached: a site's menu and footer bring the same links on every page.
MAX_CACHED_VERDICTS = 20_000
# Longest URL whose verdict is cached, in characters.
MAX_CACHED_URL_CHARS = 512
# Seeds that are exempt from rules 2 and 4 (8 bytes each); further ones are checked like any URL.
MAX_EXEMPT_SEEDS = 1_000_000


@dataclass(frozen=True, slots=True)
class ScopeSettings:
    """What is in scope.

    `mode`: only the seeds (`page`), URLs at or below their directories (`prefix`), their hosts (`host`), their
    registrable domains (`domain`), or `any`. `hosts`: further hosts, with `*` for any characters. `allow`, `deny`:
    regular expressions, searched for in the URL (`UrlRegex`). `max_depth`: links from a seed, None for no limit.
    """

    mode: ScopeMode = "host"
    hosts: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    max_depth: int | None = None
    traps: TrapSettings = field(default_factory=TrapSettings)


class RuleVerdict(NamedTuple):
    """What one rule says of a URL. `verdict` is `passes`, `rejects`, or `spares` (it would reject, but not a seed)."""

    rule: str
    verdict: str


class _ScopeRule(NamedTuple):
    """One of the rules 1 to 4.

    `rejection_of` returns None for a URL that passes, else the rule with its value for the user (`scope.deny: 'x'`).
    `name` is shown for URLs that pass, `reason` is that of the `OutOfScope`.
    """

    name: str
    reason: str
    exempts_seeds: bool
    rejection_of: Callable[[Url], str | None]


class Scope:
    """Decides which URLs a crawl fetches. The modes measure from the `seeds`.

    Raises `ConfigError` if an expression cannot be compiled or the mode is unknown. Can be pickled.
    """

    def __init__(self, settings: ScopeSettings, seeds: Sequence[Url]) -> None:
        self.settings = settings
        in_reach = _mode_matcher(settings.mode, seeds)
        patterns, problems = {}, []
        for key, texts in (("allow", settings.allow), ("deny", settings.deny), ("traps", settings.traps.allow)):
            patterns[key], found = _compile_patterns(texts, f"scope.{key}" if key != "traps" else "traps.allow")
            problems += found
        if problems:
            raise ConfigError(problems)
        self._rules = (
            _ScopeRule(
                f"scope.mode: {in_reach.description}", "scope", False, _ModeRule(in_reach, ExtraHosts(settings.hosts))
            ),
            _ScopeRule("traps", "trap", True, _TrapRule(settings.traps, patterns["traps"])),
            _ScopeRule("scope.deny", "scope", False, _DenyRule(patterns["deny"])),
            _ScopeRule("scope.allow", "scope", True, _AllowRule(patterns["allow"])),
        )
        # `explain` shows all rules, `check` skips those without expressions.
        unset = {"scope.deny": not settings.deny, "scope.allow": not settings.allow}
        self._enabled_rules = tuple(rule for rule in self._rules if not unset.get(rule.name))
        self._listed_rules = (_listed_mode_rule(settings, in_reach, seeds), *self._rules[1:3])
        self._seeds = frozenset(fingerprint(seed) for seed in islice(seeds, MAX_EXEMPT_SEEDS))
        self._depth_exceeded = OutOfScope("depth", f"scope.max_depth: {settings.max_depth}")
        self._verdict_cache: dict[str, OutOfScope | None] = {}

    def check(self, url: Url, depth: int) -> OutOfScope | None:
        """None if `url`, found `depth` links away from a seed, is in scope; else why it is not.

        The reason is `scope`, `trap` or `depth`.
        """
        # The depth is no part of the cached verdict: the same URL may be found at several depths.
        cache = self._verdict_cache
        verdict = cache.get(url.href, _NOT_CACHED)
        if verdict is _NOT_CACHED:
            verdict = self._first_rejection(url)
            if len(url.href) <= MAX_CACHED_URL_CHARS:
                if len(cache) >= MAX_CACHED_VERDICTS:  # rare, and the links of every page are back at once
                    cache.clear()
                cache[url.href] = verdict
        if verdict is None and (limit := self.settings.max_depth) is not None and depth > limit:
            return self._depth_exceeded
        return verdict

    def check_listed(self, url: Url) -> OutOfScope | None:
        """None if `url`, which a sitemap among the seeds lists, is in scope as a seed; else why it is not."""
        for rule in self._listed_rules:
            rejection = rule.rejection_of(url)
            if rejection is not None:
                return OutOfScope(rule.reason, rejection)
        return None

    def explain(self, url: Url, depth: int) -> tuple[RuleVerdict, ...]:
        """What every rule says, in order. The first one that `rejects` decides."""
        verdicts = []
        for rule in self._rules:
            rejection = rule.rejection_of(url)
            exempt = rejection is not None and rule.exempts_seeds and self._is_seed(url)
            verdict = "passes" if rejection is None else "spares" if exempt else "rejects"
            verdicts.append(RuleVerdict(rejection or rule.name, verdict))
        limit = self.settings.max_depth
        too_deep = limit is not None and depth > limit
        verdicts.append(
            RuleVerdict(f"scope.max_depth: {'none' if limit is None else limit}", "rejects" if too_deep else "passes")
        )
        return tuple(verdicts)

    def __getstate__(self) -> dict[str, object]:
        # A pickle goes to each process of the extraction pool, and a full cache would be megabytes.
        return {**self.__dict__, "_verdict_cache": {}}

    def _first_rejection(self, url: Url) -> OutOfScope | None:
        for rule in self._enabled_rules:
            rejection = rule.rejection_of(url)
            if rejection is not None and not (rule.exempts_seeds and self._is_seed(url)):
                return OutOfScope(rule.reason, rejection)
        return None

    def _is_seed(self, url: Url) -> bool:
        return fingerprint(url) in self._seeds


# The rules are classes with `__call__` and not closures, because a scope must be picklable.


class _ModeRule:
    def __init__(self, in_reach: ModeMatcher, extra_hosts: ExtraHosts) -> None:
        self._in_reach, self._extra_hosts = in_reach, extra_hosts
        self._rejection = f"scope.mode: {in_reach.description}"

    def __call__(self, url: Url) -> str | None:
        return None if self._in_reach(url) or self._extra_hosts(url.host) else self._rejection


class _TrapRule:
    def __init__(self, settings: TrapSettings, allow: list[UrlRegex]) -> None:
        self._settings, self._allow = settings, allow

    def __call__(self, url: Url) -> str | None:
        limit = find_trap(url.href, self._settings)
        if limit is not None and any(pattern.search(url.href) for pattern in self._allow):
            return None
        return limit


class _DenyRule:
    def __init__(self, patterns: list[UrlRegex]) -> None:
        self._patterns = patterns

    def __call__(self, url: Url) -> str | None:
        for pattern in self._patterns:
            if pattern.search(url.href):
                return f"scope.deny: '{pattern.pattern}'"
        return None


class _AllowRule:
    def __init__(self, patterns: list[UrlRegex]) -> None:
        self._patterns = patterns
        self._rejection = "scope.allow: " + ", ".join(f"'{pattern.pattern}'" for pattern in patterns)

    def __call__(self, url: Url) -> str | None:
        if not self._patterns:
            return None
        for pattern in self._patterns:
            if pattern.search(url.href):
                return None
        return self._rejection


def _listed_mode_rule(settings: ScopeSettings, in_reach: ModeMatcher, seeds: Sequence[Url]) -> _ScopeRule:
    """Rule 1 for what a sitemap among the seeds lists: `page` and `prefix` are measured from it, so its host counts."""
    mode: ModeMatcher = SameHost(seeds) if settings.mode in ("page", "prefix") else in_reach
    rule = _ModeRule(mode, ExtraHosts(settings.hosts))
    return _ScopeRule(f"scope.mode: {mode.description}", "scope", False, rule)


def _mode_matcher(mode: ScopeMode, seeds: Sequence[Url]) -> ModeMatcher:
    match mode:
        case "page":
            return SamePage(seeds)
        case "prefix":
            return SamePrefix(seeds)
        case "host":
            return SameHost(seeds)
        case "domain":
            return SameDomain(seeds)
        case "any":
            return AnyHost()
        case _:
            raise ConfigError([Problem(f"unknown mode {mode!r}", "scope.mode", hint="page, prefix, host, domain, any")])


def _compile_patterns(texts: Iterable[str], key: str) -> tuple[list[UrlRegex], list[Problem]]:
    patterns, problems = [], []
    for text in texts:
        try:
            patterns.append(UrlRegex(text))
        except (re.error, RecursionError, OverflowError) as error:
            problems.append(Problem(f"not a regular expression: '{text}': {error}", key))
    return patterns, problems
