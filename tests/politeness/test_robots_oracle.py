"""Our robots.txt parser beside protego, the one that Scrapy uses: the same verdicts, or a reason why not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protego import Protego

from scraper.politeness.robots_parser import RobotsRules
from tests.politeness.test_robots_parser import TABLE

AGENT = "FooBot"

# Rows of the other file's table in which protego decides otherwise, and why ours is right.
DIFFERENCES = {
    "lines: form feed and U+2028 end no line": "RFC 9309 section 2.2, EOL: a line ends with CR, LF or both",
    "lines: byte order mark": "RFC 9309 section 2.2: a byte order mark at the beginning is part of the encoding",
    "groups: an unknown field does not": "RFC 9309 section 2.2.4: other records must not interfere",
    "groups: nor does a crawl-delay": "RFC 9309 section 2.2.4: other records must not interfere",
    "groups: an agent with a version": "RFC 9309 section 2.2.1: the product token ends before the slash",
    "groups: an agent up to the first blank": "RFC 9309 section 2.2.1: the product token ends before the blank",
    "groups: a shorter name is another": "RFC 9309 section 2.2.1: the token must match exactly, not as a part",
    "groups: a star that begins a name is nobody": "RFC 9309 section 2.2.1: only * alone is for everybody",
    "groups: a star and a remark": "RFC 9309 section 2.2.1: * is for everybody; Google's parser allows a remark",
    "matching: index.html is a page like any": "RFC 9309 section 2.2.2: paths match as they are, index.html included",
    "matching: an encoded question mark": "RFC 9309 section 2.2.2: %3F is an octet of the path, ? begins the query",
}


def protego_allows(text: str, path: str) -> bool:
    return bool(Protego.parse(text).can_fetch(f"https://h.example{path}", AGENT))


@pytest.mark.parametrize(("name", "text", "path", "allowed"), TABLE, ids=[row[0] for row in TABLE])
def test_protego_decides_the_same_or_the_difference_is_documented(
    name: str, text: str, path: str, allowed: bool
) -> None:
    """Every row of the conformance table is put to both parsers; a difference that disappears is no longer listed."""
    assert (protego_allows(text, path) is allowed) == (name not in DIFFERENCES), DIFFERENCES.get(name, "")


def test_every_documented_difference_is_a_row_of_the_table() -> None:
    """A row that is renamed or removed takes its entry with it."""
    assert DIFFERENCES.keys() <= {row[0] for row in TABLE}


# robots.txt files as sites write them, with paths of all kinds.
FILES = {
    "everything closed": "User-agent: *\nDisallow: /\n",
    "everything open": "User-agent: *\nDisallow:\n",
    "a shop": (
        "User-agent: *\nDisallow: /cart\nDisallow: /checkout/\nDisallow: /*?sort=\nDisallow: /*&page=\n"
        "Allow: /cart/help\nAllow: /*?sort=price$\nSitemap: https://h.example/sitemap.xml\n"
    ),
    "a wiki": "User-agent: *\nAllow: /w/load.php?\nDisallow: /w/\nDisallow: /wiki/Special:\n",
    "a blog": (
        "User-agent: *\nDisallow: /wp-admin/\nAllow: /wp-admin/admin-ajax.php\nDisallow: /*.pdf$\nDisallow: /feed\n"
    ),
    "our own rules": (
        "User-agent: BarBot\nDisallow: /\n\nUser-agent: FooBot\nUser-agent: BazBot\nDisallow: /private\n"
        "Crawl-delay: 3\n\nUser-agent: *\nDisallow: /\n"
    ),
    "non-ASCII": "User-agent: *\nDisallow: /café/\nDisallow: /%e6%97%a5\nAllow: /caf%C3%A9/menu\n",
}
TARGETS = [
    "/", "/cart", "/cart/help", "/cart/helpdesk", "/checkout", "/checkout/1", "/list?sort=name", "/list?sort=price",
    "/list?sort=price&page=2", "/list?a=b&page=2", "/w/load.php?x=1", "/w/load.php", "/w/index.php",
    "/wiki/Special:All", "/wiki/Main", "/wp-admin/", "/wp-admin/admin-ajax.php", "/wp-admin/options.php",
    "/book.pdf", "/book.pdf?x", "/feed/", "/private", "/public", "/caf%C3%A9/", "/caf%C3%A9/menu", "/caf%c3%a9/x",
    "/%E6%97%A5%E6%9C%AC", "/a//b", "/a/../b",
]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_protego_decides_the_same_about_files_as_sites_write_them(name: str) -> None:
    """No difference is documented here, and none may be."""
    rules = RobotsRules.parse(FILES[name].encode(), AGENT.lower())
    for target in TARGETS:
        rule = rules.deciding_rule(target)
        assert (rule is None or rule.allow) is protego_allows(FILES[name], target), target


# Without a literal dollar: protego also takes `/$` in a path for the end of the path (RFC 9309 section 2.2.3: in a path
# it is a character like any other).
SIMPLE_PATTERNS = st.from_regex(r"/[ab/*]{0,6}\$?", fullmatch=True)
SIMPLE_PATHS = st.from_regex(r"/[ab/]{0,8}", fullmatch=True)


@given(st.lists(st.tuples(st.booleans(), SIMPLE_PATTERNS), max_size=8), SIMPLE_PATHS)
@settings(deadline=None)
def test_protego_decides_the_same_about_any_rules(rules: list[tuple[bool, str]], path: str) -> None:
    """Any patterns of letters, slashes, stars and a dollar at the end."""
    text = "user-agent: *\n" + "".join(f"{'allow' if allow else 'disallow'}: {pattern}\n" for allow, pattern in rules)
    rule = RobotsRules.parse(text.encode(), AGENT.lower()).deciding_rule(path)
    assert (rule is None or rule.allow) is protego_allows(text, path)
