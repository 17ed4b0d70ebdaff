"""What fields need to know of the page they read: its tree, its base, its links, and how much may still be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from scraper.extract.rules.field_settings import LinkSelection
from scraper.extract.rules.limits import MAX_RULE_CHARS
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.model import Link, OutOfScope
from scraper.urls.canonicalize import DEFAULT_KEY_RULES, BaseUrl, KeyRules, canonicalize

# Characters that a fragment may hold as they are; quote() encodes all others (WHATWG URL, fragment percent-encode set).
_FRAGMENT_SAFE = "!$%&'()*+,/:;=?@[]^{|}\\#~"
# Characters that a URL loses when it is parsed.
_NOT_IN_FRAGMENT = {ord(char): None for char in "\t\n\r"}

# Reasons for which a link is not followed although its URL is in scope.
IN_SCOPE_DENIALS = frozenset({"depth", "nofollow", "rules"})


class ReadBudgetExceeded(Exception):  # noqa: N818  a limit, not an error: what was read before it is kept
    """A rule has read more than `MAX_RULE_CHARS` of one page."""


class PageContext:
    """One page, as the fields of all rules see it.

    `root`: the root element of the tree or, of a JSON page, its value. `text`: returns the page's text as it came.
    `base`, `key_rules`: for resolving URLs. `links`: the page's links with their verdicts. `cache`: what fields share,
    computed by the first that needs it. `problems`: what could not be read of the page, a sentence each.
    """

    __slots__ = ("_budget_left", "base", "cache", "key_rules", "links", "problems", "root", "text")

    def __init__(
        self,
        root: Any,
        base: BaseUrl,
        key_rules: KeyRules = DEFAULT_KEY_RULES,
        links: Sequence[Link] = (),
        text: Callable[[], str] = str,
    ) -> None:
        self.root, self.base, self.key_rules, self.links, self.text = root, base, key_rules, links, text
        self.cache: dict[str, Any] = {}
        self.problems: list[str] = []
        self._budget_left = MAX_RULE_CHARS

    def reset_budget(self) -> None:
        """Give the next rule its full budget."""
        self._budget_left = MAX_RULE_CHARS

    def charge(self, amount: int) -> None:
        """Count `amount` characters or elements as read. Raises `ReadBudgetExceeded`."""
        self._budget_left -= amount
        if self._budget_left < 0:
            raise ReadBudgetExceeded(
                f"its values amount to more than {MAX_RULE_CHARS} characters, the rest was not read"
            )

    def link_hrefs(self, selection: LinkSelection) -> list[str]:
        """The URLs of the page's links: all, or those in scope, including those not followed for depth or nofollow."""
        if selection not in self.cache:
            self.cache[selection] = [
                link.url.href
                for link in self.links
                if selection == "all" or link.denied is None or link.denied.reason in IN_SCOPE_DENIALS
            ]
        return list(self.cache[selection])


def absolute_url(text: str, context: PageContext) -> str | ParseFailure:
    """`text` as an absolute URL with its fragment, resolved against the page's base, or why it is none."""
    url = canonicalize(text, context.base, context.key_rules)
    if isinstance(url, OutOfScope):
        return ParseFailure(f"not a usable URL ({url.rule}): {text[:80]!r}")
    if "#" not in text:
        return url.href
    # What is fetched has no fragment; as a value it is what tells two comments of a page apart.
    fragment = text.partition("#")[2].strip("\x00\t\n\r ").translate(_NOT_IN_FRAGMENT)
    return f"{url.href}#{quote(fragment, safe=_FRAGMENT_SAFE)}" if fragment else url.href
