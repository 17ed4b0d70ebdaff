"""The cookie jar: what RFC 6265bis says is kept, sent back, refused and forgotten."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.model import FieldList, Url
from scraper.transport.cookies import (
    MAX_AGE_SECONDS,
    MAX_COOKIE_BYTES,
    MAX_COOKIE_HEADER_BYTES,
    MAX_COOKIES,
    MAX_COOKIES_PER_DOMAIN,
    MAX_SET_COOKIE_FIELDS,
    CookieJar,
    parse_cookie_date,
    parse_set_cookie,
    path_matches,
)
from scraper.urls.canonicalize import canonicalize

NOW = 1_700_000_000.0


def url_of(text: str) -> Url:
    url = canonicalize(text)
    assert isinstance(url, Url)
    return url


def jar_with(url: str, *cookies: str, now: float = NOW) -> CookieJar:
    jar = CookieJar()
    jar.store(url_of(url), [(b"Set-Cookie", cookie.encode("latin-1")) for cookie in cookies], now)
    return jar


def sent_cookies(jar: CookieJar, url: str, now: float = NOW) -> str | None:
    found = jar.cookie_header(url_of(url), now)
    return None if found is None else found.decode("latin-1")


def test_cookies_are_found_among_sorted_fields() -> None:
    """In indexed header fields every Set-Cookie counts, in upper or lower case."""
    jar = CookieJar()
    for fields in ([(b"A", b"x=1")], [(b"A", b"b"), (b"SET-Cookie", b"n=1"), (b"set-cookie", b"m=2")]):
        found = FieldList(fields)
        found.index_by_name()
        jar.store(url_of("http://a.example/"), found, NOW)
    assert sent_cookies(jar, "http://a.example/") == "n=1; m=2"


# Set by the first URL; what goes with a request for the second.
ROUND_TRIPS = {
    "plain": ("http://a.example/", "n=v", "http://a.example/", "n=v"),
    "padded": ("http://a.example/", " n = v ; path=/", "http://a.example/", "n=v"),
    "equals in the value": ("http://a.example/", "n=a=b", "http://a.example/", "n=a=b"),
    "quotes are kept": ("http://a.example/", 'n="a b"', "http://a.example/", 'n="a b"'),
    "no name": ("http://a.example/", "v", "http://a.example/", "v"),
    "no name, with equals": ("http://a.example/", "=v", "http://a.example/", "v"),
    "no value": ("http://a.example/", "n=", "http://a.example/", "n="),
    "nothing": ("http://a.example/", "=", "http://a.example/", None),
    "empty": ("http://a.example/", "", "http://a.example/", None),
    "not ascii": ("http://a.example/", "n=\xe4", "http://a.example/", "n=\xe4"),
    "NUL": ("http://a.example/", "n=a\0b", "http://a.example/", None),
    "line break": ("http://a.example/", "n=a\rb", "http://a.example/", None),
    "control in an attribute": ("http://a.example/", "n=v; path=/\x01", "http://a.example/", None),
    "another host": ("http://a.example/", "n=v", "http://b.example/", None),
    "a host below": ("http://a.example/", "n=v", "http://x.a.example/", None),
    "a host above": ("http://x.a.example/", "n=v", "http://a.example/", None),
    "a domain": ("http://a.example/", "n=v; domain=a.example", "http://x.a.example/", "n=v"),
    "a domain with a dot": ("http://a.example/", "n=v; Domain=.A.Example", "http://x.y.a.example/", "n=v"),
    "a domain above": ("http://x.a.example/", "n=v; domain=a.example", "http://a.example/", "n=v"),
    "a domain below": ("http://a.example/", "n=v; domain=x.a.example", "http://a.example/", None),
    "a foreign domain": ("http://a.example/", "n=v; domain=b.example", "http://b.example/", None),
    "a suffix that is no domain": ("http://xa.example/", "n=v; domain=a.example", "http://a.example/", None),
    "a top level": ("http://a.com/", "n=v; domain=com", "http://b.com/", None),
    "a public suffix": ("http://a.co.uk/", "n=v; domain=co.uk", "http://b.co.uk/", None),
    "a private public suffix": ("http://a.github.io/", "n=v; domain=github.io", "http://b.github.io/", None),
    "a public suffix about itself": ("http://github.io/", "n=v; domain=github.io", "http://github.io/", "n=v"),
    "a public suffix, for itself alone": ("http://github.io/", "n=v; domain=github.io", "http://b.github.io/", None),
    "an unknown top level": ("http://a.example/", "n=v; domain=example", "http://b.example/", None),
    "an empty domain": ("http://a.example/", "n=v; domain=", "http://x.a.example/", None),
    "a domain that is not ascii": ("http://a.example/", "n=v; domain=\xe4.example", "http://a.example/", None),
    "the last domain counts": ("http://a.example/", "n=v; domain=b.test; domain=a.example", "http://a.example/", "n=v"),
    "an address": ("http://10.1.2.3/", "n=v", "http://10.1.2.3/x", "n=v"),
    "an address as domain": ("http://10.1.2.3/", "n=v; domain=10.1.2.3", "http://10.1.2.3/", "n=v"),
    "the end of an address": ("http://10.1.2.3/", "n=v; domain=2.3", "http://9.9.2.3/", None),
    "an IPv6 address": ("http://[::1]:8000/", "n=v", "http://[::1]:8000/", "n=v"),
    "another port of an IPv6 address": ("http://[::1]:8000/", "n=v", "http://[::1]:8001/", None),
    "one label": ("http://localhost/", "n=v; domain=localhost", "http://x.localhost/", None),
    "another port": ("http://a.example:81/", "n=v", "http://a.example/", None),
    "the same port": ("http://a.example:81/", "n=v", "http://a.example:81/", "n=v"),
    "from http to https": ("http://a.example/", "n=v", "https://a.example/", "n=v"),
    "from https to http": ("https://a.example/", "n=v", "http://a.example/", None),
    "secure over https": ("https://a.example/", "n=v; Secure", "https://a.example/", "n=v"),
    "secure over http": ("http://a.example/", "n=v; Secure", "https://a.example/", None),
    "http only": ("http://a.example/", "n=v; HttpOnly", "http://a.example/", "n=v"),
    "an unknown attribute": ("http://a.example/", "n=v; Foo=Bar", "http://a.example/", "n=v"),
    "same site none, not secure": ("https://a.example/", "n=v; SameSite=None", "https://a.example/", None),
    "same site none, secure": ("https://a.example/", "n=v; SameSite=None; Secure", "https://a.example/", "n=v"),
    "same site lax": ("http://a.example/", "n=v; SameSite=Lax", "http://a.example/", "n=v"),
    "__Secure-": ("https://a.example/", "__Secure-n=v; Secure", "https://a.example/", "__Secure-n=v"),
    "__Secure- without secure": ("https://a.example/", "__Secure-n=v", "https://a.example/", None),
    "__secure- in lower case": ("https://a.example/", "__secure-n=v", "https://a.example/", None),
    "__Host-": ("https://a.example/", "__Host-n=v; Secure; Path=/", "https://a.example/", "__Host-n=v"),
    "__Host- with a domain": (
        "https://a.example/", "__Host-n=v; Secure; Path=/; Domain=a.example", "https://a.example/", None,
    ),
    "__Host- without a path": ("https://a.example/x/y", "__Host-n=v; Secure", "https://a.example/x/y", None),
    "__Host- over http": ("http://a.example/", "__Host-n=v; Secure; Path=/", "https://a.example/", None),
    "a prefix without a name": ("https://a.example/", "=__Host-n=v", "https://a.example/", None),
    "the folder it came from": ("http://a.example/x/y", "n=v", "http://a.example/x/z", "n=v"),
    "not above that folder": ("http://a.example/x/y", "n=v", "http://a.example/", None),
    "not beside that folder": ("http://a.example/x/y", "n=v", "http://a.example/xy", None),
    "a path": ("http://a.example/", "n=v; path=/x", "http://a.example/x/y?q", "n=v"),
    "a path that only begins alike": ("http://a.example/", "n=v; path=/x", "http://a.example/xy", None),
    "a path that is none": ("http://a.example/x/y", "n=v; path=x", "http://a.example/x/", "n=v"),
    "an attribute that is too long": ("http://a.example/x/y", "n=v; path=/" + "x" * 1024, "http://a.example/x/", "n=v"),
    "expired by age": ("http://a.example/", "n=v; max-age=0", "http://a.example/", None),
    "expired by a negative age": ("http://a.example/", "n=v; max-age=-1", "http://a.example/", None),
    "age that is no number": ("http://a.example/", "n=v; max-age=1e9", "http://a.example/", "n=v"),
    "expired by date": ("http://a.example/", "n=v; expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://a.example/", None),
    "a date that is none": ("http://a.example/", "n=v; expires=tomorrow", "http://a.example/", "n=v"),
    "age wins over date": (
        "http://a.example/", "n=v; max-age=60; expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://a.example/", "n=v",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("setter", "cookie", "asked", "expected"), ROUND_TRIPS.values(), ids=ROUND_TRIPS)
def test_who_gets_a_cookie_back(setter: str, cookie: str, asked: str, expected: str | None) -> None:
    """RFC 6265bis 5.6 to 5.8, and our two stricter rules about ports and https."""
    assert sent_cookies(jar_with(setter, cookie), asked) == expected


def test_longer_paths_come_first_and_then_the_older_ones() -> None:
    """RFC 6265bis 5.8.3: and one that is set again keeps its position."""
    jar = jar_with("http://a.example/", "a=1", "b=2; path=/x", "c=3", "a=4")
    assert sent_cookies(jar, "http://a.example/x") == "b=2; a=4; c=3"


def test_a_cookie_is_replaced_by_its_namesake_and_deleted_by_an_expired_one() -> None:
    """Name, domain, path, port and `host_only` identify a cookie."""
    jar = jar_with("http://a.example/", "n=1", "n=2", "n=3; path=/x")
    assert (sent_cookies(jar, "http://a.example/x"), len(jar)) == ("n=3; n=2", 2)
    jar.store(url_of("http://a.example/"), [(b"set-cookie", b"n=; max-age=0")], NOW)
    assert (sent_cookies(jar, "http://a.example/x"), len(jar)) == ("n=3", 1)


def test_http_cannot_overlay_a_secure_cookie() -> None:
    """RFC 6265bis 5.7 step 15: an eavesdropper cannot plant a session."""
    jar = jar_with("https://a.example/", "n=good; Secure")
    jar.store(url_of("http://a.example/x/"), [(b"Set-Cookie", b"n=evil; path=/x")], NOW)
    jar.store(url_of("http://b.a.example/"), [(b"Set-Cookie", b"n=evil; domain=a.example")], NOW)
    assert sent_cookies(jar, "https://a.example/x/") == "n=good"
    jar.store(url_of("http://a.example/"), [(b"Set-Cookie", b"other=1")], NOW)
    assert sent_cookies(jar, "https://a.example/") == "n=good; other=1"


def test_a_cookie_lives_until_it_expires_and_no_longer_than_the_cap() -> None:
    """Expired cookies are deleted when they are found."""
    jar = jar_with("http://a.example/", "n=v; max-age=60", "m=w; max-age=999999999999")
    assert sent_cookies(jar, "http://a.example/", NOW + 59) == "n=v; m=w"
    assert sent_cookies(jar, "http://a.example/", NOW + 60) == "m=w"
    assert sent_cookies(jar, "http://a.example/", NOW + MAX_AGE_SECONDS) is None
    assert len(jar) == 0


DATES = {
    "Sun, 06 Nov 1994 08:49:37 GMT": 784111777.0,
    "Sunday, 06-Nov-94 08:49:37 GMT": 784111777.0,
    "Sun Nov  6 08:49:37 1994": 784111777.0,
    "6 nov 1994 8:49:37": 784111777.0,
    "08:49:37 1994 november 06": 784111777.0,
    "Wed, 01 Jan 2070 00:00:00 GMT": 3155760000.0,
    "1 Jan 70 00:00:00": 0.0,
    "1 Jan 69 00:00:00": 3124224000.0,
    "31 Feb 2024 00:00:00": None,
    "1 Jan 1600 00:00:00": None,
    "1 Jan 2024 24:00:00": None,
    "1 Jan 2024": None,
    "1 2024 00:00:00": None,
    "": None,
    "\xb9 Jan 2024 00:00:00": None,
}


@pytest.mark.parametrize(("text", "instant"), DATES.items(), ids=list(DATES))
def test_dates_are_read_as_section_5_1_1_says(text: str, instant: float | None) -> None:
    """Order and separators do not matter; what lacks a part is no date."""
    assert parse_cookie_date(text) == instant


def test_a_server_cannot_fill_the_jar() -> None:
    """Cookies of one domain, cookies in all, their size, and Set-Cookie fields of one response are bounded."""
    jar = jar_with("http://a.example/", "n=" + "x" * MAX_COOKIE_BYTES, "n=" + "x" * (MAX_COOKIE_BYTES - 1))
    assert len(jar) == 1
    jar = jar_with("http://a.example/", *(f"c{number}=v" for number in range(MAX_SET_COOKIE_FIELDS * 2)))
    assert len(jar) == MAX_COOKIES_PER_DOMAIN
    assert sent_cookies(jar, "http://a.example/") is not None
    assert f"c{MAX_SET_COOKIE_FIELDS - 1}=v" in str(sent_cookies(jar, "http://a.example/")), "the youngest stay"
    assert f"c{MAX_SET_COOKIE_FIELDS}=v" not in str(sent_cookies(jar, "http://a.example/"))
    for host in range(MAX_COOKIES // 10):
        jar.store(
            url_of(f"http://h{host}.example/"),
            [(b"Set-Cookie", b"n%d=v" % n) for n in range(MAX_COOKIES_PER_DOMAIN)],
            NOW,
        )
    assert len(jar) == MAX_COOKIES
    assert sent_cookies(jar, "http://a.example/") is None, "the host used longest ago goes first"
    assert sent_cookies(jar, f"http://h{MAX_COOKIES // 10 - 1}.example/") is not None


def test_expired_cookies_make_room_first() -> None:
    """A full domain loses expired cookies before others."""
    jar = jar_with(
        "http://a.example/", *(f"c{number}=v" for number in range(MAX_COOKIES_PER_DOMAIN - 1)), "old=v; max-age=10"
    )
    jar.store(url_of("http://a.example/"), [(b"Set-Cookie", b"new=v")], NOW + 20)
    header = str(sent_cookies(jar, "http://a.example/", NOW + 20))
    assert len(jar) == MAX_COOKIES_PER_DOMAIN
    assert header.startswith("c0=v; ")
    assert header.endswith("; new=v")


def test_a_cookie_header_is_bounded() -> None:
    """Servers refuse long heads, so what does not fit is left out."""
    jar = jar_with("http://a.example/", *(f"c{number}=" + "x" * 1000 for number in range(20)))
    assert len(str(sent_cookies(jar, "http://a.example/"))) <= MAX_COOKIE_HEADER_BYTES


@given(st.binary(max_size=200), st.sampled_from(["http://a.example/x", "https://b.a.example/", "http://10.0.0.1:81/"]))
def test_any_bytes_are_a_cookie_or_none(field: bytes, text: str) -> None:
    """Nothing is raised, and what is sent back can stand in a header."""
    url = url_of(text)
    cookie = parse_set_cookie(url, field, NOW)
    jar = CookieJar()
    jar.store(url, [(b"Set-Cookie", field)], NOW)
    header = jar.cookie_header(url, NOW) or b""
    assert not set(header) & {0, 10, 13}
    assert cookie is None or cookie.expires <= NOW + MAX_AGE_SECONDS or cookie.expires == math.inf


_HOSTS = ["a.example", "b.a.example", "c.example", "co.uk", "x.co.uk"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(_HOSTS),
            st.sampled_from(["", "; domain=a.example", "; domain=co.uk", "; domain=x.co.uk", "; max-age=5"]),
            st.sampled_from(["", "; path=/x", "; secure"]),
            st.booleans(),
        ),
        max_size=40,
    ),
    st.sampled_from(_HOSTS),
)
def test_a_cookie_never_leaves_the_domain_that_set_it(steps: list[tuple[str, str, str, bool]], asked: str) -> None:
    """Whatever hosts set, a cookie is sent only to hosts that share its domain."""
    jar, now = CookieJar(), NOW
    for number, (host, domain, more, tls) in enumerate(steps):
        now += 1
        url = url_of(f"http{'s' if tls else ''}://{host}/")
        jar.store(url, [(b"Set-Cookie", f"n{number}={host}{domain}{more}".encode())], now)
    for part in (jar.cookie_header(url_of(f"https://{asked}/x"), now) or b"").decode().split("; "):
        setter = part.partition("=")[2]
        shared = {asked} & {"a.example", "b.a.example"} and setter in {"a.example", "b.a.example"}
        assert not part or setter == asked or shared
    assert len(jar) <= len(steps)


@pytest.mark.parametrize(
    ("path", "prefix", "matches"),
    [(b"/", b"/", True), (b"/a", b"/a", True), (b"/a/", b"/a", True), (b"/ab", b"/a", False), (b"/a", b"/a/", False)],
)
def test_paths_match_at_slashes(path: bytes, prefix: bytes, matches: bool) -> None:
    """RFC 6265bis 5.1.4."""
    assert path_matches(path, prefix) is matches
