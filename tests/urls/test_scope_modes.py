"""Hosts as the modes of a scope compare them."""

from __future__ import annotations

import pytest

from scraper.urls.scope_modes import ExtraHosts, registrable_domain, strip_www


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("books.example", "books.example"),
        ("a.b.books.co.uk", "books.co.uk"),
        ("books.co.uk", "books.co.uk"),
        ("co.uk", "co.uk"),
        ("me.github.io", "me.github.io"),
        ("x.me.github.io", "me.github.io"),
        ("localhost", "localhost"),
        ("localhost:8000", "localhost:8000"),
        ("a.books.example:8000", "books.example:8000"),
        ("127.0.0.1", "127.0.0.1"),
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("[::1]:8000", "[::1]:8000"),
        ("a.xn--exmple-cua.de", "xn--exmple-cua.de"),
        ("", ""),
        (".", "."),
    ],
)
def test_the_registrable_domain(host: str, domain: str) -> None:
    """The public suffix list decides; addresses and single labels stand for themselves."""
    assert registrable_domain(host) == domain


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("www.books.example", "books.example"),
        ("www12.books.example:80", "books.example:80"),
        ("wwwx.books.example", "wwwx.books.example"),
        ("www.example", "www.example"),
        ("www.example:8080", "www.example:8080"),
        ("www.", "www."),
        ("books.www.example", "books.www.example"),
    ],
)
def test_a_leading_www_is_ignored(host: str, expected: str) -> None:
    """Only as a whole first label, and only when a domain is left."""
    assert strip_www(host) == expected


@pytest.mark.parametrize(
    ("pattern", "host", "expected"),
    [
        ("cdn.books.example", "cdn.books.example", True),
        ("cdn.books.example", "www.cdn.books.example", True),
        ("cdn.books.example", "x.cdn.books.example", False),
        ("*.books.example", "a.b.books.example", True),
        ("*.books.example", "books.example", False),
        ("*.books.example", "books.example.evil", False),
        ("*.Books.Example", "a.books.example", True),
        ("books.example", "books.example:8080", False),
        ("books.example:8080", "books.example:8080", True),
        ("exämple.com", "xn--exmple-cua.com", True),
        ("a.b", "axb", False),
        ("*", "anything:1", True),
        ("[", "[", True),
        ("", "x", False),
    ],
)
def test_further_hosts(pattern: str, host: str, expected: bool) -> None:
    """A host is named exactly or with `*`; dots are dots, case and IDNA do not matter."""
    assert ExtraHosts([pattern])(host) == expected
