"""Parsers for the formats of sitemaps: plain text, and five kinds of XML.

A parser takes bytes and collects entries. XML is read by expat as a stream, never as a tree. A file that declares
entities is rejected, which rules out exponential expansion ("billion laughs") and external entities; nothing outside
the file is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol
from xml.parsers import expat

# Bytes given to a parser at a time. Not fewer, because expat starts an unfinished tag again with each chunk.
INPUT_CHUNK_BYTES = 1024 * 1024
# Longest tag, comment or the like, in bytes: longer ones end the reading.
MAX_TAG_BYTES = 1024 * 1024
# Longest date, in characters: longer ones are ignored.
MAX_LASTMOD_CHARS = 64

# By root element, the path of local names that leads from it to an entry.
_ENTRY_PATHS: dict[str, tuple[str, ...]] = {
    "urlset": ("url",),
    "sitemapindex": ("sitemap",),
    "rss": ("channel", "item"),
    "RDF": ("item",),
    "feed": ("entry",),
}
# The children of an entry that are read.
_LOCATION_TAGS = frozenset({"loc", "link"})
_DATE_TAGS = frozenset({"lastmod", "pubDate", "updated", "date"})


@dataclass(frozen=True, slots=True)
class SitemapLimits:
    """Limits of one file: entries, bytes uncompressed, characters of a location (one less than `max_loc`)."""

    max_entries: int = 50_000
    max_bytes: int = 50 * 1024 * 1024
    max_loc: int = 2048


class SitemapEntry(NamedTuple):
    """One entry: location and date of the last change, both as written. `kind` is `sitemap` in an index."""

    loc: str
    lastmod: str | None
    kind: Literal["url", "sitemap"]


class SitemapParser(Protocol):
    """Parses a file into `entries`, which the caller takes out.

    `problem` says why reading ended early, else None. `skipped_entries` counts entries without a usable location,
    `entries_beyond` those beyond `SitemapLimits.max_entries`, which are not kept.
    """

    entries: list[SitemapEntry]
    problem: str | None
    skipped_entries: int
    entries_beyond: int

    def feed(self, data: bytes) -> None:
        """Parse `data`, the next bytes; the first are neither white space nor a byte order mark. Never raises."""
        ...

    def close(self) -> None:
        """Parse the end of the file. Never raises."""
        ...


class TextSitemapParser:
    """Plain text in UTF-8: one URL a line."""

    def __init__(self, limits: SitemapLimits) -> None:
        self._limits = limits
        self._unfinished_line = b""
        self._skipping_line = False  # the line is too long, and its rest is thrown away
        self._count = 0
        self.entries: list[SitemapEntry] = []
        self.problem: str | None = None
        self.skipped_entries = self.entries_beyond = 0

    def feed(self, data: bytes) -> None:
        """Parse `data`, the next bytes."""
        *lines, rest = (self._unfinished_line + data).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            if self._skipping_line:
                self._skipping_line = False
            else:
                self._parse_line(line)
        # A line that is already too long is counted once, and not kept in memory until its end.
        if len(rest) > self._limits.max_loc * 4:
            if not self._skipping_line:
                self.skipped_entries += 1
            self._skipping_line, rest = True, b""
        self._unfinished_line = rest

    def close(self) -> None:
        """Parse the last line, which may lack its end."""
        if not self._skipping_line:
            self._parse_line(self._unfinished_line)
        self._unfinished_line = b""

    def _parse_line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").strip("\ufeff\t ")
        if not text:
            return
        if len(text) < self._limits.max_loc and text[:8].lower().startswith(("http://", "https://")):
            self._count += 1
            if self._count > self._limits.max_entries:
                self.entries_beyond += 1
            else:
                self.entries.append(SitemapEntry(text, None, "url"))
        else:
            self.skipped_entries += 1


class _StopParsing(Exception):  # noqa: N818  no error, but the way out of expat's callbacks
    pass


class XmlSitemapParser:
    """XML of any of the five kinds, told apart by the root element."""

    def __init__(self, limits: SitemapLimits) -> None:
        self._limits = limits
        self._depth = 0
        self._path: tuple[str, ...] = ()  # from the root to an entry, see `_ENTRY_PATHS`
        self._matched_path = 0  # how many elements of that path are open
        self._root = ""
        self._part: str | None = None  # the child of an entry that is being read: "loc" or "date"
        self._text: list[str] = []
        self._text_chars = 0
        self._loc: str | None = None
        self._lastmod: str | None = None
        self._count = 0
        self._fed_bytes = 0
        self.entries: list[SitemapEntry] = []
        self.problem: str | None = None
        self.skipped_entries = self.entries_beyond = 0
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = self._entity

    def feed(self, data: bytes) -> None:
        """Parse `data`, the next bytes."""
        self._parse(data, False)
        self._fed_bytes += len(data)
        # `CurrentByteIndex` is the start of the tag that expat cannot finish yet.
        if self.problem is None and self._fed_bytes - self._parser.CurrentByteIndex > MAX_TAG_BYTES + INPUT_CHUNK_BYTES:
            self.problem = f"one tag is longer than {MAX_TAG_BYTES} bytes: the rest was not read"

    def close(self) -> None:
        """Parse the end of the file; sets `problem` if elements are left open."""
        self._parse(b"", True)

    def _parse(self, data: bytes, final: bool) -> None:
        try:
            self._parser.Parse(data, final)
        except _StopParsing as stop:
            self.problem = str(stop)
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            self.problem = f"broken XML in line {error.lineno}: {what}: the rest was not read"
        except (ValueError, LookupError) as error:  # an encoding that Python lacks, or that is none of text
            self.problem = f"unreadable XML: {error}"
        if self.problem is not None:
            self._finish_entry()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        # Either the root, or an element of the path to an entry, or a child of an entry; others are ignored.
        self._depth += 1
        local = name.rpartition(":")[2]
        if self._depth == 1:
            if local not in _ENTRY_PATHS:
                raise _StopParsing(f"not a sitemap: its root element is <{local[:40]}>")
            self._root, self._path = local, _ENTRY_PATHS[local]
        elif self._depth == self._matched_path + 2 and self._matched_path < len(self._path):
            if local == self._path[self._matched_path]:
                self._matched_path += 1
        elif self._matched_path == len(self._path) and self._depth == len(self._path) + 2:
            self._start_part(local, attributes)

    def _start_part(self, local: str, attributes: dict[str, str]) -> None:
        if local in _LOCATION_TAGS:
            if self._root == "feed":
                # In Atom the URL is an attribute. Links with another relation (self, enclosure) are not the entry's.
                if attributes.get("rel", "alternate") == "alternate" and self._loc is None:
                    self._loc = attributes.get("href", "")
                return
            self._part = "loc"
        elif local in _DATE_TAGS:
            self._part = "date"
        else:
            return
        self._text, self._text_chars = [], 0
        # Only now: a callback for every other text of the file would be most of the time.
        self._parser.CharacterDataHandler = self._characters

    def _characters(self, text: str) -> None:
        self._text_chars += len(text)
        if self._text_chars <= self._limits.max_loc * 2:
            self._text.append(text)

    def _end(self, _name: str) -> None:
        if self._part is not None and self._depth == len(self._path) + 2:
            text = "".join(self._text).strip()
            if self._text_chars > self._limits.max_loc * 2:
                text = " " * self._limits.max_loc  # it was not kept; this counts as too long, too
            if self._part == "loc":
                self._loc = self._loc or text
            elif self._lastmod is None and 0 < len(text) <= MAX_LASTMOD_CHARS:
                self._lastmod = text
            self._part = None
            self._parser.CharacterDataHandler = None
        elif self._matched_path > 0 and self._depth == self._matched_path + 1:
            if self._matched_path == len(self._path):
                self._finish_entry()
            self._matched_path -= 1
        self._depth -= 1

    def _finish_entry(self) -> None:
        loc, lastmod = self._loc, self._lastmod
        self._loc = self._lastmod = None
        if loc is None:
            return
        if not loc or len(loc) >= self._limits.max_loc:
            self.skipped_entries += 1
            return
        self._count += 1
        if self._count > self._limits.max_entries:
            self.entries_beyond += 1
        else:
            self.entries.append(SitemapEntry(loc, lastmod, "sitemap" if self._root == "sitemapindex" else "url"))

    def _entity(self, *_: object) -> None:
        raise _StopParsing("it declares entities, which no sitemap needs: not read")
