"""robots.txt by RFC 9309: lines, groups, matching. The topics are those that any conforming parser must settle."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.politeness.robots_parser import (
    MAX_LINE_CHARS,
    MAX_ROBOTS_BYTES,
    MAX_SITEMAPS,
    RobotsRule,
    RobotsRules,
    product_token,
)


def allowed(text: str, target: str, token: str = "foobot") -> bool:
    line = RobotsRules.parse(text.encode(), token).deciding_rule(target)
    return line is None or line.allow


OURS, NOBODY = "user-agent: FooBot\n", "user-agent: *\n"

# (topic, robots.txt, path, allowed)
LINES = [
    ("an empty file allows", "", "/x", True),
    ("field and value", OURS + "disallow: /\n", "/x", False),
    ("unknown fields are passed over", OURS + "foo: bar\ndisallow: /\n", "/x", False),
    ("unknown fields alone", "foo: FooBot\nbar: /\n", "/x", True),
    ("a forgotten colon", "user-agent FooBot\ndisallow /\n", "/x", False),
    ("a forgotten colon needs two words", OURS + "disallow / or else\n", "/x", True),
    ("blanks around everything", "  User-Agent \t:\t FooBot  \n \tDisallow : / \n", "/x", False),
    ("field names in any case", "USER-AGENT: FooBot\nDiSaLLoW: /\n", "/x", False),
    ("common misspellings", "useragent: FooBot\ndissallow: /a\ndisalow: /b\n", "/b", False),
    ("comments", "user-agent: FooBot # us\ndisallow: /a#b\n", "/ab", False),
    ("a line that is a comment", OURS + "# disallow: /\n", "/x", True),
    ("CR LF", "user-agent: FooBot\r\ndisallow: /\r\n", "/x", False),
    ("CR alone", "user-agent: FooBot\rdisallow: /\r", "/x", False),
    ("no line end at the end", OURS + "disallow: /", "/x", False),
    ("form feed and U+2028 end no line", OURS + "disallow: /a\x0cb\u2028c\n", "/a", True),
    ("byte order mark", "\ufeff" + OURS + "disallow: /\n", "/x", False),
    ("a byte order mark elsewhere is junk", OURS + "\ufeffdisallow: /\n", "/x", True),
    ("a page of HTML allows", "<!DOCTYPE html>\n<html><body>Not: found</body></html>\n", "/x", True),
    ("an empty disallow is no rule", OURS + "disallow:\n", "/x", True),
    ("an empty disallow does not undo others", OURS + "disallow:\ndisallow: /\n", "/x", False),
    ("an empty allow is no rule", OURS + "disallow: /\nallow:\n", "/x", False),
]
GROUPS = [
    ("only our group speaks to us", "user-agent: BarBot\ndisallow: /\n" + OURS + "disallow: /z\n", "/x", True),
    ("several agents share a group", "user-agent: BarBot\n" + OURS + "disallow: /\n", "/x", False),
    (
        "groups that name us are merged",
        OURS + "disallow: /a\n\nuser-agent: B\ndisallow: /\n" + OURS + "disallow: /b\n",
        "/b",
        False,
    ),
    (
        "and the first of them counts too",
        OURS + "disallow: /a\n\nuser-agent: B\ndisallow: /\n" + OURS + "disallow: /b\n",
        "/a",
        False,
    ),
    ("blank lines do not end a group", OURS + "\n\ndisallow: /\n", "/x", False),
    ("blank lines between agents", "user-agent: BarBot\n\n" + OURS + "\ndisallow: /\n", "/x", False),
    ("a sitemap does not end a group", OURS + "sitemap: https://h/s\nuser-agent: B\ndisallow: /\n", "/x", False),
    ("an unknown field does not", OURS + "foo: bar\nuser-agent: B\ndisallow: /\n", "/x", False),
    ("nor does a crawl-delay", OURS + "crawl-delay: 3\nuser-agent: B\ndisallow: /\n", "/x", False),
    ("an empty disallow does", OURS + "disallow:\nuser-agent: B\ndisallow: /\n", "/x", True),
    ("rules before any agent", "disallow: /\n" + OURS + "allow: /a\n", "/x", True),
    ("everybody's group when none is ours", "user-agent: B\nallow: /\n" + NOBODY + "disallow: /\n", "/x", False),
    ("everybody's group is not added to ours", NOBODY + "disallow: /\n" + OURS + "disallow: /z\n", "/x", True),
    ("an empty group of ours allows", NOBODY + "disallow: /\n" + OURS, "/x", True),
    (
        "everybody's groups are merged",
        NOBODY + "disallow: /a\nuser-agent: B\nallow: /\n" + NOBODY + "disallow: /b\n",
        "/a",
        False,
    ),
    ("an agent in any case", "user-agent: fOObOT\ndisallow: /\n", "/x", False),
    ("an agent with a version", "user-agent: FooBot/1.2\ndisallow: /\n", "/x", False),
    ("an agent up to the first blank", "user-agent: FooBot and friends\ndisallow: /\n", "/x", False),
    ("a longer name is another", "user-agent: FooBot-News\ndisallow: /\n", "/x", True),
    ("a shorter name is another", "user-agent: Foo\ndisallow: /\n", "/x", True),
    ("a star that begins a name is nobody", "user-agent: *FooBot\ndisallow: /\n", "/x", True),
    ("a star and a remark", "user-agent: * all of you\ndisallow: /\n", "/x", False),
    ("an agent without a name is nobody", NOBODY + "allow: /\nuser-agent:\ndisallow: /\n", "/x", True),
]
MATCHING = [
    ("paths keep their case", OURS + "disallow: /X/\n", "/x/", True),
    ("a rule is a prefix", OURS + "disallow: /fish\n", "/fishheads/yummy.html", False),
    ("a rule begins at the root", OURS + "disallow: /fish\n", "/catfish", True),
    ("a rule without a slash matches nothing", OURS + "disallow: fish\n", "/fish", True),
    ("a slash at the end counts", OURS + "disallow: /fish/\n", "/fish", True),
    ("the query belongs to the path", OURS + "disallow: /fish?id=\n", "/fish?id=1", False),
    ("the longest wins: allow", OURS + "disallow: /x\nallow: /x/page.html\n", "/x/page.html", True),
    ("the longest wins: disallow", OURS + "allow: /x\ndisallow: /x/page.html\n", "/x/page.html", False),
    ("order does not matter", OURS + "allow: /x/page.html\ndisallow: /x\n", "/x/page.html", True),
    ("allow wins a tie", OURS + "disallow: /x/page\nallow: /x/page\n", "/x/page", True),
    ("in either order", OURS + "allow: /x/page\ndisallow: /x/page\n", "/x/page", True),
    ("a tie of wildcard and plain", OURS + "disallow: /a/b\nallow: /a/*\n", "/a/b", True),
    ("a tie of plain and wildcard", OURS + "disallow: /a/*\nallow: /a/b\n", "/a/b", True),
    ("a longer wildcard wins", OURS + "allow: /page\ndisallow: /*.htm\n", "/page.htm", False),
    ("a longer plain rule wins", OURS + "allow: /page.html\ndisallow: /*.htm\n", "/page.html", True),
    ("index.html is a page like any", OURS + "allow: /a/index.html\ndisallow: /a/\n", "/a/", False),
    ("star in the middle", OURS + "disallow: /foo/bar/*/quz\n", "/foo/bar/baz/quz", False),
    ("star stands for nothing too", OURS + "disallow: /foo/bar*quz\n", "/foo/barquz", False),
    ("star over slashes", OURS + "disallow: /foo/*/quz\n", "/foo/a/b/c/quz", False),
    ("star at the end is idle", OURS + "disallow: /foo*\n", "/foobar", False),
    ("star at the beginning", OURS + "disallow: *.gif\n", "/a/b.gif", False),
    ("star that does not fit", OURS + "disallow: /foo/*/quz\n", "/foo/quz", True),
    ("several stars", OURS + "disallow: /*a*b*c\n", "/xxaxxbxxc", False),
    ("several stars out of order", OURS + "disallow: /*a*b*c\n", "/xxbxxaxxc", True),
    ("two stars are one", OURS + "disallow: /a**b\n", "/axb", False),
    ("dollar ends the path", OURS + "disallow: /foo/bar$\n", "/foo/bar", False),
    ("and nothing may follow", OURS + "disallow: /foo/bar$\n", "/foo/bar/baz", True),
    ("nor come before", OURS + "disallow: /bar$\n", "/foo/bar", True),
    ("star and dollar", OURS + "disallow: /*.php$\n", "/a/b.php", False),
    ("star and dollar, with a query", OURS + "disallow: /*.php$\n", "/a/b.php?x=1", True),
    ("star and dollar, twice in the path", OURS + "disallow: /*.php$\n", "/a.php/b.php", False),
    ("star and dollar may not overlap", OURS + "disallow: /a*ab$\n", "/ab", True),
    ("star, then dollar", OURS + "disallow: /a*$\n", "/abc", False),
    ("dollar elsewhere is itself", OURS + "disallow: /a$b\n", "/a$bc", False),
    ("and not the end", OURS + "disallow: /a$b\n", "/a", True),
    ("dollar alone matches nothing", OURS + "disallow: $\n", "/", True),
    ("the root alone", OURS + "disallow: /$\n", "/", False),
    ("and nothing below it", OURS + "disallow: /$\n", "/x", True),
    ("%2A is a star in the path", OURS + "disallow: /file-%2A.html\n", "/file-*.html", False),
    ("and not a wildcard", OURS + "disallow: /file-%2A.html\n", "/file-x.html", True),
    ("%24 is a dollar in the path", OURS + "disallow: /cash%24\n", "/cash$/more", False),
    ("UTF-8 in the rule, encoded in the path", OURS + "disallow: /foo/ツ\n", "/foo/%E3%83%84", False),
    ("encoded in the rule, UTF-8 in the path", OURS + "disallow: /foo/%E3%83%84\n", "/foo/ツ", False),
    ("hex digits in either case", OURS + "disallow: /foo/%e3%83%84\n", "/foo/%E3%83%84", False),
    ("encoded letters are letters", OURS + "disallow: /foo/%62%61%7A\n", "/foo/baz", False),
    ("in the path as well", OURS + "disallow: /foo/baz\n", "/foo/%62%61%7A", False),
    ("an encoded slash is not a slash", OURS + "disallow: /foo/bar\n", "/foo%2Fbar", True),
    ("in the rule neither", OURS + "disallow: /foo%2fbar\n", "/foo/bar", True),
    ("an encoded question mark", OURS + "disallow: /foo?bar\n", "/foo%3Fbar", True),
    ("a blank in a rule", OURS + "disallow: /foo bar\n", "/foo%20bar", False),
    ("a percent sign that encodes nothing", OURS + "disallow: /100%\n", "/100%/x", False),
    ("octets are counted as they are sent", OURS + "disallow: /%61%61%61\nallow: /aaaa\n", "/aaaa", True),
]
TABLE = [(f"{part}: {row[0]}", *row[1:]) for part, rows in
         (("lines", LINES), ("groups", GROUPS), ("matching", MATCHING)) for row in rows]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "verdict"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_conformance(text: str, path: str, verdict: bool) -> None:
    """Each row is one rule of RFC 9309, or of what every large crawler does beyond it."""
    assert allowed(text, path) is verdict


AGENTS = [
    ("scraper/1.0 (+https://example.org/bot)", "scraper"),
    ("FooBot", "foobot"),
    ("Foo_Bot-News/2", "foo_bot-news"),
    ("Mozilla/5.0 (compatible; FooBot/2.1; +http://example.org)", "foobot"),
    ("Mozilla/5.0 (X11; Linux x86_64)", "mozilla"),
    ("  FooBot 1", "foobot"),
    ("42", ""),
    ("", ""),
]


@pytest.mark.parametrize(("agent", "token"), AGENTS, ids=[row[0] or "empty" for row in AGENTS])
def test_the_product_token_of_a_user_agent(agent: str, token: str) -> None:
    """Letters, `_` and `-` at the beginning, lower-case; behind a browser's disguise the compatible name."""
    assert product_token(agent) == token


