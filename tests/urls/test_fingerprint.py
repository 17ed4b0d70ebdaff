"""fingerprint: a URL as one number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scraper.model import Url
from scraper.urls.fingerprint import HOST_BITS, KEY_BITS, fingerprint, host_id


def made(host: str, path: str) -> Url:
    href = f"http://{host}/{path}"
    return Url(href, href, host, f"http://{host}")


@given(st.text(st.characters(codec="ascii"), max_size=20), st.text(st.characters(codec="ascii"), max_size=50))
def test_it_fits_a_signed_64_bit_integer(host: str, path: str) -> None:
    """The number is from 0 to 2**63 - 1, and its high bits are the host's."""
    number = fingerprint(made(host, path))
    assert 0 <= number < 2**63
    assert number >> KEY_BITS == host_id(host)
    assert 0 <= host_id(host) < 2**HOST_BITS


def test_urls_with_one_key_share_it() -> None:
    """The key decides, not what is fetched."""
    plain = Url("http://h/a", "http://h/a", "h", "http://h")
    tracked = Url("http://h/a?utm_x=1", "http://h/a", "h", "http://h")
    assert fingerprint(plain) == fingerprint(tracked)


def test_it_never_changes() -> None:
    """Stored numbers mean the same in every version and process."""
    assert fingerprint(made("books.example", "a")) == fingerprint(made("books.example", "a"))
    assert (host_id("books.example"), fingerprint(made("books.example", "a"))) == (PINNED_HOST, PINNED_URL)


def test_a_hundred_thousand_pages_of_a_host_differ() -> None:
    """No two of them share a number."""
    assert len({fingerprint(made("h", f"page/{n}")) for n in range(100_000)}) == 100_000


PINNED_HOST = 420166
PINNED_URL = 3695826728486323372
