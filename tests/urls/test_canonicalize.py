"""canonicalize: one form for every URL, and what is no URL for us."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scraper.model import OutOfScope, Url
from scraper.urls.canonicalize import MAX_URL_CHARS, BaseUrl, KeyRules, canonicalize

TRACKING = KeyRules(strip_params=("utm_*", "gclid", "fbclid"))
SESSIONS = KeyRules(strip_params=("sid", ";jsessionid", ";v*n"))


def url(text: str, base: BaseUrl | None = None, rules: KeyRules | None = None) -> Url:
    found = canonicalize(text, base, rules or KeyRules())
    assert isinstance(found, Url), found
    return found


PAGE = BaseUrl.of(url("http://books.example/a/b/c.html?q=1"))


@pytest.mark.parametrize(
    ("text", "href"),
    [
        pytest.param("http://example.com", "http://example.com/", id="empty path"),
        pytest.param("HTTP://EXAMPLE.Com/A?B=C", "http://example.com/A?B=C", id="case of scheme and host only"),
        pytest.param("http://example.com:80/", "http://example.com/", id="default port of http"),
        pytest.param("https://example.com:443/", "https://example.com/", id="default port of https"),
        pytest.param("https://example.com:80/", "https://example.com:80/", id="other port"),
        pytest.param("http://example.com:/x", "http://example.com/x", id="empty port"),
        pytest.param("http://example.com:0080/x", "http://example.com/x", id="port with zeros"),
        pytest.param("http://example.com/a#frag", "http://example.com/a", id="fragment"),
        pytest.param("http://example.com/a?#frag", "http://example.com/a?", id="empty query, fragment"),
        pytest.param("http://example.com/#/route", "http://example.com/", id="fragment with a slash"),
        pytest.param("http://example.com/a/./b/../c", "http://example.com/a/c", id="dot segments"),
        pytest.param("http://example.com/../../a", "http://example.com/a", id="dot segments above the root"),
        pytest.param("http://example.com/a/%2E%2e/b", "http://example.com/b", id="encoded dot segments"),
        pytest.param("http://example.com/a/", "http://example.com/a/", id="trailing slash stays"),
        pytest.param("http://example.com//a//b", "http://example.com//a//b", id="empty segments stay"),
        pytest.param("http://example.com/?a=&b", "http://example.com/?a=&b", id="blank parameters stay"),
        pytest.param("http://example.com/?b=1&a=2", "http://example.com/?b=1&a=2", id="order of parameters stays"),
        pytest.param("http://example.com/%7euser", "http://example.com/~user", id="unreserved is decoded"),
        pytest.param("http://example.com/%c3%a4%2f", "http://example.com/%C3%A4%2F", id="upper-case triplets"),
        pytest.param("http://example.com/?q=%41%26%3d", "http://example.com/?q=A%26%3D", id="reserved stays encoded"),
        pytest.param("http://example.com/100%", "http://example.com/100%", id="stray percent sign"),
        pytest.param("http://example.com/%%37E", "http://example.com/%%37E", id="decoding never makes a triplet"),
        pytest.param("http://example.com/%zz%c3", "http://example.com/%zz%C3", id="stray percent sign, upper case"),
        pytest.param("http://example.com/%2541", "http://example.com/%2541", id="no double decoding"),
        pytest.param("http://example.com/ä?ö", "http://example.com/%C3%A4?%C3%B6", id="non-ASCII"),
        pytest.param("http://example.com/a b", "http://example.com/a%20b", id="space"),
        pytest.param("http://exämple.com/", "http://xn--exmple-cua.com/", id="IDNA"),
        pytest.param("http://EXÄMPLE.com/", "http://xn--exmple-cua.com/", id="IDNA folds case"),
        pytest.param("http://ex%41mple.com/", "http://example.com/", id="encoded host"),
        pytest.param("  http://example.com/ \n", "http://example.com/", id="white space around"),
        pytest.param("ht\ntp://exam\tple.com/a\r\nb", "http://example.com/ab", id="tab and newlines inside"),
        pytest.param("http:\\\\example.com\\a", "http://example.com/a", id="backslashes"),
        pytest.param("http:example.com/a", "http://example.com/a", id="no slashes"),
        pytest.param("http://@example.com/", "http://example.com/", id="empty credentials"),
        pytest.param("http://0x7f.1/", "http://127.0.0.1/", id="odd IPv4"),
        pytest.param("http://2130706433/", "http://127.0.0.1/", id="IPv4 as a number"),
        pytest.param("http://[0:0::1]:8080/", "http://[::1]:8080/", id="IPv6"),
        pytest.param("http://example.com/\ud800", "http://example.com/%EF%BF%BD", id="lone surrogate"),
    ],
)
def test_the_safe_normal_form(text: str, href: str) -> None:
    """WHATWG parsing and the safe set of RFC 3986 section 6 are applied, and nothing that may change the meaning."""
    found = url(text)
    assert found.href == href
    assert found.key == href


@pytest.mark.parametrize(
    ("text", "reason", "rule"),
    [
        ("mailto:x@example.com", "scheme", "scheme: mailto"),
        ("javascript:void(0)", "scheme", "scheme: javascript"),
        ("data:text/html,x", "scheme", "scheme: data"),
        ("ftp://example.com/", "scheme", "scheme: ftp"),
        ("file:///etc/passwd", "scheme", "scheme: file"),
        ("wss://example.com/", "scheme", "scheme: wss"),
        ("example.com:8080/x", "scheme", "scheme: example.com"),
        ("ssh://[bad", "scheme", "scheme: ssh"),
        ("example.com", "invalid", "url: not an absolute URL"),
        ("", "invalid", "url: not an absolute URL"),
        ("//example.com/", "invalid", "url: not an absolute URL"),
        ("http://", "invalid", "url: not an absolute URL"),
        ("http://a b/", "invalid", "url: not an absolute URL"),
        ("http://example.com:99999/", "invalid", "url: not an absolute URL"),
        ("http://[::1/", "invalid", "url: not an absolute URL"),
        ("http://user:secret@example.com/", "invalid", "url: credentials in the URL; use the config's auth"),
        ("http://user@example.com/", "invalid", "url: credentials in the URL; use the config's auth"),
        ("http://../x", "invalid", "url: not a host name"),
        ("http://.example.com/", "invalid", "url: not a host name"),
        ("http://example..com/", "invalid", "url: not a host name"),
        (f"http://{'a' * 300}/", "invalid", "url: not a host name"),
        ("http://example.com/" + "a" * MAX_URL_CHARS, "invalid", f"url: longer than {MAX_URL_CHARS} characters"),
    ],
)
def test_what_is_not_fetched_says_why(text: str, reason: str, rule: str) -> None:
    """Other schemes, junk and credentials are out of scope, with the reason and without the secret."""
    assert canonicalize(text) == OutOfScope(reason, rule)


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("d.html", "http://books.example/a/b/d.html"),
        ("../d", "http://books.example/a/d"),
        ("/d", "http://books.example/d"),
        ("?x=2", "http://books.example/a/b/c.html?x=2"),
        ("", "http://books.example/a/b/c.html?q=1"),
        ("#top", "http://books.example/a/b/c.html?q=1"),
        ("//other.example/x", "http://other.example/x"),
        ("https://other.example", "https://other.example/"),
        ("https:d", "https://d/"),
        ("http:d", "http://books.example/a/b/d"),
        ("\\d", "http://books.example/d"),
        (" d ", "http://books.example/a/b/d"),
        ("%7ed", "http://books.example/a/b/~d"),
        ("\ud800", "http://books.example/a/b/%EF%BF%BD"),
    ],
)
def test_a_link_is_resolved_against_its_base(text: str, href: str) -> None:
    """Relative texts are joined as browsers join them."""
    assert url(text, PAGE).href == href


def test_host_and_origin() -> None:
    """The host carries a port only when it is not the scheme's default, the origin carries the scheme."""
    assert url("https://Books.Example:443/x")[2:] == ("books.example", "https://books.example")
    assert url("http://books.example:8080/x?y")[2:] == ("books.example:8080", "http://books.example:8080")
    assert url("http://books.example:8080/x?y").target == "/x?y"


