"""What an answer to /robots.txt means, how long it is good for, and how it is remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.model import Body, ErrorKind, Headers, Outcome, Response
from scraper.politeness.robots_cache import RobotsCache, RobotsEntry, RobotsRules, RobotsSettings
from tests.politeness.outcomes import NOW, denied, failure, not_modified, page, request

SETTINGS = RobotsSettings("FooBot/1.0")
TEXT = b"User-agent: *\nDisallow: /private\nAllow: /private/not\nCrawl-delay: 4\nSitemap: https://h.example/s.xml\n"
RULES = page(200, content=TEXT)


def entry(outcome: Outcome, previous: RobotsEntry | None = None, now: float = NOW) -> RobotsEntry:
    return RobotsEntry.from_outcome(outcome, now, SETTINGS, previous)


ANSWERS = [
    ("200", RULES, "rules", 86400, "deny"),
    ("204", page(204), "rules", 86400, "allow"),
    ("200 without a body", page(200), "rules", 86400, "allow"),
    ("a redirect that leads nowhere", page(302), "allow_all", 3600, "allow"),
    ("a redirect loop", failure(ErrorKind.REDIRECT), "allow_all", 3600, "allow"),
    *((str(status), page(status), "allow_all", 3600, "allow") for status in (400, 401, 403, 404, 410, 418, 451)),
    ("429", page(429), "unreachable", 60, "defer"),
    ("429 that says when", page(429, {"Retry-After": "600"}), "unreachable", 600, "defer"),
    ("429 that says too much", page(429, {"Retry-After": "9999999"}), "unreachable", 86400, "defer"),
    ("503 that says less", page(503, {"Retry-After": "5"}), "unreachable", 60, "defer"),
    *((str(status), page(status), "unreachable", 60, "defer") for status in (500, 502, 503, 504, 599, 600, 100)),
    *(
        (str(kind), failure(kind), "unreachable", 60, "defer")
        for kind in ErrorKind
        if kind not in (ErrorKind.REDIRECT, ErrorKind.HTTP)
    ),
    ("denied", denied(), "unreachable", 60, "defer"),
    ("304 out of the blue", not_modified(), "unreachable", 60, "defer"),
]


@pytest.mark.parametrize(
    ("outcome", "kind", "life", "decision"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS]
)
def test_what_each_answer_means(outcome: Outcome, kind: str, life: float, decision: str) -> None:
    """RFC 9309 section 2.3.1; 429 is unreachable, as for the large search engines; failures fail closed."""
    read = entry(outcome)
    assert (read.kind, read.expires_at - NOW) == (kind, life)
    assert read.check("/private/x").decision == decision
    assert read.check("/robots.txt").allowed


CACHE = [
    ("none", {}, 86400),
    ("two hours", {"Cache-Control": "public, max-age=7200"}, 7200),
    ("too short", {"Cache-Control": "max-age=5"}, 3600),
    ("too long", {"Cache-Control": "max-age=999999999"}, 86400),
    ("absurd", {"Cache-Control": "max-age=" + "9" * 5000}, 86400),
    ("shared caches are not us", {"Cache-Control": "s-maxage=7200"}, 86400),
    ("quoted", {"Cache-Control": 'Max-Age="7200"'}, 7200),
    ("not a number", {"Cache-Control": "max-age=soon"}, 86400),
    ("no-cache", {"Cache-Control": "no-cache, max-age=7200"}, 3600),
    ("no-store", {"Cache-Control": "private,no-store"}, 3600),
]


@pytest.mark.parametrize(("fields", "life"), [row[1:] for row in CACHE], ids=[row[0] for row in CACHE])
def test_rules_are_good_for_as_long_as_the_site_says_within_bounds(fields: dict[str, str], life: float) -> None:
    """Cache-Control within one hour and a day; a day without it (RFC 9309 section 2.4)."""
    assert entry(page(200, fields, content=TEXT)).expires_at == NOW + life


def test_a_verdict_names_the_line() -> None:
    """The verdict names the deciding line, its number and text."""
    read = entry(RULES)
    assert read.check("/private/x") == ("deny", "robots.txt line 2: Disallow: /private", 2)
    assert read.check("/private/not/x") == ("allow", "robots.txt line 3: Allow: /private/not", 3)
    assert read.check("/else") == ("allow", "robots.txt: no rule matches", None)
    assert (read.crawl_delay, read.sitemaps) == (4.0, ("https://h.example/s.xml",))


@pytest.mark.parametrize(
    ("target", "decision"),
    [("/robots.txt", "allow"), ("/robots.txt?x=1", "allow"), ("/robots.txt.bak", "deny"), ("/a/robots.txt", "deny")],
)
def test_robots_txt_itself_is_always_allowed(target: str, decision: str) -> None:
    """RFC 9309 section 2.2.2: /robots.txt, and nothing that looks like it, is implicitly allowed."""
    assert entry(page(200, content=b"user-agent: *\ndisallow: /\n")).check(target).decision == decision


@pytest.mark.parametrize("status", [401, 403])
def test_forbidden_may_mean_denied(status: int) -> None:
    """By option 401 and 403 close the origin, for an hour."""
    settings = RobotsSettings("FooBot", forbidden="deny")
    read = RobotsEntry.from_outcome(page(status), NOW, settings)
    assert (read.kind, read.expires_at) == ("deny_all", NOW + 3600)
    assert read.check("/x") == ("deny", f"robots.txt: {status}, all denied", None)
    assert RobotsEntry.from_outcome(page(404), NOW, settings).kind == "allow_all"


@pytest.mark.parametrize("outcome", [RULES, page(500), page(404), failure()], ids=["200", "500", "404", "connect"])
def test_ignoring_robots_allows_everything_and_keeps_the_sitemaps(outcome: Outcome) -> None:
    """`ignore` neither denies nor defers nor delays."""
    read = RobotsEntry.from_outcome(outcome, NOW, RobotsSettings("FooBot", policy="ignore"))
    assert (read.check("/private/x").allowed, read.crawl_delay) == (True, None)
    assert read.sitemaps == (("https://h.example/s.xml",) if outcome is RULES else ())


def test_unreachable_is_asked_again_less_and_less_often() -> None:
    """After one, five and fifteen minutes, and then every hour."""
    read, waits = entry(failure()), []
    for _ in range(6):
        waits.append(read.expires_at - NOW)
        read = entry(failure(), read)
    assert waits == [60, 300, 900, 3600, 3600, 3600]
    assert "robots_unreachable: connect: no luck" in read.check("/x").rule


def test_an_answer_ends_the_count_of_incidents() -> None:
    """The next outage begins with a minute again."""
    read = entry(failure(), entry(RULES, entry(failure(), entry(failure()))))
    assert (read.failures_in_a_row, read.expires_at) == (1, NOW + 60)


def test_a_copy_of_at_most_thirty_days_is_used_while_unreachable() -> None:
    """The rules hold on, with the age of their reading; after thirty days the origin is deferred."""
    first = entry(RULES)
    later = entry(failure(), first, NOW + 86400)
    assert (later.kind, later.fetched_at, later.expires_at) == ("rules", NOW, NOW + 86400 + 60)
    assert later.check("/private/x").decision == "deny"
    assert later.check("/x").allowed
    assert "the copy of 24 h ago is used" in later.detail
    last = entry(failure(), later, NOW + 30 * 86400)
    assert (last.kind, last.failures_in_a_row) == ("rules", 2)
    assert entry(failure(), last, NOW + 30 * 86400 + 1).kind == "unreachable"


def test_a_missing_robots_txt_is_no_copy() -> None:
    """When a site that had none cannot be reached, nothing is known of its wishes."""
    assert entry(failure(), entry(page(404))).kind == "unreachable"


def test_304_renews_the_rules() -> None:
    """Not modified means the rules in hand, read anew."""
    read = entry(not_modified({"Cache-Control": "max-age=7200"}), entry(failure(), entry(RULES)), NOW + 9)
    assert (read.kind, read.fetched_at, read.expires_at, read.failures_in_a_row) == ("rules", NOW + 9, NOW + 7209, 0)


def test_a_body_that_was_spooled_is_given_beside_the_outcome() -> None:
    """Rules do no I/O: a body on disk is read by the caller, and without it nothing is known."""
    spooled = Response(request("/robots.txt"), 200, Headers(), Body(len(TEXT), len(TEXT), "xxh3:0"))
    assert entry(spooled).kind == "unreachable"
    read = RobotsEntry.from_outcome(spooled, NOW, SETTINGS, content=TEXT)
    assert read.check("/private").decision == "deny"


NOTED = [
    ("rules", entry(RULES)),
    ("allow_all", entry(page(404))),
    ("deny_all", RobotsEntry.from_outcome(page(403), NOW, RobotsSettings(forbidden="deny"))),
    ("unreachable", entry(failure(), entry(failure()))),
    ("copy", entry(failure(), entry(RULES))),
    ("ignored", RobotsEntry.from_outcome(RULES, NOW, RobotsSettings(policy="ignore"))),
]


@pytest.mark.parametrize("read", [row[1] for row in NOTED], ids=[row[0] for row in NOTED])
def test_an_entry_survives_as_a_note(read: RobotsEntry) -> None:
    """Every field comes back, and the rules decide as before, with their line numbers."""
    again = RobotsEntry.from_json(read.to_json("foobot"), "foobot")
    assert again is not None
    assert again.to_json("foobot") == read.to_json("foobot")
    assert (again.kind, again.expires_at, again.failures_in_a_row) == (
        read.kind,
        read.expires_at,
        read.failures_in_a_row,
    )
    for target in ("/", "/private", "/private/not", "/robots.txt"):
        assert again.check(target) == read.check(target)
    assert (again.crawl_delay, again.sitemaps) == (read.crawl_delay, read.sitemaps)


def test_a_note_read_for_another_agent_is_not_used() -> None:
    """Only the rules that speak to us are kept, so a new name means reading the file again."""
    assert RobotsEntry.from_json(entry(RULES).to_json("foobot"), "barbot") is None


JUNK = [
    "",
    "null",
    "{}",
    "[1]",
    '[2,"foobot","allow_all",1,2,0,"",null]',
    '[1,"foobot","maybe",1,2,0,"",null]',
    '[1,"foobot",["rules"],1,2,0,"",null]',
    '[1,"foobot","allow_all","1",2,0,"",null]',
    '[1,"foobot","allow_all",1,2,0,7,null]',
    '[1,"foobot","rules",1,2,0,"",null]',
    '[1,"foobot","rules",1,2,0,"",[[],null]]',
    '[1,"foobot","rules",1,2,0,"",[[[1,true]],null,[]]]',
    '[1,"foobot","rules",1,2,0,"",[[[1,true,""]],null,[]]]',
    '[1,"foobot","rules",1,2,0,"",[[[1,false,7]],null,[]]]',
    '[1,"foobot","rules",1,2,0,"",[[],"4",[]]]',
    '[1,"foobot","rules",1,2,0,"",[[],null,[7]]]',
    '[1,"foobot","rules",1,2,0,"",[7,null,[]]]',
    "\ud800",
]


@pytest.mark.parametrize("note", JUNK, ids=range(len(JUNK)))
def test_a_junk_note_is_no_entry(note: str) -> None:
    """What cannot be read whole is fetched again: a lost rule might be the one that forbids."""
    assert RobotsEntry.from_json(note, "foobot") is None


@given(st.binary(max_size=200))
def test_whatever_was_read_survives_as_a_note(content: bytes) -> None:
    """Any bytes of a robots.txt make an entry whose note reads back alike."""
    read = entry(page(200, content=b"user-agent: *\n" + content))
    again = RobotsEntry.from_json(read.to_json("foobot"), "foobot")
    assert again is not None
    assert again.rules is not None
    assert read.rules is not None
    assert again.rules.rules == read.rules.rules


def test_the_book_gives_what_is_still_good() -> None:
    """An entry is gone for `get` when it expires, and still there as the previous one."""
    book = RobotsCache(10)
    book.put("https://h", entry(page(404)))
    assert book.get("https://h", NOW + 3599) is not None
    assert book.get("https://h", NOW + 3600) is None
    assert book.peek("https://h") is not None
    assert book.get("https://other", NOW) is None


def test_the_book_forgets_what_was_not_used_for_longest() -> None:
    """At most `limit` entries; asking for one keeps it."""
    book = RobotsCache(2)
    for origin in ("a", "b"):
        book.put(origin, entry(page(404)))
    book.get("a", NOW)
    book.put("c", entry(page(404)))
    assert [book.peek(origin) is not None for origin in ("a", "b", "c")] == [True, False, True]
    assert len(book) == 2


def test_the_book_bounds_the_memory_that_rules_take() -> None:
    """A few huge files push out others before the count is reached, but the newest always stays."""
    rules = RobotsRules.parse(b"user-agent: *\n" + b"disallow: /xxxxxxxxx\n" * 1000, "foobot")
    big = RobotsEntry("rules", NOW, NOW + 9, rules)
    book = RobotsCache(1000, max_bytes=3 * rules.memory_bytes)
    for number in range(10):
        book.put(str(number), big)
        book.put(str(number), big)
    assert len(book) == 3
    tiny = RobotsCache(1000, max_bytes=1)
    tiny.put("a", big)
    assert tiny.get("a", NOW) is big