def test_without_a_token_only_everybodys_group_applies() -> None:
    """An agent without a name matches no line that lacks one."""
    text = "user-agent:\ndisallow: /a\nuser-agent: 42\ndisallow: /b\nuser-agent: *\ndisallow: /c\n"
    assert [allowed(text, path, "") for path in ("/a", "/b", "/c")] == [True, True, False]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_the_deciding_line_is_named_with_its_number(end: str) -> None:
    """Lines are counted as an editor counts them, blank lines and comments included."""
    text = end.join(["# ours", "", "User-agent: *", "Disallow: /a", "Allow: /a/b   # but", "Disallow: /*.zip$", ""])
    robots = RobotsRules.parse(text.encode(), "foobot")
    assert robots.deciding_rule("/a/x") == RobotsRule(4, False, "/a")
    assert robots.deciding_rule("/a/b/c") == RobotsRule(5, True, "/a/b")
    assert str(robots.deciding_rule("/x.zip")) == "robots.txt line 6: Disallow: /*.zip$"
    assert robots.deciding_rule("/x") is None


def test_a_file_that_is_too_long_is_cut_between_lines() -> None:
    """What lies beyond 512 KiB is not read, and a line cut in two is not half a rule."""
    head = "user-agent: *\ndisallow: /a\n#"
    text = head + "x" * (MAX_ROBOTS_BYTES - len(head) - 20) + "\nallow: /a/quite/long/path\ndisallow: /b\n"
    assert [allowed(text, path) for path in ("/a", "/a/quite/long/path", "/a/qu", "/b")] == [False, False, False, True]
    assert RobotsRules.parse(b"x" * (MAX_ROBOTS_BYTES + 1), "foobot").rules == ()


