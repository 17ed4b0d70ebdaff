"""Where a redirect leads: RFC 9110 sections 10.2.2 and 15.4, and what cannot be followed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.engine.redirects import is_redirect, redirect_request, revisits_own_chain
from scraper.model import Body, ErrorKind, Failure, Headers, Hop, Request, Response
from scraper.testing.fakes import make_request
from scraper.testing.frontier_contract import make_post
from scraper.urls.canonicalize import DEFAULT_KEY_RULES
from scraper.urls.post_identity import with_post_key
from scraper.urls.scope import Scope, ScopeSettings

ASKED = "http://a.example/b/c;p?q=1"


def page(status: int, location: bytes | None, request: Request | None = None) -> Response:
    fields = [(b"Location", location)] if location is not None else []
    return Response(request or make_request(ASKED), status, Headers(fields), Body(0, 0, ""))


def hop(location: bytes, scope: Scope | None = None, request: Request | None = None) -> Request | Failure:
    return redirect_request(page(302, location, request), scope, DEFAULT_KEY_RULES, 10)


@pytest.mark.parametrize(
    ("status", "location", "redirects"),
    [
        *((status, b"/x", status in (301, 302, 303, 307, 308)) for status in range(300, 309)),
        (301, None, False),
        (200, b"/x", False),
        (201, b"/x", False),
        (404, b"/x", False),
        (301, b"", True),
    ],
)
def test_which_answers_redirect(status: int, location: bytes | None, redirects: bool) -> None:
    """Five statuses with a Location; 300, 304, 305 and 306 do not lead anywhere."""
    assert is_redirect(page(status, location)) is redirects


@pytest.mark.parametrize(
    ("location", "target"),
    [
        (b"http://d.example/x", "http://d.example/x"),
        (b"HTTPS://D.Example:443/x", "https://d.example/x"),
        (b"//d.example/x", "http://d.example/x"),
        (b"/x", "http://a.example/x"),
        (b"x", "http://a.example/b/x"),
        (b"../x", "http://a.example/x"),
        (b"../../../x", "http://a.example/x"),
        (b"?x", "http://a.example/b/c;p?x"),
        (b"", "http://a.example/b/c;p?q=1"),
        (b"#top", "http://a.example/b/c;p?q=1"),
        (b"/x#frag", "http://a.example/x"),
        (b" /x ", "http://a.example/x"),
        (b"/a b", "http://a.example/a%20b"),
        ("/ü".encode(), "http://a.example/%C3%BC"),
        (b"/\xfc", "http://a.example/%C3%BC"),
        (b"\\\\d.example\\x", "http://d.example/x"),
        (b"http:/x", "http://a.example/x"),
        (b"http://d.example", "http://d.example/"),
        (b"http://2130706433/", "http://127.0.0.1/"),
    ],
)
def test_where_a_location_leads(location: bytes, target: str) -> None:
    """Relative to what was asked, without a fragment, raw UTF-8 and latin-1 read as browsers read them."""
    found = hop(location)
    assert isinstance(found, Request)
    assert (found.url.href, found.redirects) == (target, (Hop(ASKED, 302),))
    assert (found.attempt, found.slowdowns) == (0, 0)


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        (b"http://", ErrorKind.REDIRECT),
        (b"http://[", ErrorKind.REDIRECT),
        (b"http://a b/", ErrorKind.REDIRECT),
        (b"http://d.example:99999/", ErrorKind.REDIRECT),
        (b"http://user:pass@d.example/", ErrorKind.REDIRECT),
        (b"http://d..example/", ErrorKind.REDIRECT),
        (b"/" + b"x" * 70_000, ErrorKind.REDIRECT),
        (b"ftp://d.example/", ErrorKind.SCHEME),
        (b"file:///etc/passwd", ErrorKind.SCHEME),
        (b"javascript:alert(1)", ErrorKind.SCHEME),
        (b"data:,x", ErrorKind.SCHEME),
        (b"mailto:a@d.example", ErrorKind.SCHEME),
    ],
)
def test_what_is_not_followed(location: bytes, kind: ErrorKind) -> None:
    """Nonsense, credentials and other schemes are failures that no retry mends."""
    found = hop(location)
    assert isinstance(found, Failure)
    assert (found.error, found.permanent, found.status) == (kind, True, 302)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_chain_has_an_end(status: int) -> None:
    """The hop beyond the limit is refused, and a limit of none refuses the first."""
    request = make_request(ASKED)
    for number in range(10):
        found = redirect_request(page(status, b"/%d" % number, request), None, DEFAULT_KEY_RULES, 10)
        assert isinstance(found, Request)
        request = found
    assert isinstance(redirect_request(page(status, b"/x", request), None, DEFAULT_KEY_RULES, 10), Failure)
    assert isinstance(redirect_request(page(status, b"/x"), None, DEFAULT_KEY_RULES, 0), Failure)


def test_a_seed_may_lead_elsewhere_and_nothing_else_may() -> None:
    """A redirect never widens the scope."""
    seed = make_request(ASKED)
    scope = Scope(ScopeSettings(), [seed.url])
    assert isinstance(hop(b"http://d.example/", scope, seed), Request)
    refused = hop(b"http://d.example/", scope, replace(seed, depth=1))
    assert isinstance(refused, Failure)
    assert refused.error is ErrorKind.SCOPE


def test_a_url_that_leads_back_to_itself_is_asked_again() -> None:
    """That is how cookies are tested for; it is no duplicate."""
    first = hop(b"/x")
    assert isinstance(first, Request)
    back = hop(ASKED.encode(), request=first)
    assert isinstance(back, Request)
    assert (revisits_own_chain(first), revisits_own_chain(back)) == (False, True)


POST = make_post(ASKED, b'{"page":1}')


@pytest.mark.parametrize(("status", "keeps"), [(301, False), (302, False), (303, False), (307, True), (308, True)])
@pytest.mark.parametrize("location", [b"/x", b"", b"http://a.example:81/x"], ids=["beside", "itself", "elsewhere"])
def test_what_a_redirect_makes_of_a_post(status: int, keeps: bool, location: bytes) -> None:
    """RFC 9110 15.4: 301, 302 and 303 ask by GET, 307 and 308 post the same again."""
    found = redirect_request(page(status, location, POST), None, DEFAULT_KEY_RULES, 10)
    assert isinstance(found, Request)
    plain = hop(location)
    assert isinstance(plain, Request)
    assert (found.content, found.method) == ((POST.content, "POST") if keeps else (None, "GET"))
    assert found.url == with_post_key(plain.url, found.content)
    assert (found.redirects, found.posted_keys) == ((Hop(ASKED, status),), (POST.url.key,))
    assert revisits_own_chain(found) is (keeps and location == b"")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_makes_no_post_of_a_get(status: int) -> None:
    """And what was a GET keeps the key it has."""
    found = redirect_request(page(status, b"/x"), None, DEFAULT_KEY_RULES, 10)
    assert isinstance(found, Request)
    assert (found.content, found.posted_keys, found.url.key) == (None, (), "http://a.example/x")


def test_a_chain_of_methods_is_told() -> None:
    """A POST that is moved, then answered elsewhere: the GET at its end may come by what was posted to."""
    moved = redirect_request(page(308, b"/x", POST), None, DEFAULT_KEY_RULES, 10)
    assert isinstance(moved, Request)
    answered = redirect_request(page(303, ASKED.encode(), moved), None, DEFAULT_KEY_RULES, 10)
    assert isinstance(answered, Request)
    assert (answered.method, answered.posted_keys) == ("GET", (POST.url.key, moved.url.key))
    assert revisits_own_chain(answered) is False
    onward = redirect_request(page(302, ASKED.encode(), answered), None, DEFAULT_KEY_RULES, 10)
    assert isinstance(onward, Request)
    assert revisits_own_chain(onward) is True


@pytest.mark.parametrize(
    ("location", "status", "followed"),
    [
        (b"/x", 307, True),
        (b"http://d.example/", 307, False),
        (b"https://a.example/", 308, True),
        (b"http://d.example/", 303, True),
    ],
    ids=["same origin", "out of scope", "in scope", "as a GET"],
)
def test_contents_stay_in_scope(location: bytes, status: int, followed: bool) -> None:
    """A seed's redirect may lead anywhere, but what it posts goes to no host that is out of scope."""
    scope = Scope(ScopeSettings(), [POST.url])
    assert isinstance(redirect_request(page(status, location, POST), scope, DEFAULT_KEY_RULES, 10), Request) is followed


@given(st.binary(max_size=100))
def test_any_location_is_a_request_or_a_failure(location: bytes) -> None:
    """Nothing is raised, and what is followed is http or https."""
    found = hop(location)
    assert isinstance(found, Failure) or found.url.href.startswith(("http://", "https://"))
