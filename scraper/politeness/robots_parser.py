"""robots.txt by RFC 9309: which lines speak to us, and what the longest of them says about a path.

This is our own matcher and not a library's for three reasons. A user who asks why a page was not fetched gets the
line that decided. One decision per page should cost about a microsecond. And a robots.txt is hostile input: no
regular expression is made from it, and nothing here takes more than (length of the file) + (rules x length of path).

How a path is matched. Patterns and paths are brought to one form: unreserved characters are not percent-encoded,
everything outside printable ASCII is, hex digits are upper-case, and a literal `*` or `$` is `%2A` or `%24`. Then
the pattern with the most octets that matches wins, and Allow wins a tie. Patterns without wildcards are a dict asked
once for each length that occurs, longest first; the few with wildcards are tried in turn, longest first, and only while
they are longer than what was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

MAX_ROBOTS_BYTES = 512 * 1024
"""How much of a robots.txt is read; the standard asks for at least 500 KiB."""
MAX_LINE_CHARS = 2083 * 8
"""Characters of a line that count."""
MAX_SITEMAPS = 1000
"""Sitemap lines that are kept."""
MAX_SHOWN_RULE_CHARS = 200
"""Characters of a rule that are shown to the user."""

# What site owners write and plainly mean; the same leniency as Google's parser shows.
_FIELDS = {
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
_LINE_END = re.compile("\r\n|\n|\r")
_TOKEN = re.compile("[A-Za-z_-]+")
_COMPATIBLE = re.compile(r"compatible;\s*([A-Za-z_-]+)", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]*)?|\.[0-9]+")
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
# Anything but the printable ASCII that stands for itself in both patterns and paths.
_SPECIAL = re.compile("[^!-#&-)+-~]")
_UNPRINTABLE = re.compile("[^!-~]+")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class RobotsRule(NamedTuple):
    """One rule that speaks to us: its line number (from 1), whether it allows, and its pattern as written."""

    line_number: int
    allow: bool
    pattern: str

    def __str__(self) -> str:
        return f"robots.txt line {self.line_number}: {'Allow' if self.allow else 'Disallow'}: {self.pattern[:MAX_SHOWN_RULE_CHARS]}"


class _Wild(NamedTuple):
    """A pattern with wildcards: what it begins with, and what must follow in this order."""

    length: int
    line: RobotsRule
    head: str
    middle: tuple[str, ...]
    tail: str | None
    """What the path ends with when the pattern is anchored by `$`, else None."""
    exact: bool
    """There is no wildcard but the anchor: the path is `head`, no more and no less."""

    def matches(self, path: str) -> bool:
        if self.exact:
            return path == self.head
        if not path.startswith(self.head):
            return False
        place = len(self.head)
        # Leftmost is enough: it leaves the most room for what follows.
        for piece in self.middle:
            place = path.find(piece, place)
            if place < 0:
                return False
            place += len(piece)
        return self.tail is None or (len(path) - len(self.tail) >= place and path.endswith(self.tail))


def product_token(user_agent: str) -> str:
    """The name robots.txt knows us by, lower-case: `scraper` of `scraper/1.0 (+https://...)`.

    Of a browser's disguise (`Mozilla/5.0 (compatible; FooBot/2.0)`) it is the name after `compatible;`. Empty when
    there is none: then only groups for `*` apply.
    """
    found = _TOKEN.match(user_agent.strip())
    name = found[0].lower() if found else ""
    if name == "mozilla" and (inner := _COMPATIBLE.search(user_agent)):
        return inner[1].lower()
    return name


class RobotsRules:
    """The rules of one robots.txt for one product token.

    `lines` are the rules that apply, `crawl_delay` is in seconds (None when not asked for), `sitemaps` are absolute
    URLs. Made by `parse`, or from lines that were kept.
    """

    __slots__ = ("_lengths", "_plain", "_wild", "crawl_delay", "memory_bytes", "rules", "sitemaps")

    def __init__(
        self, lines: Iterable[RobotsRule], crawl_delay: float | None = None, sitemaps: Iterable[str] = ()
    ) -> None:
        self.rules = tuple(lines)
        self.crawl_delay = crawl_delay
        self.sitemaps = tuple(sitemaps)
        self._plain: dict[str, RobotsRule] = {}
        wild: list[_Wild] = []
        for line in self.rules:
            pattern = _normal_pattern(line.pattern)
            if "*" in pattern or pattern.endswith("$"):
                wild.append(_wild(pattern, line))
                continue
            known = self._plain.get(pattern)
            if known is None or (line.allow and not known.allow):
                self._plain[pattern] = line
        self._lengths = sorted({len(pattern) for pattern in self._plain}, reverse=True)
        self._wild = sorted(wild, key=lambda w: (-w.length, not w.line.allow))
        texts = sum(len(line.pattern) for line in self.rules) + sum(map(len, self.sitemaps))
        self.memory_bytes = 500 + 3 * texts + 300 * len(self.rules)
        """About how many bytes of memory this takes."""

    @classmethod
    def parse(cls, content: bytes, token: str) -> RobotsRules:
        """Read a robots.txt as the crawler named `token` (see `product_token`); every line that makes sense counts.

        At most `MAX_BYTES` are read, without a last line cut in two; bytes that are not UTF-8 are replaced.
        """
        if len(content) > MAX_ROBOTS_BYTES:
            content = content[:MAX_ROBOTS_BYTES]
            content = content[: max(content.rfind(b"\n"), content.rfind(b"\r")) + 1]
        text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
        reading = _Reading(token.lower())
        for number, line in enumerate(_LINE_END.split(text), start=1):
            reading.take(number, line[:MAX_LINE_CHARS])
        return reading.result()

    def deciding_rule(self, target: str) -> RobotsRule | None:
        """The line that decides about `target` (path and query); None when no line matches, which allows it."""
        path = _normal_path(target)
        size = len(path)
        best: RobotsRule | None = None
        length = 0
        plain = self._plain
        for length in self._lengths:
            if length <= size and (best := plain.get(path[:length])) is not None:
                break
        if self._wild:
            for wild in self._wild:
                if best is not None and (wild.length < length or (wild.length == length and best.allow)):
                    break
                if wild.matches(path):
                    if best is None or wild.length > length or wild.line.allow:
                        best = wild.line
                    break
        return best


class _Group:
    """The lines that were found for one kind of agent: our own token, or everyone."""

    __slots__ = ("delay", "lines", "named")

    def __init__(self) -> None:
        self.lines: list[RobotsRule] = []
        self.delay: float | None = None
        self.named = False


class _Reading:
    """A robots.txt being read, line by line."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._ours, self._everyone = _Group(), _Group()
        self._current: list[_Group] = []
        self._rules_seen = False
        self._sitemaps: list[str] = []

    def take(self, number: int, line: str) -> None:
        field, value = _split(line)
        if field == "agent":
            self._agent(value)
        elif field in ("allow", "disallow"):
            # Only these end the list of a group's agents: other records must not interfere (RFC 9309, 2.2.4).
            self._rules_seen = True
            if value:
                for group in self._current:
                    group.lines.append(RobotsRule(number, field == "allow", value))
        elif field == "delay" and _NUMBER.fullmatch(value):
            for group in self._current:
                group.delay = max(group.delay or 0.0, float(value))
        elif (
            field == "sitemap" and len(self._sitemaps) < MAX_SITEMAPS and value.lower().startswith(("http:", "https:"))
        ):
            self._sitemaps.append(value)

    def _agent(self, value: str) -> None:
        if self._rules_seen:
            self._current, self._rules_seen = [], False
        if value[:1] == "*" and (len(value) == 1 or value[1].isspace()):
            group = self._everyone
        else:
            found = _TOKEN.match(value)
            if found is None or found[0].lower() != self._token:
                return
            group = self._ours
        group.named = True
        if group not in self._current:
            self._current.append(group)

    def result(self) -> RobotsRules:
        group = self._ours if self._ours.named else self._everyone
        return RobotsRules(group.lines, group.delay, self._sitemaps)


