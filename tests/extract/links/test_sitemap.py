"""sitemap: locations from a stream, within bounds, whatever the file is."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.extract.links.sitemap import SitemapReader, may_list, read_sitemap
from scraper.extract.links.sitemap_formats import SitemapEntry, SitemapLimits
from scraper.extract.text.gunzip import MAX_GZIP_MEMBERS
from scraper.model import Url
from scraper.urls.canonicalize import canonicalize

SMALL = SitemapLimits(max_entries=3, max_bytes=2000, max_loc=60)


def entries(
    data: bytes | Iterable[bytes], limits: SitemapLimits | None = None
) -> tuple[list[SitemapEntry], str | None]:
    reader = SitemapReader(limits)
    found = list(read_sitemap([data] if isinstance(data, bytes) else data, reader))
    return found, reader.problem


def urlset(inside: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        f"{inside}</urlset>"
    ).encode()


URLSET = urlset(
    "<url><loc>\n http://e/a?x=1&amp;y=2 </loc><lastmod>2024-05-01</lastmod><priority>0.5</priority></url>"
    "<url><image:image><image:loc>http://e/i.png</image:loc></image:image><loc>http://e/<![CDATA[b&c]]></loc></url>"
)
INDEX = b"""<sitemapindex><sitemap><loc>http://e/1.xml.gz</loc><lastmod>2024-05-01T10:00:00+00:00</lastmod></sitemap>
<sitemap><loc>http://e/2.xml</loc></sitemap></sitemapindex>"""
RSS = b"""<rss version="2.0"><channel><title>x</title><link>http://e/</link><image><link>http://e/i</link></image>
<item><title>t</title><atom:link href="http://e/other"/><link>http://e/a</link><pubDate>Wed, 01 May 2024</pubDate>
</item><item><link>http://e/b</link></item></channel></rss>"""
RDF = b"""<rdf:RDF><channel><link>http://e/</link></channel>
<item><link>http://e/a</link><dc:date>2024-05-01</dc:date></item></rdf:RDF>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><link href="http://e/"/><updated>2024-01-01</updated>
<entry><link rel="self" href="http://e/self"/><link href="http://e/a"/><link href="http://e/2nd"/>
<updated>2024-05-01</updated></entry><entry><link rel="alternate" href="http://e/b"/></entry></feed>"""
TEXT = b"\xef\xbb\xbfhttp://e/a\r\n\n  https://e/b  \nHTTP://E/c"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(
            URLSET,
            [SitemapEntry("http://e/a?x=1&y=2", "2024-05-01", "url"), SitemapEntry("http://e/b&c", None, "url")],
            id="urlset",
        ),
        pytest.param(
            INDEX,
            [
                SitemapEntry("http://e/1.xml.gz", "2024-05-01T10:00:00+00:00", "sitemap"),
                SitemapEntry("http://e/2.xml", None, "sitemap"),
            ],
            id="index",
        ),
        pytest.param(
            RSS,
            [SitemapEntry("http://e/a", "Wed, 01 May 2024", "url"), SitemapEntry("http://e/b", None, "url")],
            id="RSS 2.0",
        ),
        pytest.param(RDF, [SitemapEntry("http://e/a", "2024-05-01", "url")], id="RSS 1.0"),
        pytest.param(
            ATOM, [SitemapEntry("http://e/a", "2024-05-01", "url"), SitemapEntry("http://e/b", None, "url")], id="Atom"
        ),
        pytest.param(
            TEXT, [SitemapEntry(loc, None, "url") for loc in ("http://e/a", "https://e/b", "HTTP://E/c")], id="text"
        ),
        pytest.param(urlset(""), [], id="empty urlset"),
        pytest.param(b"", [], id="empty file"),
        pytest.param(b"\n \n", [], id="white space"),
    ],
)
@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("size", [1, 7, 100_000], ids=lambda size: f"chunks of {size}")
def test_every_format_is_read(data: bytes, expected: list[SitemapEntry], gzipped: bool, size: int) -> None:
    """All formats give their entries, plain or gzipped, however the bytes are cut."""
    data = gzip.compress(data) if gzipped else data
    assert entries(data[at : at + size] for at in range(0, len(data), size)) == (expected, None)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xef\xbb\xbf" + URLSET, id="byte order mark"),
        pytest.param(b"\n\n " + URLSET, id="white space before the declaration"),
        pytest.param(URLSET.decode().replace("UTF-8", "UTF-16").encode("utf-16"), id="UTF-16"),
        pytest.param(URLSET.replace(b"UTF-8", b"windows-1251"), id="another encoding"),
        pytest.param(gzip.compress(URLSET[:50]) + gzip.compress(URLSET[50:]), id="two gzip members"),
        pytest.param(gzip.compress(URLSET) + b"\0" * 100, id="padded gzip"),
        pytest.param(gzip.compress(URLSET) + b"\0", id="gzip padded by one"),
        pytest.param(gzip.compress(URLSET) + b"junk", id="junk after gzip"),
        pytest.param(URLSET.replace(b"urlset", b"sm:urlset").replace(b"url>", b"sm:url>"), id="prefixes"),
        pytest.param(URLSET.replace(b"&amp;", b"&"), id="bare ampersand"),
        pytest.param(URLSET.replace(b"</lastmod>", b"</x>"), id="mismatched end tag"),
        pytest.param(URLSET.replace(b"</lastmod>", b""), id="missing end tag"),
        pytest.param(URLSET.replace(b"</url><url>", b"<url>"), id="missing end of an entry"),
        pytest.param(URLSET.replace(b"</priority>", b"</priority></p><br>"), id="stray tags"),
        pytest.param(URLSET.replace(b"<lastmod>", b"<x y='>'>a < b & c</x><lastmod>"), id="a bare less-than sign"),
        pytest.param(URLSET.replace(b"\n http", b"\n&nbsp;http"), id="an entity of HTML"),
        pytest.param(URLSET.replace(b"<priority>", b"<priority>\x0b\x01"), id="control characters"),
        pytest.param(b"Warning: x in y\n" + URLSET, id="a warning before it"),
        pytest.param(URLSET.replace(b'"UTF-8"', b'"utf-16"'), id="says UTF-16"),
        pytest.param(URLSET.replace(b'"UTF-8"', b'"hex"'), id="an encoding that is none"),
        pytest.param(URLSET.decode().encode("utf-16-le"), id="UTF-16 without a mark"),
        pytest.param(URLSET.replace(b"url>", b"URL>").replace(b"loc>", b"Loc>"), id="upper case"),
        pytest.param(URLSET + b"\n<!-- cached -->\n", id="a comment behind it"),
    ],
)
def test_odd_but_whole_files_are_read(data: bytes) -> None:
    """What other readers trip over does not lose an entry."""
    found, problem = entries(data)
    assert [entry.loc for entry in found] == ["http://e/a?x=1&y=2", "http://e/b&c"]
    assert problem is None


