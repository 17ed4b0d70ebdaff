"""How far from its seeds a crawl may go: the five modes of a scope.

The scheme and a leading `www.` or `www<number>.` of a host are ignored, ports count. Each mode takes the same time
for one seed and for a hundred thousand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from can_ada import parse

from scraper.model import Url
from scraper.urls.fingerprint import fingerprint

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

# Hosts whose registrable domain is remembered.
MAX_CACHED_DOMAINS = 20_000

_WWW_PREFIX = re.compile(r"www\d*\.(?=[^.:]+\.[^.:])")
_IPV4_ADDRESS = re.compile(r"[\d.]+")


class ModeMatcher(Protocol):
    """Whether a URL is near enough to the seeds; `text` says what that means, for the user."""

    description: str

    def __call__(self, url: Url) -> bool:
        """Whether `url` is in reach."""
        ...


def strip_www(host: str) -> str:
    """`host` (port included) without a leading `www.` or `www<number>.`, unless nothing but a top level would stay."""
    if host.startswith("www"):
        match = _WWW_PREFIX.match(host)
        if match is not None:
            return host[match.end() :]
    return host


@lru_cache(maxsize=MAX_CACHED_DOMAINS)
def registrable_domain(host: str) -> str:
    """The registrable domain of `host` by the public suffix list, with its port kept.

    Addresses, single labels (`localhost`), names with a closing dot and hosts that are public suffixes themselves
    stand for themselves.
    """
    if host.startswith("["):
        return host
    name, colon, port = host.partition(":")
    if _IPV4_ADDRESS.fullmatch(name) or "." not in name or name.endswith("."):
        return host
    return f"{_public_suffix_list().privatesuffix(name) or name}{colon}{port}"


@lru_cache(maxsize=1)
def _public_suffix_list() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # takes a tenth of a second, and only this mode needs it

    return PublicSuffixList()


class AnyHost:
    """Everything that can be fetched."""

    description = "any"

    def __call__(self, url: Url) -> bool:
        """Always true."""
        return True


class SamePage:
    """The seeds alone."""

    def __init__(self, seeds: Iterable[Url]) -> None:
        self._keys = frozenset(fingerprint(seed) for seed in seeds)
        self.description = f"page ({len(self._keys)} seed{'' if len(self._keys) == 1 else 's'})"

    def __call__(self, url: Url) -> bool:
        """Whether `url` is a seed."""
        return fingerprint(url) in self._keys


class SamePrefix:
    """What lies at or below the directory of a seed: its URL up to the last slash of the path."""

    def __init__(self, seeds: Iterable[Url]) -> None:
        self._directories: frozenset[str] = frozenset(_directory_of(seed) for seed in seeds)
        self._max_slashes = max((folder.count("/") for folder in self._directories), default=0)
        self.description = f"prefix ({_summarize(self._directories)})"

    def __call__(self, url: Url) -> bool:
        """Whether one of the folders that hold `url` is a seed's."""
        address = _host_and_path(url)
        end = -1
        for _ in range(self._max_slashes):
            end = address.find("/", end + 1)
            if end < 0:
                return False
            if address[: end + 1] in self._directories:
                return True
        return False


class SameHost:
    """The hosts of the seeds."""

    def __init__(self, seeds: Iterable[Url]) -> None:
        self._hosts: frozenset[str] = frozenset(strip_www(seed.host) for seed in seeds)
        self.description = f"host ({_summarize(self._hosts)})"

    def __call__(self, url: Url) -> bool:
        """Whether the host of `url` is a seed's."""
        return strip_www(url.host) in self._hosts


class SameDomain:
    """The registrable domains of the seeds, with all their subdomains."""

    def __init__(self, seeds: Iterable[Url]) -> None:
        self._domains: frozenset[str] = frozenset(registrable_domain(seed.host) for seed in seeds)
        self.description = f"domain ({_summarize(self._domains)})"

    def __call__(self, url: Url) -> bool:
        """Whether the registrable domain of `url` is a seed's."""
        return registrable_domain(url.host) in self._domains


class ExtraHosts:
    """Hosts named one by one or by a pattern, where `*` stands for any characters (`*.books.example`)."""

    def __init__(self, patterns: Iterable[str]) -> None:
        readable = [_normalize_host(pattern) for pattern in patterns]
        self._exact = frozenset(strip_www(host) for host in readable if "*" not in host)
        globs = [".*".join(re.escape(part) for part in host.split("*")) for host in readable if "*" in host]
        self._pattern = re.compile("|".join(globs)) if globs else None

    def __call__(self, host: str) -> bool:
        """Whether `host` (with a port that is not the default one) is named."""
        if strip_www(host) in self._exact:
            return True
        return self._pattern is not None and self._pattern.fullmatch(host) is not None


def _normalize_host(pattern: str) -> str:
    try:
        return parse(f"http://{pattern}").host  # brings names to lower case and to punycode
    except (ValueError, TypeError):
        return pattern.lower()


def _host_and_path(url: Url) -> str:
    return strip_www(url.host) + url.target.partition("?")[0]


def _directory_of(seed: Url) -> str:
    address = _host_and_path(seed)
    return address[: address.rfind("/") + 1]


def _summarize(names: frozenset[str]) -> str:
    if not names:
        return "no seeds"
    first = min(names)
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"
