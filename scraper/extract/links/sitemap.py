"""Reads sitemaps as streams: XML, sitemap indexes, RSS 2.0, RSS 1.0, Atom and plain text, gzipped or not.

The protocol (sitemaps.org) bounds a file at 50,000 entries and 50 MiB uncompressed; reading stops there and says so.
What was read before a file breaks is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scraper.extract.links.sitemap_formats import (
    INPUT_CHUNK_BYTES,
    SitemapEntry,
    SitemapLimits,
    SitemapParser,
    TextSitemapParser,
    XmlSitemapParser,
)
from scraper.extract.text.gunzip import Gunzip
from scraper.model import Url
from scraper.urls.scope_modes import strip_www

GZIP_MAGIC = b"\x1f\x8b"
_SKIPPED_AT_START = b"\xef\xbb\xbf\t\n\r "  # the bytes of a UTF-8 mark, and white space
_HTML_STARTS = (b"<!doctype html", b"<html")


class SitemapReader:
    """Reads one file. Feed it bytes, then close it; both return the entries that are complete.

    `problem` says what was not read and why; None when all was. Never raises for any bytes; holds no more than
    a few megabytes.
    """

    def __init__(self, limits: SitemapLimits | None = None) -> None:
        self._limits = limits or SitemapLimits()
        self._head = b""
        self._gunzip: Gunzip | None = None
        self._parser: SitemapParser | None = None
        self._size = 0
        self._count = 0
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """What is wrong with the file, in one line."""
        if self._problem is not None or self._parser is None:
            return self._problem
        if self._parser.problem is not None:
            return self._parser.problem
        left_out = self._parser.skipped_entries
        return f"{left_out} entries left out: not an address, or too long a one" if left_out else None

    @property
    def finished(self) -> bool:
        """Whether nothing more will be read, so that feeding may stop."""
        return self._problem is not None or (self._parser is not None and self._parser.problem is not None)

    def feed(self, data: bytes) -> list[SitemapEntry]:
        """Read on."""
        if self._parser is None and self._gunzip is None:
            data = self._head + data
            if len(data) < len(GZIP_MAGIC):
                self._head = data
                return []
            self._head = b""
            if data.startswith(GZIP_MAGIC):
                self._gunzip = Gunzip()
        self._read(data)
        return self._take_entries()

    def close(self) -> list[SitemapEntry]:
        """Say that nothing follows."""
        if self._head:
            data, self._head = self._head, b""
            self._feed_uncompressed(data)
        if not self.finished:
            if self._gunzip is not None:
                self._gunzip.close()
                self._problem = self._gunzip.problem
            if self._parser is not None and self._problem is None:
                self._parser.close()
        return self._take_entries()

    def _read(self, data: bytes) -> None:
        if self._gunzip is None:
            for at in range(0, len(data), INPUT_CHUNK_BYTES):
                self._feed_uncompressed(data[at : at + INPUT_CHUNK_BYTES])
            return
        for at in range(0, len(data), INPUT_CHUNK_BYTES):
            for piece in self._gunzip.feed(data[at : at + INPUT_CHUNK_BYTES]):
                self._feed_uncompressed(piece)
                if self.finished:
                    return
            if self._gunzip.problem is not None:
                self._problem = self._gunzip.problem
                return

    def _feed_uncompressed(self, data: bytes) -> None:
        if self.finished:
            return
        room = self._limits.max_bytes - self._size
        self._size += len(data)
        data = data[:room]
        if self._parser is None:
            data = data.lstrip(_SKIPPED_AT_START)  # expat would refuse white space before the XML declaration
            if data:
                self._parser = self._choose_parser(data)
        if self._parser is not None:
            self._parser.feed(data)
        if self._size > self._limits.max_bytes and not self.finished:
            self._problem = f"larger than {self._limits.max_bytes} bytes uncompressed: the rest was not read"

    def _choose_parser(self, data: bytes) -> SitemapParser | None:
        if data[:14].lower().startswith(_HTML_STARTS):
            self._problem = "not a sitemap: an HTML page"
            return None
        # UTF-16, which begins with a mark of two bytes, may only be XML.
        is_xml = data.startswith((b"<", b"\xff\xfe", b"\xfe\xff"))
        return XmlSitemapParser(self._limits) if is_xml else TextSitemapParser(self._limits)

    def _take_entries(self) -> list[SitemapEntry]:
        if self._parser is None:
            return []
        entries, self._parser.entries = self._parser.entries, []
        room = self._limits.max_entries - self._count
        self._count += len(entries)
        if self._count > self._limits.max_entries and self._problem is None:
            self._problem = f"more than {self._limits.max_entries} entries: the rest was not read"
        return entries[: max(room, 0)]


def read_sitemap(chunks: Iterable[bytes], reader: SitemapReader) -> Iterator[SitemapEntry]:
    """The entries of a file that comes in `chunks`; ask `reader.problem` afterwards."""
    for chunk in chunks:
        yield from reader.feed(chunk)
        if reader.finished:
            return
    yield from reader.close()


def may_list(loc: Url, sitemap: Url, from_robots: bool) -> bool:
    """Whether the file at `sitemap` may speak for `loc` (sitemaps.org, "Sitemap file location").

    It may for its own host (a leading `www.` aside), at or below its own directory; and for everything when a
    robots.txt named it, which is how one host lets another keep its sitemap.
    """
    if from_robots:
        return True
    path = sitemap.target.partition("?")[0]
    return strip_www(loc.host) == strip_www(sitemap.host) and loc.target.startswith(path[: path.rfind("/") + 1])
