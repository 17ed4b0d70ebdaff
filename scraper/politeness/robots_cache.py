"""What an origin's robots.txt means for us over time: from the response to a verdict, and how long it is valid.

| response to /robots.txt | meaning | valid for |
|---|---|---|
| 2xx | its rules | Cache-Control max-age within 1 h to 24 h; 24 h without one |
| 3xx that is not followed any further | no robots.txt: all allowed | 1 h |
| 401, 403 | the same, or all denied when the settings say so | 1 h |
| other 4xx | no robots.txt: all allowed | 1 h |
| 429, 5xx, no response | unreachable: nothing may be fetched yet | 1 min, 5 min, 15 min, 1 h, ... and Retry-After |

These are RFC 9309 sections 2.3.1 and 2.4. While a robots.txt is unreachable, rules read at most 30 days ago remain
valid. A URL of an unreachable origin is deferred and not dropped: nobody has forbidden it.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, assert_never

import orjson

from scraper.model import Denied, ErrorKind, Failure, Headers, NotModified, Outcome, Response
from scraper.politeness.retry_after import retry_after_of
from scraper.politeness.robots_parser import MAX_ROBOTS_BYTES, RobotsRule, RobotsRules, product_token
from scraper.politeness.rule import format_duration, parse_numbers

__all__ = [
    "HOST_STATE_ROBOTS",
    "MAX_ROBOTS_BYTES",
    "RobotsCache",
    "RobotsEntry",
    "RobotsRule",
    "RobotsRules",
    "RobotsSettings",
    "RobotsVerdict",
    "product_token",
]

# With the origin behind it: name under which the frontier stores a `RobotsEntry` among the state of the origin's host.
HOST_STATE_ROBOTS = "robots "
HOUR_SECONDS, DAY_SECONDS = 3600.0, 86400.0
# How long rules are valid, whatever Cache-Control says; without it the maximum (RFC 9309 section 2.4 says 24 h).
MIN_LIFETIME_SECONDS, MAX_LIFETIME_SECONDS = HOUR_SECONDS, DAY_SECONDS
# How long the absence of a robots.txt is valid.
ERROR_LIFETIME_SECONDS = HOUR_SECONDS
# Older rules are no longer used in place of an unreachable robots.txt.
MAX_STALE_COPY_SECONDS = 30 * DAY_SECONDS
# Until an unreachable robots.txt is fetched again: the first time, the second, ..., and from then on.
UNREACHABLE_RETRY_SECONDS = (60.0, 300.0, 900.0, 3600.0)
# The longest Retry-After that is waited for before a robots.txt is fetched again.
MAX_UNREACHABLE_RETRY_SECONDS = DAY_SECONDS
# The version of a stored entry: an entry of another version is ignored, and robots.txt is fetched again.
ENTRY_VERSION = 1
DEFAULT_CACHE_BYTES = 64 * 1024 * 1024

_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?([0-9]{1,9})\"?\s*(?:,|$)", re.IGNORECASE)
_NO_CACHE = re.compile(r"(?:^|,)\s*no-(?:cache|store)\s*(?:,|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RobotsSettings:
    """How robots.txt is treated: obeyed or ignored, for which user agent, and what 401 and 403 mean."""

    user_agent: str = "scraper"
    policy: Literal["obey", "ignore"] = "obey"
    forbidden: Literal["allow", "deny"] = "allow"

    @property
    def product_token(self) -> str:
        """The product token that User-agent lines are compared with."""
        return product_token(self.user_agent)


class RobotsVerdict(NamedTuple):
    """Whether a URL may be fetched, and what decided, in words.

    `defer` means not yet: robots.txt could not be read and is fetched again when the entry expires. `line_number` is
    that of the deciding line in robots.txt, from 1, when a line decided.
    """

    decision: Literal["allow", "deny", "defer"]
    rule: str
    line_number: int | None = None

    @property
    def allowed(self) -> bool:
        """The URL may be fetched now."""
        return self.decision == "allow"


_NO_RULE_MATCHES = RobotsVerdict("allow", "robots.txt: no rule matches")
# RFC 9309 section 2.2.2: "The /robots.txt URI is implicitly allowed."
_ROBOTS_TXT_ALLOWED = RobotsVerdict("allow", "robots.txt itself may always be fetched")

RobotsKind = Literal["rules", "allow_all", "deny_all", "unreachable"]


@dataclass(frozen=True, slots=True)
class RobotsEntry:
    """What is known of one origin's robots.txt.

    `fetched_at` is when the rules were read (or the response came), `expires_at` when to fetch it again, both in epoch
    seconds. `rules` are there when `kind` is `rules`, and with `allow_all` when robots.txt is ignored but was read for
    its sitemaps. `detail` says how the entry came about. `failures_in_a_row` counts unreachable responses.
    """

    kind: RobotsKind
    fetched_at: float
    expires_at: float
    rules: RobotsRules | None = None
    detail: str = ""
    failures_in_a_row: int = 0

    @classmethod
    def from_outcome(
        cls,
        outcome: Outcome,
        now: float,
        settings: RobotsSettings,
        previous: RobotsEntry | None = None,
        content: bytes | None = None,
    ) -> RobotsEntry:
        """What `outcome`, the last response to a request for /robots.txt and its redirects, means from `now` on.

        `previous` is the entry that this one replaces, expired or not. `content` is the body when it was spooled to
        disk; otherwise it is taken from the outcome. Never raises.
        """
        entry = _entry_from_outcome(outcome, now, settings, previous, content)
        if settings.policy == "ignore" and entry.kind != "allow_all":
            return replace(entry, kind="allow_all", detail="robots.txt is ignored")
        return entry

    @property
    def crawl_delay(self) -> float | None:
        """Seconds between requests that the site asks for, or None."""
        return self.rules.crawl_delay if self.kind == "rules" and self.rules else None

    @property
    def sitemaps(self) -> tuple[str, ...]:
        """The sitemaps it names: URLs as written, absolute or relative to the robots.txt."""
        return self.rules.sitemaps if self.rules else ()

    def check(self, target: str) -> RobotsVerdict:
        """Whether `target` (path and query, as `Url.target`) may be fetched, and which line decided."""
        kind = self.kind
        if kind == "rules":
            assert self.rules is not None
            rule = self.rules.deciding_rule(target)
            if rule is None:
                return _NO_RULE_MATCHES
            if rule.allow:
                return RobotsVerdict("allow", str(rule), rule.line_number)
            if _is_robots_txt(target):
                return _ROBOTS_TXT_ALLOWED
            return RobotsVerdict("deny", str(rule), rule.line_number)
        if _is_robots_txt(target):
            return _ROBOTS_TXT_ALLOWED
        if kind == "allow_all":
            return RobotsVerdict("allow", f"robots.txt: {self.detail}")
        if kind == "deny_all":
            return RobotsVerdict("deny", f"robots.txt: {self.detail}")
        if kind == "unreachable":
            return RobotsVerdict("defer", f"robots_unreachable: {self.detail}")
        assert_never(kind)

    def to_json(self, token: str) -> str:
        """This entry as compact JSON, to be stored with the host; `token` is the one that the rules were read for."""
        rules = self.rules
        stored_rules = rules and [[list(rule) for rule in rules.rules], rules.crawl_delay, rules.sitemaps]
        fields = [
            ENTRY_VERSION,
            token,
            self.kind,
            self.fetched_at,
            self.expires_at,
            self.failures_in_a_row,
            self.detail,
            stored_rules,
        ]
        return orjson.dumps(fields).decode()

    @classmethod
    def from_json(cls, stored: str, token: str) -> RobotsEntry | None:
        """The entry that `to_json` wrote; None for junk, and when it was read for another token."""
        try:
            raw = orjson.loads(stored)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(raw, list) or len(raw) != 8 or raw[:2] != [ENTRY_VERSION, token]:
            return None
        kind, times, detail = raw[2], parse_numbers(raw[3:6], 3), raw[6]
        if (
            kind not in ("rules", "allow_all", "deny_all", "unreachable")
            or times is None
            or not isinstance(detail, str)
        ):
            return None
        rules = _rules_from_json(raw[7])
        if kind == "rules" and rules is None:
            return None
        return cls(kind, times[0], times[1], rules, detail, int(times[2]))


def _is_robots_txt(target: str) -> bool:
    # The first test is cheap and fails for nearly every URL.
    return target.startswith("/robots.txt") and target.partition("?")[0] == "/robots.txt"


def _rules_from_json(raw: object) -> RobotsRules | None:
    if not isinstance(raw, list) or len(raw) != 3:
        return None
    rows, delay, sitemaps = raw
    if not isinstance(rows, list) or not isinstance(sitemaps, list):
        return None
    if not all(isinstance(url, str) for url in sitemaps):
        return None
    if delay is not None and parse_numbers([delay], 1) is None:
        return None
    rules = []
    for row in rows:
        match row:
            case [int(number), bool(allow), str(pattern)] if pattern:
                rules.append(RobotsRule(number, allow, pattern))
            case _:
                # A rule that cannot be read might be the one that forbids: fetch robots.txt again instead.
                return None
    return RobotsRules(rules, delay, sitemaps)


def _entry_from_outcome(
    outcome: Outcome, now: float, settings: RobotsSettings, previous: RobotsEntry | None, content: bytes | None
) -> RobotsEntry:
    error_expiry = now + ERROR_LIFETIME_SECONDS
    # The cases are those of the table at the head of this file, then what is no response.
    if isinstance(outcome, Response):
        status = outcome.status
        if 200 <= status < 300:
            return _entry_from_success(outcome, now, settings, previous, content)
        if 300 <= status < 400:
            detail = f"redirected too often or nowhere ({status})"
            return RobotsEntry("allow_all", now, error_expiry, detail=detail)
        if 400 <= status < 500 and status != 429:
            denied = status in (401, 403) and settings.forbidden == "deny"
            detail = f"{status}, all {'denied' if denied else 'allowed'}"
            return RobotsEntry("deny_all" if denied else "allow_all", now, error_expiry, detail=detail)
        return _unreachable_entry(f"status {status}", outcome, now, previous)
    if isinstance(outcome, NotModified):
        if previous is not None and previous.rules is not None:
            expires_at = now + _lifetime_seconds(outcome.headers)
            return replace(previous, kind="rules", fetched_at=now, expires_at=expires_at, failures_in_a_row=0)
        return _unreachable_entry("304 to an unconditional request", outcome, now, previous)
    if isinstance(outcome, Denied):
        return _unreachable_entry(f"may not be fetched ({outcome.reason}: {outcome.rule})", outcome, now, previous)
    if outcome.error is ErrorKind.REDIRECT:
        detail = f"redirected too often or nowhere: {outcome.detail}"
        return RobotsEntry("allow_all", now, error_expiry, detail=detail)
    return _unreachable_entry(f"{outcome.error}: {outcome.detail}", outcome, now, previous)


def _entry_from_success(
    response: Response, now: float, settings: RobotsSettings, previous: RobotsEntry | None, content: bytes | None
) -> RobotsEntry:
    if content is None:
        content = response.body.data
    if content is None:
        # A body that was spooled to disk and not handed over: its rules are unknown, so nothing may be allowed.
        if response.body.size:
            return _unreachable_entry("its body is not at hand", response, now, previous)
        content = b""
    rules = RobotsRules.parse(content, settings.product_token)
    detail = f"status {response.status}, {len(rules.rules)} rules for us"
    return RobotsEntry("rules", now, now + _lifetime_seconds(response.headers), rules, detail)


def _lifetime_seconds(headers: Headers) -> float:
    """How long rules with these headers are valid, in seconds."""
    control = ",".join(headers.get_all("cache-control"))
    if _NO_CACHE.search(control):
        return MIN_LIFETIME_SECONDS
    found = _MAX_AGE.search(control)
    return min(max(float(found[1]), MIN_LIFETIME_SECONDS), MAX_LIFETIME_SECONDS) if found else MAX_LIFETIME_SECONDS


def _unreachable_entry(detail: str, outcome: Outcome, now: float, previous: RobotsEntry | None) -> RobotsEntry:
    failures = previous.failures_in_a_row + 1 if previous is not None else 1
    wait = UNREACHABLE_RETRY_SECONDS[min(failures, len(UNREACHABLE_RETRY_SECONDS)) - 1]
    if isinstance(outcome, Response | Failure) and (asked := retry_after_of(outcome, now)) is not None:
        wait = max(wait, min(asked, MAX_UNREACHABLE_RETRY_SECONDS))
    if previous is not None and previous.rules is not None and now - previous.fetched_at <= MAX_STALE_COPY_SECONDS:
        age = format_duration(max(0.0, now - previous.fetched_at))
        detail = f"unreachable ({detail}); the copy of {age} ago is used"
        # `fetched_at` stays: the age of the copy counts from when it was read.
        return replace(previous, kind="rules", expires_at=now + wait, detail=detail, failures_in_a_row=failures)
    return RobotsEntry("unreachable", now, now + wait, detail=detail, failures_in_a_row=failures)


class RobotsCache:
    """The robots.txt entries of many origins, least recently used first out.

    At most `max_entries` entries, and at most `max_bytes` of rules: a few hostile files must not fill the memory.
    """

    def __init__(self, max_entries: int, max_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self._max_entries, self._max_bytes = max(1, max_entries), max_bytes
        self._entries: OrderedDict[str, RobotsEntry] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, origin: str, now: float) -> RobotsEntry | None:
        """The entry of `origin` if it is still valid at `now`, else None: fetch robots.txt."""
        entry = self._entries.get(origin)
        if entry is None or now >= entry.expires_at:
            return None
        self._entries.move_to_end(origin)
        return entry

    def peek(self, origin: str) -> RobotsEntry | None:
        """The entry of `origin` whether or not it has expired: `RobotsEntry.from_outcome` needs the previous one."""
        return self._entries.get(origin)

    def put(self, origin: str, entry: RobotsEntry) -> None:
        """Store `entry`, replacing the one of `origin`."""
        self._drop(origin)
        self._entries[origin] = entry
        self._bytes += _entry_bytes(entry)
        # The entry just stored stays, however large it is: it is about to be used.
        while len(self._entries) > 1 and (len(self._entries) > self._max_entries or self._bytes > self._max_bytes):
            self._drop(next(iter(self._entries)))

    def _drop(self, origin: str) -> None:
        entry = self._entries.pop(origin, None)
        if entry is not None:
            self._bytes -= _entry_bytes(entry)


def _entry_bytes(entry: RobotsEntry) -> int:
    return entry.rules.memory_bytes if entry.rules is not None else 0