def test_links_of_one_origin_share_their_strings() -> None:
    """A page's links borrow host and origin from the base: no copies of them in memory."""
    link = url("x", PAGE)
    assert link.host is PAGE.host
    assert link.origin is PAGE.origin
    assert link.key is link.href


def test_a_longer_host_is_not_mistaken_for_the_bases() -> None:
    """`books.example.evil` begins with the base's origin and is another host all the same."""
    link = url("http://books.example.evil/", PAGE)
    assert (link.host, link.origin) == ("books.example.evil", "http://books.example.evil")


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("http://b/", "http://b/"),
        ("../x/", "http://books.example/a/x/"),
        ("data:text/plain,x", None),
        ("javascript:x", None),
        ("http://[", None),
        ("x" * (MAX_URL_CHARS + 1), None),
    ],
)
def test_a_declared_base(href: str, expected: str | None) -> None:
    """`data:`, `javascript:` and junk are no bases; others are resolved against the page."""
    found = PAGE.join(href)
    assert (found.href if found else None) == expected


def test_a_base_of_another_scheme_leads_out_of_scope() -> None:
    """Links below `<base href=ftp:>` are ftp links."""
    base = PAGE.join("ftp://books.example/")
    assert base is not None
    assert canonicalize("x", base) == OutOfScope("scheme", "scheme: ftp")