def test_a_line_that_is_too_long_is_cut() -> None:
    """The first 16 kB of a line count."""
    (line,) = RobotsRules.parse(f"user-agent: *\ndisallow: /{'x' * 2 * MAX_LINE_CHARS}\n".encode(), "foobot").rules
    assert len(line.pattern) == MAX_LINE_CHARS - len("disallow: ")
    assert len(str(line)) < 300


def test_bytes_that_are_not_utf8_do_not_hide_the_other_lines() -> None:
    """Every line that can be read counts."""
    robots = RobotsRules.parse(b"user-agent: *\ndisallow: /\xff\xfe\ndisallow: /a\n\x00\x01\n", "foobot")
    assert robots.deciding_rule("/a") == RobotsRule(3, False, "/a")


DELAYS = [
    ("seconds", "crawl-delay: 10", 10.0),
    ("a fraction", "Crawl-Delay: 0.5", 0.5),
    ("a bare fraction", "crawl-delay: .5", 0.5),
    ("several: the longest", "crawl-delay: 3\ncrawl-delay: 7\ncrawl-delay: 5", 7.0),
    ("negative", "crawl-delay: -1", None),
    ("infinite", "crawl-delay: inf", None),
    ("not a number", "crawl-delay: nan", None),
    ("with a unit", "crawl-delay: 10s", None),
    ("absurd", "crawl-delay: " + "9" * 400, None),
    ("empty", "crawl-delay:", None),
    ("none", "disallow: /", None),
]


