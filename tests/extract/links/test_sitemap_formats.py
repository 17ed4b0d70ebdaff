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
    """An entry inside an entry follows it, other elements may be open to a limit, and only direct parts count."""
    found, problem = entries(urlset("<url>" * 50_000 + "<loc>http://e/x</loc>" + "</url>" * 50_000))
    assert [entry.loc for entry in found] == ["http://e/x"]
    assert problem == "49999 entries left out: not an address, or too long a one"
    found, problem = entries(urlset("<url><a><loc>http://e/x</loc></a></url>" + "<a>" * 50_000))
    assert found == []
    assert problem is not None
    assert problem.startswith("more than 1000 elements inside each other")


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("gb2312", "gb2312"),
        ("shift_jis", "Shift_JIS"),
        ("euc_kr", "euc-kr"),
        ("big5", "Big5"),
        ("cp1251", "windows-1251"),
    ],
)
def test_any_encoding_of_the_web_is_read(encoding: str, declared: str) -> None:
    """By its declaration, whatever the number of bytes a character has."""
    text = {"gb2312": "中", "shift_jis": "あ", "euc_kr": "가", "big5": "中", "cp1251": "Ж"}[encoding]
    data = f'<?xml version="1.0" encoding="{declared}"?><urlset><url><loc>http://e/{text}</loc></url></urlset>'
    for size in (7, 10_000):
        raw = data.encode(encoding)
        found, problem = entries(raw[at : at + size] for at in range(0, len(raw), size))
        assert ([entry.loc for entry in found], problem) == ([f"http://e/{text}"], None)


def feed(inside: str, root: str = "feed") -> list[tuple[str, str | None]]:
    found, _ = entries(f"<{root}>{inside}</{root.split()[0]}>".encode())
    return [(entry.loc, entry.lastmod) for entry in found]


@pytest.mark.parametrize(
    ("root", "inside", "locs"),
    [
        ("rss", "<channel><item><guid>http://e/a</guid></item></channel>", ["http://e/a"]),
        ("rss", "<channel><item><guid isPermaLink='true'>/a</guid></item></channel>", ["/a"]),
        ("rss", "<channel><item><guid isPermaLink='false'>http://e/a</guid></item></channel>", []),
        ("rss", "<channel><item><guid>urn:x</guid></item></channel>", []),
        ("rss", "<channel><item><guid>http://e/g</guid><link>http://e/a</link></item></channel>", ["http://e/a"]),
        ("rss", "<channel><item><link href='http://e/a'/></item></channel>", ["http://e/a"]),
        ("rss", "<channel><item><link/><guid>http://e/a</guid></item></channel>", ["http://e/a"]),
        ("rss xml:base='http://e/x/'", "<channel><item><link>a</link></item></channel>", ["http://e/x/a"]),
        ("rss", "<channel xml:base='/x/'><item xml:base='y/'><link>a</link></item></channel>", ["/x/y/a"]),
        ("rss", "<channel><item><link>http://e/a?b=1&copy=2</link></item></channel>", ["http://e/a?b=1&copy=2"]),
        ("rss", "<channel><item><link><![CDATA[http://e/a?b&c]]></link></item></channel>", ["http://e/a?b&c"]),
        (
            "rss",
            "<channel><item><media:link>http://e/m</media:link><link>http://e/a</link></item></channel>",
            ["http://e/a"],
        ),
        ("rss", "<channel></channel><item><link>http://e/a</link></item>", ["http://e/a"]),
        ("feed", "<entry><link>http://e/a</link></entry>", ["http://e/a"]),
        ("feed", "<entry><id>http://e/a</id></entry>", ["http://e/a"]),
        ("feed", "<entry><id>tag:e,2024:1</id></entry>", []),
        ("feed", "<entry><id>http://e/i</id><link href='http://e/a'/></entry>", ["http://e/a"]),
        ("feed", "<entry><id>http://e/i</id><link rel='self' href='http://e/s'/></entry>", ["http://e/i"]),
        ("feed xml:base='http://e/x/'", "<entry><link xml:base='y/' href='a'/></entry>", ["http://e/x/y/a"]),
        (
            "a:feed xmlns:a='http://www.w3.org/2005/Atom'",
            "<a:entry><a:link href='http://e/a'/></a:entry>",
            ["http://e/a"],
        ),
        ("urlset", "<url><image:loc>http://e/i</image:loc><loc>http://e/a</loc></url>", ["http://e/a"]),
        ("urlset", "<url><xhtml:link rel='alternate' href='http://e/de'/><loc>http://e/a</loc></url>", ["http://e/a"]),
    ],
)
def test_an_entry_has_the_address_that_it_means(root: str, inside: str, locs: list[str]) -> None:
    """Link, else a guid or id that is an address; relative to `xml:base`."""
    assert [loc for loc, _ in feed(inside, root)] == locs


def test_what_stands_beside_a_missing_end_tag_keeps_its_value() -> None:
    """No date is joined with what follows it."""
    inside = "<channel><item><link>http://e/a<pubDate>Wed, 01 May 2024<title>5</title></item></channel>"
    assert feed(inside, "rss") == [("http://e/a", "Wed, 01 May 2024")]


def test_sitemaps_among_urls_and_urls_among_sitemaps_are_what_they_are() -> None:
    """The element says it, not the root."""
    found, _ = entries(urlset("<sitemap><loc>http://e/s.xml</loc></sitemap><url><loc>http://e/a</loc></url>"))
    assert [(entry.loc, entry.kind) for entry in found] == [("http://e/s.xml", "sitemap"), ("http://e/a", "url")]


@pytest.mark.parametrize("piece", ["<a", "<!--", "&", "<", "<a 'b", '<a x="', "</", "<![CDATA[", "<url>", "&#"])
def test_no_text_takes_long(piece: str) -> None:
    """However often something begins that does not end."""
    entries(urlset(piece * 100_000))
