"""Reads sitemaps as streams: XML, sitemap indexes, RSS 2.0, RSS 1.0, Atom and plain text, gzipped or not.

The protocol (sitemaps.org) allows 50,000 entries and 50 MiB uncompressed a file; reading stops there with a problem. Of
a broken file, the entries before the error are kept.
"""

from __future__ import annotations

import re
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

# Bytes of the beginning that decide about the format.
FORMAT_BYTES = 2_000
GZIP_MAGIC = b"\x1f\x8b"
_SKIPPED_AT_START = b"\xef\xbb\xbf\t\n\r "  # the bytes of a UTF-8 byte order mark, and white space
_XML_START_REGEX = re.compile(rb"<(?:\?xml|urlset|sitemapindex|rss|rdf:RDF|feed)[\s>]", re.IGNORECASE)
_HTML_STARTS = (b"<!doctype html", b"<html")


class SitemapReader:
    """Reads one file: `feed` it bytes, then `close` it. Both return the entries that are complete by then.

    Never raises, whatever the bytes; holds at most a few megabytes.
    """

    def __init__(self, limits: SitemapLimits | None = None) -> None:
        self._limits = limits or SitemapLimits()
        self._head = b""  # the first byte, if it came alone: the format is known by the second
        self._compression_known = False
        self._gunzip: Gunzip | None = None
        self._start: bytes | None = b""  # until the format is known
        self._parser: SitemapParser | None = None
        self._size = 0
        self._count = 0
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """What was not read and why, in one line; None if all was read."""
        if self._problem is not None or self._parser is None:
            return self._problem
        if self._parser.problem is not None:
            return self._parser.problem
        left_out = self._parser.skipped_entries
        return f"{left_out} entries left out: not an address, or too long a one" if left_out else None

    @property
    def finished(self) -> bool:
        """Whether further bytes would be ignored, so that feeding can stop."""
        return self._problem is not None or (self._parser is not None and self._parser.problem is not None)

    def feed(self, data: bytes) -> list[SitemapEntry]:
        """Read `data`, the next bytes."""
        if not self._compression_known:
            data = self._head + data
            if len(data) < len(GZIP_MAGIC):
                self._head = data
                return []
            self._head, self._compression_known = b"", True
            if data.startswith(GZIP_MAGIC):
                self._gunzip = Gunzip()
        self._read(data)
        return self._take_entries()

    def close(self) -> list[SitemapEntry]:
        """Read the end of the file."""
        if self._head:
            data, self._head = self._head, b""
            self._feed_uncompressed(data)
        self._begin(final=True)
        if not self.finished:
            if self._gunzip is not None:
                self._gunzip.close()
                self._problem = self._gunzip.problem
            if self._parser is not None and self._problem is None:
                self._parser.close()
        return self._take_entries()

    def _read(self, data: bytes) -> None:
        if self._gunzip is None:
            for start in range(0, len(data), INPUT_CHUNK_BYTES):
                self._feed_uncompressed(data[start : start + INPUT_CHUNK_BYTES])
            return
        for start in range(0, len(data), INPUT_CHUNK_BYTES):
            for chunk in self._gunzip.feed(data[start : start + INPUT_CHUNK_BYTES]):
                self._feed_uncompressed(chunk)
                if self.finished:
                    return
            if self._gunzip.problem is not None:
                self._problem = self._gunzip.problem
                return

    def _feed_uncompressed(self, data: bytes) -> None:
        if self.finished:
            return
        bytes_left = self._limits.max_bytes - self._size
        self._size += len(data)
        data = data[:bytes_left]
        if self._parser is not None:
            self._parser.feed(data)
        elif self._start is not None:
            self._start += data
            self._begin(final=False)
        if self._size > self._limits.max_bytes and not self.finished:
            self._problem = f"larger than {self._limits.max_bytes} bytes uncompressed: the rest was not read"

    def _begin(self, final: bool) -> None:
        """Choose the parser by the first bytes, once they are there, and give them to it."""
        data = (self._start or b"").lstrip(_SKIPPED_AT_START)
        if self._parser is not None or not data or (len(data) < FORMAT_BYTES and not final) or self.finished:
            return
        self._start = None
        self._parser = self._choose_parser(data)
        if self._parser is not None:
            self._parser.feed(data)

    def _choose_parser(self, data: bytes) -> SitemapParser | None:
        if data[:14].lower().startswith(_HTML_STARTS):
            self._problem = "not a sitemap: an HTML page"
            return None
        # A byte order mark of UTF-16 means XML: text sitemaps are UTF-8. Some servers write warnings before the XML.
        is_xml = data.startswith((b"<", b"\0<", b"\xff\xfe", b"\xfe\xff")) or _XML_START_REGEX.search(
            data[:FORMAT_BYTES]
        )
        return XmlSitemapParser(self._limits) if is_xml else TextSitemapParser(self._limits)

    def _take_entries(self) -> list[SitemapEntry]:
        if self._parser is None:
            return []
        entries, self._parser.entries = self._parser.entries, []
        entries_left = self._limits.max_entries - self._count
        self._count += len(entries)
        if self._count > self._limits.max_entries and self._problem is None:
            self._problem = f"more than {self._limits.max_entries} entries: the rest was not read"
        return entries[: max(entries_left, 0)]


def read_sitemap(chunks: Iterable[bytes], reader: SitemapReader) -> Iterator[SitemapEntry]:
    """The entries of the file whose bytes are `chunks`. `reader.problem` says afterwards whether all were read."""
    for chunk in chunks:
        yield from reader.feed(chunk)
        if reader.finished:
            return
    yield from reader.close()


def may_list(loc: Url, sitemap: Url, from_robots: bool) -> bool:
    """Whether the sitemap at the URL `sitemap` may list `loc` (sitemaps.org, "Sitemap file location").

    It may list URLs of its own host (a leading `www.` ignored) at or below its own directory. A sitemap that a
    robots.txt names may list any URL: that is how one host entrusts its sitemap to another.
    """
    if from_robots:
        return True
    path = sitemap.target.partition("?")[0]
    return strip_www(loc.host) == strip_www(sitemap.host) and loc.target.startswith(path[: path.rfind("/") + 1])
