"""Which URLs a crawl asks for.

The rules are asked in this order, and the first one that rejects decides:

1. `scope.mode`: the URL is near enough to a seed, or its host is among `scope.hosts`;
2. `traps.*`: its shape is not one that sites make without end (this also bounds what the expressions below read);
3. `scope.deny`: none of these expressions is found in it;
4. `scope.allow`: when there are any, one of these expressions is found in it;
5. `scope.max_depth`: it is not too many links away from a seed.

Seeds are exempt from 2 and 4: they were asked for by name. Each refusal names the rule that decided.
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

_NOT_CACHED = OutOfScope("", "")

ScopeMode = Literal["page", "prefix", "host", "domain", "any"]

# URLs whose verdict is remembered: the links that stand on every page of a site.
MAX_CACHED_VERDICTS = 20_000
# Longest URL whose verdict is remembered.
MAX_CACHED_URL_CHARS = 512
# Seeds that are recognised as such (8 bytes of identity each); further ones are judged like any URL.
MAX_EXEMPT_SEEDS = 1_000_000


@dataclass(frozen=True, slots=True)
class ScopeSettings:
    """What is in scope.

    `mode`: the seeds alone (`page`), what lies below their directory (`prefix`), their `host`, their registrable
    `domain`, or `any`. `hosts` are further hosts, with `*` for any characters. `allow` and `deny` are regular
    expressions, searched for in the URL as it is fetched. `max_depth` counts links from a seed, None is no limit.
    """

    mode: ScopeMode = "host"
    hosts: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    max_depth: int | None = None
    traps: TrapSettings = field(default_factory=TrapSettings)


class RuleVerdict(NamedTuple):
    """One line of an explanation: a rule, and whether it `passes`, `rejection_of` or `spares` (a seed) the URL."""

    rule: str
    verdict: str


class _ScopeRule(NamedTuple):
    """`rejection_of` returns what to write as the deciding rule, or None. `name` is written when it does not reject."""

    name: str
    reason: str
    exempts_seeds: bool
    rejection_of: Callable[[Url], str | None]


class Scope:
    """Judges URLs. `seeds` set the centre of the modes.

    Raises `ConfigError` when an expression cannot be compiled or the mode is unknown. Can be pickled.
    """

    def __init__(self, settings: ScopeSettings, seeds: Sequence[Url]) -> None:
        self.settings = settings
        reach = _mode_matcher(settings.mode, seeds)
        patterns, problems = {}, []
        for key, texts in (("allow", settings.allow), ("deny", settings.deny), ("traps", settings.traps.allow)):
            patterns[key], found = _compile_patterns(texts, f"scope.{key}" if key != "traps" else "traps.allow")
            problems += found
        if problems:
            raise ConfigError(problems)
        self._rules = (
            _ScopeRule(
                f"scope.mode: {reach.description}", "scope", False, _ModeRule(reach, ExtraHosts(settings.hosts))
            ),
            _ScopeRule("traps", "trap", True, _TrapRule(settings.traps, patterns["traps"])),
            _ScopeRule("scope.deny", "scope", False, _DenyRule(patterns["deny"])),
            _ScopeRule("scope.allow", "scope", True, _AllowRule(patterns["allow"])),
        )
        idle = {"scope.deny": not settings.deny, "scope.allow": not settings.allow}
        self._enabled_rules = tuple(rule for rule in self._rules if not idle.get(rule.name))
        self._seeds = frozenset(fingerprint(seed) for seed in islice(seeds, MAX_EXEMPT_SEEDS))
        self._depth_exceeded = OutOfScope("depth", f"scope.max_depth: {settings.max_depth}")
        self._verdict_cache: dict[str, OutOfScope | None] = {}

    def check(self, url: Url, depth: int) -> OutOfScope | None:
        """None when `url`, found `depth` links away from a seed, is in scope; otherwise why not.

        The reason is `scope`, `trap` or `depth`.
        """
        cache = self._verdict_cache
        verdict = cache.get(url.href, _NOT_CACHED)
        if verdict is _NOT_CACHED:
            verdict = self._first_rejection(url)
            if len(url.href) <= MAX_CACHED_URL_CHARS:
                if len(cache) >= MAX_CACHED_VERDICTS:
                    cache.clear()
                cache[url.href] = verdict
        if verdict is None and (limit := self.settings.max_depth) is not None and depth > limit:
            return self._depth_exceeded
        return verdict

    def explain(self, url: Url, depth: int) -> tuple[RuleVerdict, ...]:
        """What every rule says, in order; the first one that `rejection_of` is the one that decides."""
        steps = []
        for rule in self._rules:
            named = rule.rejection_of(url)
            spared = named is not None and rule.exempts_seeds and self._is_seed(url)
            verdict = "passes" if named is None else "spares" if spared else "rejects"
            steps.append(RuleVerdict(named or rule.name, verdict))
        limit = self.settings.max_depth
        deep = limit is not None and depth > limit
        steps.append(
            RuleVerdict(f"scope.max_depth: {'none' if limit is None else limit}", "rejects" if deep else "passes")
        )
        return tuple(steps)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_verdict_cache": {}}

    def _first_rejection(self, url: Url) -> OutOfScope | None:
        for rule in self._enabled_rules:
            named = rule.rejection_of(url)
            if named is not None and not (rule.exempts_seeds and self._is_seed(url)):
                return OutOfScope(rule.reason, named)
        return None

    def _is_seed(self, url: Url) -> bool:
        return fingerprint(url) in self._seeds


class _ModeRule:
    def __init__(self, reach: ModeMatcher, more: ExtraHosts) -> None:
        self._mode_matcher, self._more = reach, more

    def __call__(self, url: Url) -> str | None:
        return (
            None if self._mode_matcher(url) or self._more(url.host) else f"scope.mode: {self._mode_matcher.description}"
        )


class _TrapRule:
    def __init__(self, settings: TrapSettings, allow: list[re.Pattern[str]]) -> None:
        self._settings, self._allow = settings, allow

    def __call__(self, url: Url) -> str | None:
        named = find_trap(url.href, self._settings)
        if named is not None and any(pattern.search(url.href) for pattern in self._allow):
            return None
        return named


class _DenyRule:
    def __init__(self, patterns: list[re.Pattern[str]]) -> None:
        self._patterns = patterns

    def __call__(self, url: Url) -> str | None:
        for pattern in self._patterns:
            if pattern.search(url.href):
                return f"scope.deny: '{pattern.pattern}'"
        return None


class _AllowRule:
    def __init__(self, patterns: list[re.Pattern[str]]) -> None:
        self._patterns = patterns
        self._text = "scope.allow: " + ", ".join(f"'{pattern.pattern}'" for pattern in patterns)

    def __call__(self, url: Url) -> str | None:
        if not self._patterns:
            return None
        for pattern in self._patterns:
            if pattern.search(url.href):
                return None
        return self._text


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


def _compile_patterns(texts: Iterable[str], key: str) -> tuple[list[re.Pattern[str]], list[Problem]]:
    patterns, problems = [], []
    for text in texts:
        try:
            patterns.append(re.compile(text))
        except (re.error, RecursionError, OverflowError) as error:
            problems.append(Problem(f"not a regular expression: '{text}': {error}", key))
    return patterns, problems
