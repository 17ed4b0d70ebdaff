"""The five modes of a scope: page, prefix, host, domain, any.

Each mode compares a URL with the seeds. The scheme is ignored, and so is a leading `www.` or `www<number>.` of the
host; the port counts. Every mode takes the same time for one seed and for a hundred thousand.
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

# Hosts whose registrable domain is cached: a look-up in the list takes 6 µs, a hundred times as long.
MAX_CACHED_DOMAINS = 20_000

# `www.` in front of at least two labels: `www.example` alone is a domain whose name is `www`.
_WWW_PREFIX = re.compile(r"www\d*\.(?=[^.:]+\.[^.:])")
_IPV4_ADDRESS = re.compile(r"[\d.]+")


class ModeMatcher(Protocol):
    """Whether a URL is within reach of the seeds. `description` names the mode and the seeds, for the user."""

    description: str

    def __call__(self, url: Url) -> bool:
        """Whether `url` is within reach."""
        ...


def strip_www(host: str) -> str:
    """`host` (with its port) without a leading `www.` or `www<number>.`, unless that leaves a bare top-level domain."""
    if host.startswith("www"):
        match = _WWW_PREFIX.match(host)
        if match is not None:
            return host[match.end() :]
    return host


@lru_cache(maxsize=MAX_CACHED_DOMAINS)
def registrable_domain(host: str) -> str:
    """The registrable domain of `host` by the public suffix list (publicsuffix.org), with the port of `host`.

    Hosts without one are returned as they are: addresses, single labels (`localhost`), names with a final dot, and
    public suffixes themselves.
    """
    if host.startswith("["):  # an IPv6 address
        return host
    name, colon, port = host.partition(":")
    if _IPV4_ADDRESS.fullmatch(name) or "." not in name or name.endswith("."):
        return host
    return f"{_public_suffix_list().privatesuffix(name) or name}{colon}{port}"


@lru_cache(maxsize=1)
def _public_suffix_list() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # the import takes 0.1 s, and only the mode `domain` needs it

    return PublicSuffixList()


class AnyHost:
    """Mode `any`: every URL."""

    description = "any"

    def __call__(self, url: Url) -> bool:
        """Always true."""
        return True


class SamePage:
    """Mode `page`: only the seeds."""

    def __init__(self, seeds: Iterable[Url]) -> None:
        self._keys = frozenset(fingerprint(seed) for seed in seeds)
        self.description = f"page ({len(self._keys)} seed{'' if len(self._keys) == 1 else 's'})"

    def __call__(self, url: Url) -> bool:
        """Whether `url` is a seed."""
        return fingerprint(url) in self._keys


class SamePrefix:
    """Mode `prefix`: URLs at or below the directory of a seed, which is its URL up to the last slash of the path."""

    def __init__(self, seeds: Iterable[Url]) -> None:
        self._directories: frozenset[str] = frozenset(_directory_of(seed) for seed in seeds)
        self._max_slashes = max((folder.count("/") for folder in self._directories), default=0)
        self.description = f"prefix ({_summarize(self._directories)})"

    def __call__(self, url: Url) -> bool:
        """Whether `url` lies in the directory of a seed or below it."""
        # One look-up for each directory above `url`, however many seeds there are.
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
    """Mode `host`: URLs on the hosts of the seeds."""

    def __init__(self, seeds: Iterable[Url]) -> None:
        self._hosts: frozenset[str] = frozenset(strip_www(seed.host) for seed in seeds)
        self.description = f"host ({_summarize(self._hosts)})"

    def __call__(self, url: Url) -> bool:
        """Whether `url` is on the host of a seed."""
        return strip_www(url.host) in self._hosts


class SameDomain:
    """Mode `domain`: URLs on the registrable domains of the seeds and on all their subdomains."""

    def __init__(self, seeds: Iterable[Url]) -> None:
        self._domains: frozenset[str] = frozenset(registrable_domain(seed.host) for seed in seeds)
        self.description = f"domain ({_summarize(self._domains)})"

    def __call__(self, url: Url) -> bool:
        """Whether `url` has the registrable domain of a seed."""
        return registrable_domain(url.host) in self._domains


class ExtraHosts:
    """The hosts of `scope.hosts`: names, or patterns in which `*` stands for any characters (`*.books.example`)."""

    def __init__(self, patterns: Iterable[str]) -> None:
        hosts = [_normalize_host(pattern) for pattern in patterns]
        self._exact = frozenset(strip_www(host) for host in hosts if "*" not in host)
        globs = [".*".join(re.escape(part) for part in host.split("*")) for host in hosts if "*" in host]
        self._pattern = re.compile("|".join(globs)) if globs else None

    def __call__(self, host: str) -> bool:
        """Whether `host` (with its port unless that is the default one) is among them."""
        if strip_www(host) in self._exact:
            return True
        return self._pattern is not None and self._pattern.fullmatch(host) is not None


def _normalize_host(pattern: str) -> str:
    try:
        return parse(f"http://{pattern}").host  # lower case, and Punycode for non-ASCII names
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
