"""robots.txt by RFC 9309: which rules apply to us, and what the longest of them says about a path.

This is our own parser and not a library's for three reasons. A user who asks why a page was not fetched gets the line
that decided. A decision per page should cost about a microsecond. And a robots.txt is hostile input: no regular
expression is built from it, and nothing here takes more than (length of the file) + (rules x length of path).
tests/politeness/test_robots_oracle.py compares it with protego.

How a path is matched (RFC 9309 section 2.2.2):

1. Patterns and paths are normalized: unreserved characters are not percent-encoded, everything outside printable ASCII
   is, hex digits are upper-case, and a literal `*` or `$` is `%2A` or `%24`.
2. The pattern with the most octets that matches wins, and Allow wins a tie.
3. Patterns without wildcards are in a dict, looked up once for each pattern length that occurs, longest first. The few
   with wildcards are tried in turn, longest first, and only while they are longer than what was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

# How much of a robots.txt is read; RFC 9309 section 2.5 demands at least 500 KiB.
MAX_ROBOTS_BYTES = 512 * 1024
# The rest of a longer line is ignored: Google's parser reads lines of as many bytes, 8 times its longest URL.
MAX_LINE_CHARS = 2083 * 8
# Further sitemap lines are ignored.
MAX_SITEMAPS = 1000
# A rule is shown to the user up to this length.
MAX_SHOWN_RULE_CHARS = 200

# What site owners write and plainly mean; Google's parser accepts the same.
_FIELD_NAMES = {
    "user-agent": "agent",
    "useragent": "agent",
    "user agent": "agent",
    "allow": "allow",
    "disallow": "disallow",
    "dissallow": "disallow",
    "dissalow": "disallow",
    "disalow": "disallow",
    "diasllow": "disallow",
    "disallaw": "disallow",
    "sitemap": "sitemap",
    "sitemaps": "sitemap",
    "site-map": "sitemap",
    "crawl-delay": "delay",
    "crawldelay": "delay",
    "crawl delay": "delay",
}
# The protocol asks for an absolute URL; many sites write a path.
_SITEMAP_URL = re.compile(r"https?:\S+|(?![A-Za-z][A-Za-z0-9+.-]*:)\S+", re.IGNORECASE)
_LINE_END = re.compile("\r\n|\n|\r")
_PRODUCT_TOKEN = re.compile("[A-Za-z_-]+")
_COMPATIBLE = re.compile(r"compatible;\s*([A-Za-z_-]+)", re.IGNORECASE)
_DELAY_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]*)?|\.[0-9]+")
_PERCENT_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
# All but the printable ASCII characters that mean themselves in patterns and paths: not `$`, `*` and `%`.
_NEEDS_NORMALIZING = re.compile("[^!-#&-)+-~]")
_NEEDS_ESCAPING = re.compile("[^!-~]+")
# RFC 3986 section 2.3.
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class RobotsRule(NamedTuple):
    """One rule that applies to us: its line number (from 1), whether it allows, and its pattern as written."""

    line_number: int
    allow: bool
    pattern: str

    def __str__(self) -> str:
        field = "Allow" if self.allow else "Disallow"
        return f"robots.txt line {self.line_number}: {field}: {self.pattern[:MAX_SHOWN_RULE_CHARS]}"


class _WildcardRule(NamedTuple):
    """A rule with wildcards: the path begins with `head`, then come the `middle` pieces in this order, then `tail`."""

    # Octets of the normalized pattern.
    length: int
    rule: RobotsRule
    head: str
    middle: tuple[str, ...]
    # What the path ends with when the pattern is anchored by `$`, else None.
    tail: str | None
    # The anchor is the only wildcard: the path is `head`, no more and no less.
    exact: bool

    def matches(self, path: str) -> bool:
        if self.exact:
            return path == self.head
        if not path.startswith(self.head):
            return False
        position = len(self.head)
        # The leftmost match of each piece is enough: it leaves the most room for what follows, so no backtracking.
        for piece in self.middle:
            position = path.find(piece, position)
            if position < 0:
                return False
            position += len(piece)
        return self.tail is None or (len(path) - len(self.tail) >= position and path.endswith(self.tail))


def product_token(user_agent: str) -> str:
    """The name that robots.txt knows us by, lower-case: `scraper` of `scraper/1.0 (+https://...)`.

    Of a User-Agent that pretends to be a browser (`Mozilla/5.0 (compatible; FooBot/2.0)`) it is the name after
    `compatible;`. Empty when there is none: then only the rules for `*` apply.
    """
    found = _PRODUCT_TOKEN.match(user_agent.strip())
    name = found[0].lower() if found else ""
    if name == "mozilla" and (inner := _COMPATIBLE.search(user_agent)):
        return inner[1].lower()
    return name


class RobotsRules:
    """The rules of one robots.txt for one product token.

    `rules` are those that apply, `crawl_delay` is in seconds (None when there is none), `sitemaps` are URLs as
    written, absolute or relative to the robots.txt.
    Made by `parse`, or from rules that were stored.
    """

    __slots__ = ("_lengths", "_rules_by_pattern", "_wildcard_rules", "crawl_delay", "memory_bytes", "rules", "sitemaps")

    def __init__(
        self, rules: Iterable[RobotsRule], crawl_delay: float | None = None, sitemaps: Iterable[str] = ()
    ) -> None:
        self.rules = tuple(rules)
        self.crawl_delay = crawl_delay
        self.sitemaps = tuple(sitemaps)
        self._rules_by_pattern: dict[str, RobotsRule] = {}
        wildcard_rules: list[_WildcardRule] = []
        for rule in self.rules:
            pattern = _normalize_pattern(rule.pattern)
            if "*" in pattern or pattern.endswith("$"):
                wildcard_rules.append(_split_wildcards(pattern, rule))
                continue
            known = self._rules_by_pattern.get(pattern)
            if known is None or (rule.allow and not known.allow):
                self._rules_by_pattern[pattern] = rule
        self._lengths = sorted({len(pattern) for pattern in self._rules_by_pattern}, reverse=True)
        self._wildcard_rules = sorted(wildcard_rules, key=lambda w: (-w.length, not w.rule.allow))
        # About how much memory this takes: texts are kept as written and normalized, and every rule is several objects.
        text_chars = sum(len(rule.pattern) for rule in self.rules) + sum(map(len, self.sitemaps))
        self.memory_bytes = 500 + 3 * text_chars + 300 * len(self.rules)

    @classmethod
    def parse(cls, content: bytes, token: str) -> RobotsRules:
        """Read a robots.txt as the crawler named `token` (see `product_token`); every line that makes sense counts.

        At most `MAX_ROBOTS_BYTES` are read; a last line that this cuts in two is dropped, because half a rule is
        another rule. Bytes that are not UTF-8 are replaced. Never raises.
        """
        if len(content) > MAX_ROBOTS_BYTES:
            content = content[:MAX_ROBOTS_BYTES]
            content = content[: max(content.rfind(b"\n"), content.rfind(b"\r")) + 1]
        text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
        parser = _Parser(token.lower())
        for number, line in enumerate(_LINE_END.split(text), start=1):
            parser.feed_line(number, line[:MAX_LINE_CHARS])
        return parser.result()

    def deciding_rule(self, target: str) -> RobotsRule | None:
        """The rule that decides about `target` (path and query); None when no rule matches, which allows it."""
        path = _normalize_path(target)
        size = len(path)
        best: RobotsRule | None = None
        length = 0
        rules_by_pattern = self._rules_by_pattern
        for length in self._lengths:
            if length <= size and (best := rules_by_pattern.get(path[:length])) is not None:
                break
        if self._wildcard_rules:
            for wildcard in self._wildcard_rules:
                # Shorter than what was found, or as long where that already allows: none of the rest can win.
                if best is not None and (wildcard.length < length or (wildcard.length == length and best.allow)):
                    break
                if wildcard.matches(path):
                    if best is None or wildcard.length > length or wildcard.rule.allow:
                        best = wildcard.rule
                    break
        return best


class _AgentRules:
    """The rules that were found for one kind of agent: for our own token, or for `*`."""

    __slots__ = ("delay", "named", "rules")

    def __init__(self) -> None:
        self.rules: list[RobotsRule] = []
        self.delay: float | None = None
        # Whether a User-agent line named this kind: our own token without rules still hides those for `*`.
        self.named = False


class _Parser:
    """Reads a robots.txt line by line."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._own_rules, self._rules_for_all = _AgentRules(), _AgentRules()
        # Whom the lines that follow are for: the agents named since the last rule, as far as they matter to us.
        self._current_agents: list[_AgentRules] = []
        self._rules_seen = False
        self._sitemaps: list[str] = []

    def feed_line(self, number: int, line: str) -> None:
        field, value = _split_field(line)
        if field == "agent":
            self._start_agent(value)
        elif field in ("allow", "disallow"):
            # Only these two end the list of agents: other fields must not interfere (RFC 9309 section 2.2.4).
            self._rules_seen = True
            # An empty pattern matches nothing (section 2.2.2), so it is no rule.
            if value:
                for agent in self._current_agents:
                    agent.rules.append(RobotsRule(number, field == "allow", value))
        elif field == "delay" and _DELAY_NUMBER.fullmatch(value):
            for agent in self._current_agents:
                agent.delay = max(agent.delay or 0.0, float(value))
        elif field == "sitemap" and len(self._sitemaps) < MAX_SITEMAPS and _SITEMAP_URL.fullmatch(value):
            self._sitemaps.append(value)

    def _start_agent(self, value: str) -> None:
        if self._rules_seen:
            self._current_agents, self._rules_seen = [], False
        # Agents with the same token are merged (RFC 9309 section 2.2.1), wherever in the file they are.
        if value[:1] == "*" and (len(value) == 1 or value[1].isspace()):
            agent = self._rules_for_all
        else:
            found = _PRODUCT_TOKEN.match(value)
            if found is None or found[0].lower() != self._token:
                return
            agent = self._own_rules
        agent.named = True
        if agent not in self._current_agents:
            self._current_agents.append(agent)

    def result(self) -> RobotsRules:
        agent = self._own_rules if self._own_rules.named else self._rules_for_all
        return RobotsRules(agent.rules, agent.delay, self._sitemaps)