@pytest.mark.parametrize(("lines", "delay"), [row[1:] for row in DELAYS], ids=[row[0] for row in DELAYS])
def test_crawl_delay_is_read_strictly(lines: str, delay: float | None) -> None:
    """Seconds, with a fraction or not; anything else is no delay."""
    assert RobotsRules.parse(f"{OURS}{lines}\n".encode(), "foobot").crawl_delay == delay


def test_crawl_delay_is_that_of_the_group_that_speaks_to_us() -> None:
    """Everybody's delay is not ours when we have a group, and a later agent does not inherit an earlier one's."""
    text = "user-agent: *\ncrawl-delay: 9\nuser-agent: FooBot\ndisallow: /a\n"
    assert RobotsRules.parse(text.encode(), "foobot").crawl_delay is None
    assert RobotsRules.parse(text.encode(), "other").crawl_delay == 9


def test_sitemaps_belong_to_no_group() -> None:
    """URLs and paths anywhere in the file, in order; other schemes are passed over, and there is a bound."""
    text = "sitemap: https://h/1\nuser-agent: x\nSite-Map: http://h/2\ndisallow: /\nsitemap: /3\nsitemap https://h/4\n"
    text += "sitemap: ftp://h/5\nsitemap:\n"
    assert RobotsRules.parse(text.encode(), "foobot").sitemaps == ("https://h/1", "http://h/2", "/3", "https://h/4")
    many = "".join(f"sitemap: https://h/{n}\n" for n in range(MAX_SITEMAPS + 10))
    assert len(RobotsRules.parse(many.encode(), "foobot").sitemaps) == MAX_SITEMAPS


