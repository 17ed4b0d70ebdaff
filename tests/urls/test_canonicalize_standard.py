"""What the URL standard and RFC 3986 say about references and hosts, in tables of our own."""

from __future__ import annotations

import pytest

from scraper.model import OutOfScope, Url
from scraper.urls.canonicalize import BaseUrl, canonicalize

# RFC 3986 section 5.4, whose base is http://a/b/c/d;p?q; fragments are not part of what is fetched.
REFERENCES = {
    "g": "/b/c/g", "./g": "/b/c/g", "g/": "/b/c/g/", "/g": "/g", "?y": "/b/c/d;p?y", "g?y": "/b/c/g?y",
    "#s": "/b/c/d;p?q", "g#s": "/b/c/g", "g?y#s": "/b/c/g?y", ";x": "/b/c/;x", "g;x": "/b/c/g;x",
    "g;x?y#s": "/b/c/g;x?y", "": "/b/c/d;p?q", ".": "/b/c/", "./": "/b/c/", "..": "/b/", "../": "/b/",
    "../g": "/b/g", "../..": "/", "../../": "/", "../../g": "/g", "../../../g": "/g", "../../../../g": "/g",
    "/./g": "/g", "/../g": "/g", "g.": "/b/c/g.", ".g": "/b/c/.g", "g..": "/b/c/g..", "..g": "/b/c/..g",
    "./../g": "/b/g", "./g/.": "/b/c/g/", "g/./h": "/b/c/g/h", "g/../h": "/b/c/h", "g;x=1/./y": "/b/c/g;x=1/y",
    "g;x=1/../y": "/b/c/y", "g?y/./x": "/b/c/g?y/./x", "g?y/../x": "/b/c/g?y/../x", "g#s/../x": "/b/c/g",
    "http:g": "/b/c/g",  # a browser's reading; the RFC's strict one is a URL of its own
    "%2e%2e/g": "/b/g", ".%2E/g": "/b/g", "%2e/g": "/b/c/g", "\\g": "/g", "..\\g": "/b/g",
}  # fmt: skip

# WHATWG URL section 3.5: one address in many spellings, and what is none.
HOSTS = {
    "127.0.0.1": "127.0.0.1", "127.1": "127.0.0.1", "127.0.1": "127.0.0.1", "2130706433": "127.0.0.1",
    "0x7f000001": "127.0.0.1", "0x7f.1": "127.0.0.1", "0177.0.0.01": "127.0.0.1", "017700000001": "127.0.0.1",
    "0X7F.0.0.1": "127.0.0.1", "127.0.0.1.": "127.0.0.1", "0": "0.0.0.0", "0x": "0.0.0.0",
    "４": "0.0.0.4", "１２７。０。０。１": "127.0.0.1", "%31%32%37.0.0.1": "127.0.0.1",
    "[::1]": "[::1]", "[0:0:0:0:0:0:0:1]": "[::1]", "[::ffff:127.0.0.1]": "[::ffff:7f00:1]",
    "[::FFFF:7F00:1]": "[::ffff:7f00:1]", "[1:0:0:2::0]": "[1:0:0:2::]",
    "EXAMPLE.com": "example.com", "bücher.example": "xn--bcher-kva.example",
    "XN--BCHER-KVA.example": "xn--bcher-kva.example", "faß.example": "xn--fa-hia.example",
    "a\u00adb.example": "ab.example", "ex%61mple.com": "example.com",
    "256.0.0.1": None, "1.2.3.4.5": None, "0x7f.0.0.0x100": None, "4294967296": None, "1.2.3.08": None,
    "[::1": None, "[::g]": None, "[1:2:3:4:5:6:7:8:9]": None, "[fe80::1%25eth0]": None, "a b": None, "a<b": None,
    "a%00b": None, "a%2fb": None, "": None, "xn--": None, "a..b": None, "1.2.3.a4.0x1": None,
}  # fmt: skip


@pytest.mark.parametrize(("reference", "target"), REFERENCES.items(), ids=repr)
def test_references_are_resolved_as_rfc_3986_says(reference: str, target: str) -> None:
    """Section 5.4, normal and abnormal examples, as browsers read them."""
    base = canonicalize("http://a/b/c/d;p?q")
    assert isinstance(base, Url)
    found = canonicalize(reference, BaseUrl.of(base))
    assert isinstance(found, Url)
    assert found.href == f"http://a{target}"


@pytest.mark.parametrize(("host", "canonical"), HOSTS.items(), ids=repr)
def test_a_host_has_one_spelling(host: str, canonical: str | None) -> None:
    """What the guard and the scope judge is never a disguise."""
    found = canonicalize(f"http://{host}/")
    if canonical is None:
        assert isinstance(found, OutOfScope)
    else:
        assert isinstance(found, Url)
        assert (found.host, found.href) == (canonical, f"http://{canonical}/")