def _split_field(line: str) -> tuple[str, str]:
    """The canonical field name of a line (empty when unknown) and its value."""
    line = line.partition("#")[0].strip()
    field, colon, value = line.partition(":")
    known = _FIELD_NAMES.get(field.strip().lower()) if colon else None
    if known is not None:
        return known, value.strip()
    words = line.split(None, 2)
    # "Disallow /private": the colon was forgotten. With more words it may be any sentence.
    if len(words) == 2:
        return _FIELD_NAMES.get(words[0].lower(), ""), words[1]
    return "", ""


def _split_wildcards(pattern: str, rule: RobotsRule) -> _WildcardRule:
    length = len(pattern)
    anchored = pattern.endswith("$")
    head, *rest = pattern.removesuffix("$").split("*")
    exact = not rest
    tail = rest.pop() if anchored and rest else None
    return _WildcardRule(length, rule, head, tuple(piece for piece in rest if piece), tail, exact)


def _normalize_pattern(pattern: str) -> str:
    # A `$` anywhere but at the end is a literal one (RFC 9309 section 2.2.3).
    anchored = pattern.endswith("$")
    return _normalize_escapes(pattern.removesuffix("$")).replace("$", "%24") + ("$" if anchored else "")


def _normalize_path(target: str) -> str:
    # Nearly all paths are in this form already.
    if not _NEEDS_NORMALIZING.search(target):
        return target
    return _normalize_escapes(target).replace("*", "%2A").replace("$", "%24")


def _normalize_escapes(text: str) -> str:
    if "%" in text:
        text = _PERCENT_ESCAPE.sub(_unescape_unreserved, text)
    return _NEEDS_ESCAPING.sub(_escape, text)


def _unescape_unreserved(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if char in _UNRESERVED else found[0].upper()


def _escape(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", errors="replace"))