ALPHABET = "ab/*$"
PATTERNS = st.text(ALPHABET, max_size=6).map(lambda rest: "/" + rest)
RULES = st.lists(st.tuples(st.booleans(), PATTERNS), max_size=8)
PATHS = st.text("ab/$", max_size=8).map(lambda rest: "/" + rest)


def naive_decision(rules: list[tuple[bool, str]], path: str) -> bool:
    """The standard's rule in its plainest form: every pattern is tried, the longest match wins, allow wins a tie."""
    best = (-1, True)
    for allow, pattern in rules:
        body, end = (pattern[:-1], r"\Z") if pattern.endswith("$") else (pattern, "")
        expression = "".join(".*" if char == "*" else re.escape(char) for char in body) + end
        if re.match(expression, path, re.DOTALL):
            best = max(best, (len(pattern.replace("$", "%24")) - (2 if end else 0), allow))
    return best[1]


@given(RULES, PATHS)
def test_the_matcher_agrees_with_the_plainest_reading_of_the_standard(rules: list[tuple[bool, str]], path: str) -> None:
    """Index, order and wildcards by pieces decide as trying every rule as a regular expression does."""
    text = NOBODY + "".join(f"{'allow' if allow else 'disallow'}: {pattern}\n" for allow, pattern in rules)
    assert allowed(text, path) is naive_decision(rules, path)


@given(st.binary(max_size=300), st.text(max_size=30))
def test_any_bytes_make_rules_that_can_be_asked(content: bytes, target: str) -> None:
    """Hostile files and paths never raise, and the line that decides is one of the file."""
    robots = RobotsRules.parse(b"user-agent: *\n" + content, "foobot")
    line = robots.deciding_rule(target)
    assert line is None or line in robots.rules
    assert all(line.line_number > 1 for line in robots.rules)


@given(
    st.lists(st.sampled_from([b"user-agent: *", b"user-agent: foobot", b"allow: /a", b"disallow: /*b$", b"\r", b"#"]))
)
def test_kept_lines_decide_as_the_file_did(lines: list[bytes]) -> None:
    """Rules rebuilt from `lines` are the same rules: that is how they are persisted."""
    read = RobotsRules.parse(b"\n".join(lines), "foobot")
    again = RobotsRules(read.rules)
    for path in ("/", "/a", "/ab", "/b"):
        assert again.deciding_rule(path) == read.deciding_rule(path)
