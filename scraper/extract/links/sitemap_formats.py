"""The formats of sitemaps: plain text, and XML with its five vocabularies.

Each takes bytes and gathers entries. XML goes through expat, never into a tree: no entity is ever declared (which
ends "billion laughs" and external entities alike) and nothing outside the file is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol
from xml.parsers import expat

# Bytes given to a parser at a time: expat reads an unfinished tag anew with each.
INPUT_CHUNK_BYTES = 1024 * 1024
# Bytes of one tag, comment or the like, beyond which a file is given up.
MAX_TAG_BYTES = 1024 * 1024
# Characters of a date that are kept.
MAX_LASTMOD_CHARS = 64

# Where the entries of each format are: by root element, the path to an entry and to its parts, in local names.
_ENTRY_PATHS: dict[str, tuple[str, ...]] = {
    "urlset": ("url",),
    "sitemapindex": ("sitemap",),
    "rss": ("channel", "item"),
    "RDF": ("item",),
    "feed": ("entry",),
}
_LOCATION_TAGS = frozenset({"loc", "link"})
_DATE_TAGS = frozenset({"lastmod", "pubDate", "updated", "date"})


@dataclass(frozen=True, slots=True)
class SitemapLimits:
    """`max_entries` of one file, `max_bytes` of it uncompressed, `max_loc` characters of a location (exclusive)."""

    max_entries: int = 50_000
    max_bytes: int = 50 * 1024 * 1024
    max_loc: int = 2048


class SitemapEntry(NamedTuple):
    """One location as written, with the date it was last changed as written, if any.

    `kind` is `sitemap` for an entry of an index.
    """

    loc: str
    lastmod: str | None
    kind: Literal["url", "sitemap"]


class SitemapParser(Protocol):
    """What gathers `entries` until they are taken away, and says what ended it (`problem`) or was `left_out`."""

    entries: list[SitemapEntry]
    problem: str | None
    skipped_entries: int

    def feed(self, data: bytes) -> None:
        """Read on; the first bytes are neither white space nor a mark of UTF-8. Never raises."""
        ...

    def close(self) -> None:
        """Nothing follows. Never raises."""
        ...


class TextSitemapParser:
    """Plain text: one address a line, UTF-8."""

    def __init__(self, limits: SitemapLimits) -> None:
        self._limits = limits
        self._unfinished_line = b""
        self._skipping_line = False
        self._count = 0
        self.entries: list[SitemapEntry] = []
        self.problem: str | None = None
        self.skipped_entries = 0

    def feed(self, data: bytes) -> None:
        """Read on."""
        *lines, rest = (self._unfinished_line + data).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            if self._skipping_line:
                self._skipping_line = False
            else:
                self._parse_line(line)
        # A line that is too long already is counted once and not kept until its end.
        if len(rest) > self._limits.max_loc * 4:
            if not self._skipping_line:
                self.skipped_entries += 1
            self._skipping_line, rest = True, b""
        self._unfinished_line = rest

    def close(self) -> None:
        """Read the last line, which need not end."""
        if not self._skipping_line:
            self._parse_line(self._unfinished_line)
        self._unfinished_line = b""

    def _parse_line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").strip("\ufeff\t ")
        if not text or self._count > self._limits.max_entries:
            return
        if len(text) < self._limits.max_loc and text[:8].lower().startswith(("http://", "https://")):
            self._count += 1
            self.entries.append(SitemapEntry(text, None, "url"))
        else:
            self.skipped_entries += 1


class _StopParsing(Exception):  # noqa: N818  leaves expat from inside a callback; never leaves this file
    pass


class XmlSitemapParser:
    """XML of any of the formats, told apart by the root element."""

    def __init__(self, limits: SitemapLimits) -> None:
        self._limits = limits
        self._depth = 0
        self._path: tuple[str, ...] = ()
        self._matched_path = 0  # how many elements of the path to an entry are open
        self._root = ""
        self._part: str | None = None
        self._text: list[str] = []
        self._text_chars = 0
        self._loc: str | None = None
        self._lastmod: str | None = None
        self._count = 0
        self._fed_bytes = 0
        self.entries: list[SitemapEntry] = []
        self.problem: str | None = None
        self.skipped_entries = 0
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = self._entity

    def feed(self, data: bytes) -> None:
        """Read on."""
        self._parse(data, False)
        self._fed_bytes += len(data)
        if self.problem is None and self._fed_bytes - self._parser.CurrentByteIndex > MAX_TAG_BYTES + INPUT_CHUNK_BYTES:
            self.problem = f"one tag is longer than {MAX_TAG_BYTES} bytes: the rest was not read"

    def close(self) -> None:
        """Say whether the document is whole."""
        self._parse(b"", True)

    def _parse(self, data: bytes, final: bool) -> None:
        try:
            self._parser.Parse(data, final)
        except _StopParsing as refused:
            self.problem = str(refused)
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            self.problem = f"broken XML in line {error.lineno}: {what}: the rest was not read"
        except (ValueError, LookupError) as error:  # an encoding that Python lacks or that is not for text
            self.problem = f"unreadable XML: {error}"
        if self.problem is not None:
            self._finish_entry()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
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
                # In Atom the address is an attribute, and other relations (self, enclosure) are other things.
                if attributes.get("rel", "alternate") == "alternate" and self._loc is None:
                    self._loc = attributes.get("href", "")
                return
            self._part = "loc"
        elif local in _DATE_TAGS:
            self._part = "date"
        else:
            return
        self._text, self._text_chars = [], 0
        self._parser.CharacterDataHandler = self._characters

    def _characters(self, text: str) -> None:
        self._text_chars += len(text)
        if self._text_chars <= self._limits.max_loc * 2:
            self._text.append(text)

    def _end(self, _name: str) -> None:
        if self._part is not None and self._depth == len(self._path) + 2:
            text = "".join(self._text).strip()
            if self._text_chars > self._limits.max_loc * 2:
                text = " " * self._limits.max_loc  # too long, whatever it was
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
        self.entries.append(SitemapEntry(loc, lastmod, "sitemap" if self._root == "sitemapindex" else "url"))
        if self._count > self._limits.max_entries and self.problem is None:
            raise _StopParsing(f"more than {self._limits.max_entries} entries: the rest was not read")

    def _entity(self, *_: object) -> None:
        raise _StopParsing("it declares entities, which sitemaps have no use for: not read")