def _split(line: str) -> tuple[str, str]:
    """What a line says: a canonical field name (empty when unknown) and its value."""
    line = line.partition("#")[0].strip()
    field, colon, value = line.partition(":")
    known = _FIELDS.get(field.strip().lower()) if colon else None
    if known is not None:
        return known, value.strip()
    words = line.split(None, 2)
    if len(words) == 2:  # "Disallow /private": the colon was forgotten
        return _FIELDS.get(words[0].lower(), ""), words[1]
    return "", ""


def _wild(pattern: str, line: RobotsRule) -> _Wild:
    length = len(pattern)
    anchored = pattern.endswith("$")
    head, *rest = pattern.removesuffix("$").split("*")
    exact = not rest
    tail = rest.pop() if anchored and rest else None
    return _Wild(length, line, head, tuple(piece for piece in rest if piece), tail, exact)


def _normal_pattern(pattern: str) -> str:
    anchored = pattern.endswith("$")
    return _recode(pattern.removesuffix("$")).replace("$", "%24") + ("$" if anchored else "")


def _normal_path(target: str) -> str:
    if not _SPECIAL.search(target):
        return target
    return _recode(target).replace("*", "%2A").replace("$", "%24")


def _recode(text: str) -> str:
    if "%" in text:
        text = _ESCAPE.sub(_unescape, text)
    return _UNPRINTABLE.sub(_escape, text)


def _unescape(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if char in _UNRESERVED else found[0].upper()


def _escape(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", errors="replace"))