@pytest.mark.parametrize(
    ("data", "count", "problem"),
    [
        pytest.param(URLSET[:-30], 1, "it ends inside <loc>: the rest is missing", id="cut off"),
        pytest.param(
            urlset("<url><loc>http://e/a</loc></url><url><loc>&nbsp;</loc></url>"), 1,
            "1 entries left out: not an address, or too long a one", id="nothing but a space",
        ),
        pytest.param(
            urlset("<url><loc>http://e/a</loc></url><url><loc>http://e/<b>c</b></loc></url>"), 1,
            "1 entries left out: not an address, or too long a one", id="an element in a location",
        ),
        pytest.param(
            urlset("<url><loc>http://e/a</loc></url><url><loc>http://e/")[:-9] + b"\xe9</loc></url></urlset>", 1,
            "1 entries left out: not an address, or too long a one", id="not the encoding that it says",
        ),
        pytest.param(b"<!doctype html><html><body>", 0, "not a sitemap: an HTML page", id="HTML"),
        pytest.param(b"<div>", 0, "not a sitemap: its root element is <div>", id="another root"),
        pytest.param(gzip.compress(TEXT)[:-12], 2, "gzip ends in the middle", id="gzip cut off"),
        pytest.param(b"\x1f\x8bjunk", 0, None, id="gzip in name only"),
        pytest.param(b"one\nhttp://e/a\ntwo", 1, "2 entries left out: not an address, or too long a one", id="text"),
        pytest.param(
            urlset(f"<url><loc>http://e/{'x' * 2100}</loc></url><url><loc/></url><url/>"), 0,
            "3 entries left out: not an address, or too long a one", id="too long, empty, missing",
        ),
        pytest.param(
            urlset(f"<url><loc>http://e/{'x' * 9000}</loc></url>"), 0,
            "1 entries left out: not an address, or too long a one", id="much too long",
        ),
        pytest.param(b"x" * 100_000 + b"\nhttp://e/a", 1, "1 entries left out: not an address, or too long a one",
                     id="a long line"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_the_rest_kept(data: bytes, count: int, problem: str | None) -> None:
    """A broken file gives what was read before the break, and one line about it."""
    found, said = entries(data)
    assert len(found) == count
    assert said is not None
    assert problem is None or said == problem


@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("text", [False, True], ids=["XML", "text"])
def test_entries_are_capped(text: bool, gzipped: bool) -> None:
    """The entries up to the cap are given, and the rest is reported."""
    many = [f"http://e/{n}" for n in range(10)]
    data = "\n".join(many).encode() if text else urlset("".join(f"<url><loc>{loc}</loc></url>" for loc in many))
    found, problem = entries(gzip.compress(data) if gzipped else data, SMALL)
    assert [entry.loc for entry in found] == many[:3]
    assert problem == "more than 3 entries: the rest was not read"
    assert len(entries(data, SitemapLimits(max_entries=10))[0]) == 10
    assert entries(data, SitemapLimits(max_entries=10))[1] is None


@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzip"])
def test_bytes_are_capped_after_decompression(gzipped: bool) -> None:
    """A small file that grows is read up to the cap."""
    data = urlset("<url><loc>http://e/a</loc></url>" + " " * 3000 + "<url><loc>http://e/b</loc></url>")
    found, problem = entries(gzip.compress(data) if gzipped else data, SMALL)
    assert [entry.loc for entry in found] == ["http://e/a"]
    assert problem == "larger than 2000 bytes uncompressed: the rest was not read"


def test_a_gzip_bomb_is_cheap() -> None:
    """A gigabyte of zeros in a megabyte is not unpacked beyond the cap, nor held in memory."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b" " * 1_000_000) for _ in range(100)) + packer.flush()
    found, problem = entries(bomb)
    assert found == []
    assert problem == "larger than 52428800 bytes uncompressed: the rest was not read"


def test_gzip_members_are_bounded() -> None:
    """Many tiny members do not take quadratic time."""
    found, problem = entries(gzip.compress(b"") * (MAX_GZIP_MEMBERS + 1))
    assert found == []
    assert problem == f"more than {MAX_GZIP_MEMBERS} gzip members"


@pytest.mark.parametrize(
    ("loc", "sitemap", "from_robots", "expected"),
    [
        ("http://e.example/x", "http://e.example/sitemap.xml", False, True),
        ("https://www.e.example/x", "http://e.example/sitemap.xml", False, True),
        ("http://e.example/a/x", "http://e.example/a/sitemap.xml?y=/b/", False, True),
        ("http://e.example/b/x", "http://e.example/a/sitemap.xml", False, False),
        ("http://other.example/x", "http://e.example/sitemap.xml", False, False),
        ("http://e.example:81/x", "http://e.example/sitemap.xml", False, False),
        ("http://other.example/x", "http://e.example/sitemap.xml", True, True),
    ],
)
def test_who_a_sitemap_may_list(loc: str, sitemap: str, from_robots: bool, expected: bool) -> None:
    """Its own host, at or below its directory, unless a robots.txt vouches for it."""
    target, source = canonicalize(loc), canonicalize(sitemap)
    assert isinstance(target, Url)
    assert isinstance(source, Url)
    assert may_list(target, source, from_robots) is expected


XMLISH = st.lists(
    st.one_of(
        st.sampled_from(["<urlset>", "</urlset>", "<url>", "</url>", "<loc>", "</loc>", "http://e/", "&amp;"]),
        st.sampled_from(["<feed>", "<entry>", "<link href='x'/>", "</entry>", "</feed>", "<!--", "-->", "\n"]),
        st.sampled_from(["<![CDATA[", "]]>", "<x", ">", "&", "\x00"]),
    ),
    max_size=20,
).map(lambda parts: "".join(parts).encode())


@given(st.one_of(st.binary(max_size=200), XMLISH), st.booleans(), st.integers(1, 50))
def test_any_bytes_are_read_within_bounds(data: bytes, gzipped: bool, size: int) -> None:
    """Nothing raises, the caps hold, and where the bytes are cut does not matter."""
    data = gzip.compress(data) if gzipped else data
    whole, problem = entries(data, SMALL)
    assert len(whole) <= SMALL.max_entries
    assert all(0 < len(entry.loc) < SMALL.max_loc for entry in whole)
    pieces, again = entries([data[at : at + size] for at in range(0, len(data), size)], SMALL)
    assert pieces == whole
    assert (again is None) == (problem is None)