def test_a_query_is_sent_in_the_pages_encoding() -> None:
    """On a windows-1251 page a Cyrillic query is encoded in windows-1251 and its path in UTF-8, as browsers do."""
    base = BaseUrl(url("http://books.example/"), "cp1251")
    assert url("/ж?q=ж&x=日", base).href == "http://books.example/%D0%B6?q=%E6&x=%26%2326085%3B"
    assert url("/plain?q=1", base).href == "http://books.example/plain?q=1"


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("?utm_source=x", ""),
        ("?utm_source", ""),
        ("?a=1&utm_source=x&b=2", "?a=1&b=2"),
        ("?a=1&gclid=", "?a=1"),
        ("?gclidx=1", "?gclidx=1"),
        ("?xgclid=1", "?xgclid=1"),
        ("?a=utm_source", "?a=utm_source"),
        ("?a=gclid&gclid=a", "?a=gclid"),
        ("?UTM_source=1", "?UTM_source=1"),
        ("?%75tm_source=1", ""),
        ("?a&&b", "?a&&b"),
        ("?", "?"),
        ("/utm_source?a", "/utm_source?a"),
    ],
)
def test_stripped_parameters_leave_only_the_key(query: str, key: str) -> None:
    """Stripping touches whole parameter names in the key; what is fetched keeps them."""
    found = url("http://e.example/p" + query, rules=TRACKING)
    assert found.key == "http://e.example/p" + key
    assert "utm" not in query or "utm" in found.href.lower()


def test_sorting_touches_only_the_key() -> None:
    """Parameters are ordered by name in the key; those of one name keep their order."""
    found = url("http://e.example/?b=1&a=2&b=0&a=1", rules=KeyRules(sort_query=True))
    assert found.key == "http://e.example/?a=2&a=1&b=1&b=0"
    assert found.href == "http://e.example/?b=1&a=2&b=0&a=1"


def test_rules_can_be_pickled() -> None:
    """Extraction runs in another process for large pages, so its rules travel there."""
    assert pickle.loads(pickle.dumps(TRACKING)).key("http://e/?gclid=1") == "http://e/"


PIECES = st.one_of(
    st.sampled_from(
        ["http://", "https:", "utm_x", "gclid", "xn--", "[::1]", "..", "%2e", "%7E", "%zz", "80", "\ud800"]
    ),
    st.sampled_from("/\\.%?#&=@:;~aB1äß\u3002\x00 \t\n"),
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=14).map("".join))


@given(TEXTS, st.booleans(), st.booleans())
@example("http://a/%%37e", False, False)
@example("http://a/?&utm_x=1", True, True)
@example("http://\u00ad./", False, True)
def test_any_text_is_canonical_once_and_for_all(text: str, relative: bool, ruled: bool) -> None:
    """Nothing raises; a result's href gives an equal URL, its key keeps its key, and both are plain ASCII."""
    rules = KeyRules(("utm_*", "gclid", ";s*d"), sort_query=True) if ruled else KeyRules()
    found = canonicalize(text, PAGE if relative else None, rules)
    if isinstance(found, OutOfScope):
        assert found.reason in {"scheme", "invalid"}
        return
    assert canonicalize(found.href, None, rules) == found
    again = canonicalize(found.key, None, rules)
    assert isinstance(again, Url)
    assert again.key == found.key
    assert found.href.isascii()
    assert "#" not in found.href
    assert found.href.startswith(found.origin + "/")
    assert found.origin.endswith("://" + found.host)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/a;jsessionid=1F.2", "/a"),
        ("/a;jsessionid", "/a"),
        ("/a;jsessionid=1/b;jsessionid=2?x=1", "/a/b?x=1"),
        ("/a;jsessionid=1?sid=2", "/a"),
        ("/a;b=1;jsessionid=2;c=3", "/a;b=1;c=3"),
        ("/a;jsessionids=1", "/a;jsessionids=1"),
        ("/a;JSESSIONID=1", "/a;JSESSIONID=1"),
        ("/a;version=1;vn", "/a"),
        ("/a;v/n", "/a;v/n"),
        ("/a?x=;jsessionid=1", "/a?x=;jsessionid=1"),
        ("/jsessionid=1", "/jsessionid=1"),
    ],
)
def test_parameters_of_the_path_are_stripped_from_the_key_alone(path: str, key: str) -> None:
    """A name behind a semicolon is a parameter of a path's segment (RFC 3986 section 3.3)."""
    found = url("http://e.example" + path, rules=SESSIONS)
    assert (found.href, found.key) == ("http://e.example" + path, "http://e.example" + key)
    assert SESSIONS.key(found.key) == found.key
