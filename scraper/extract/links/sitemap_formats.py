"""Parsers for the formats of sitemaps: plain text, and five kinds of XML.

A parser takes bytes and collects entries. XML is read as a stream, never as a tree, and more leniently than XML allows,
because many sitemaps and feeds are not well formed: a bare `&` or `<` is text, HTML's entities are characters, an end
tag closes what is open inside its element, one that fits nowhere is ignored. So an error costs an entry, not the rest.
A file that declares entities is rejected: none are expanded, and nothing outside the file is loaded.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from html.entities import html5
from typing import Literal, NamedTuple, Protocol
from urllib.parse import urljoin

from scraper.extract.text.charset import sniff_encoding
from scraper.extract.text.encodings import encoding_for_label, python_codec

EntryKind = Literal["url", "sitemap"]

# Bytes given to a parser at a time. Not fewer, because an unfinished tag is searched anew with each chunk.
INPUT_CHUNK_BYTES = 1024 * 1024
# Longest tag, comment or the like, in characters: longer ones end the reading.
MAX_TAG_CHARS = 1024 * 1024
# Elements that may be open at a time.
MAX_DEPTH = 1_000
# Longest date, in characters: longer ones are ignored.
MAX_LASTMOD_CHARS = 64

# By root element, in lower case: the elements that are entries, and what an entry is.
_ENTRY_KINDS: dict[str, dict[str, EntryKind]] = {
    "urlset": {"url": "url", "sitemap": "sitemap"},
    "sitemapindex": {"url": "url", "sitemap": "sitemap"},
    "rss": {"item": "url"},
    "rdf": {"item": "url"},
    "feed": {"entry": "url"},
}
# Below the root, an entry stands at most so deep: in RSS inside a channel.
_MAX_ENTRY_DEPTH = 3
# The children of an entry that are read, apart from dates, by root. `guid` and `id` count if there is no link.
_LOCATION_TAGS = {
    "urlset": {"loc"},
    "sitemapindex": {"loc"},
    "rss": {"link", "guid"},
    "rdf": {"link"},
    "feed": {"link", "id"},
}
_DATE_TAGS = frozenset({"lastmod", "pubdate", "updated", "date"})
# What stands beside them in an entry.
_PARTS = frozenset(
    {
        "loc", "link", "guid", "id", "lastmod", "pubdate", "updated", "published", "date", "changefreq", "priority",
        "title", "description", "summary", "content", "author", "category", "image", "video", "news", "source",
        "comments", "enclosure",
    }
)  # fmt: skip

_TOKEN_REGEX = re.compile(
    r"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[(?P<cdata>.*?)\]\]>|(?P<doctype><!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>)"
    r"|</(?P<end>[^\s<>]+)[^<>]*>"
    r"|<(?P<start>[A-Za-z_][^\s<>/]*)(?P<attributes>(?:[^<>\"'/]|\"[^\"<]*+\"|'[^'<]*+'|/(?!>))*+)(?P<empty>/?)>",
    re.DOTALL | re.IGNORECASE,
)
_UNFINISHED = ("<!--", "<?", "<!")
_ATTRIBUTE_REGEX = re.compile(r"""([^\s=/]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
# Only with a semicolon: in `?a=1&copy=2` nothing is an entity.
_ENTITY_REGEX = re.compile(r"&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,30}));")
_XML_ENCODING_REGEX = re.compile(rb"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["']\s*([A-Za-z0-9._:\-]{1,40})""")
_HTTP_REGEX = re.compile(r"https?://", re.IGNORECASE)
# Bytes of the beginning that decide about the encoding.
_HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class SitemapLimits:
    """Limits of one file: entries, bytes uncompressed, characters of a location (one less than `max_loc`)."""

    max_entries: int = 50_000
    max_bytes: int = 50 * 1024 * 1024
    max_loc: int = 2048


class SitemapEntry(NamedTuple):
    """One entry: location and date of the last change, both as written. `kind` is `sitemap` for another sitemap."""

    loc: str
    lastmod: str | None
    kind: EntryKind


class SitemapParser(Protocol):
    """Parses a file into `entries`, which the caller takes out.

    `problem` says why reading ended early, else None. `skipped_entries` counts entries without a usable location.
    """

    entries: list[SitemapEntry]
    problem: str | None
    skipped_entries: int

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
        self.skipped_entries = 0

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
        if not text or self._count > self._limits.max_entries:
            return
        if len(text) < self._limits.max_loc and text[:8].lower().startswith(("http://", "https://")):
            self._count += 1
            self.entries.append(SitemapEntry(text, None, "url"))
        else:
            self.skipped_entries += 1


class _StopParsing(Exception):  # noqa: N818  no error, but the way out of the loop over tags
    pass


class _OpenEntry:
    """What has been read of an entry. `depth`: how many elements were open at its start; `prefix`: of its name."""

    __slots__ = ("depth", "fallback", "kind", "lastmod", "loc", "name", "prefix")

    def __init__(self, name: str, prefix: str, kind: EntryKind, depth: int) -> None:
        self.name, self.prefix, self.kind, self.depth = name, prefix, kind, depth
        self.loc: str | None = None
        self.fallback: str | None = None
        self.lastmod: str | None = None


class XmlSitemapParser:
    """XML of any of the five kinds, told apart by the root element. The encoding is told by its first bytes."""

    def __init__(self, limits: SitemapLimits) -> None:
        self._limits = limits
        self._head: bytes | None = b""  # until the encoding is known
        self._decoder: codecs.IncrementalDecoder | None = None
        self._buffer = ""
        self._open: list[tuple[str, str]] = []  # elements: local name, xml:base for what is inside
        self._root = ""
        self._entry: _OpenEntry | None = None
        self._part: str | None = None  # the child of an entry that is being read
        self._part_attributes: dict[str, str] = {}
        self._text: list[str] = []
        self._text_chars = 0
        self._count = 0
        self.entries: list[SitemapEntry] = []
        self.problem: str | None = None
        self.skipped_entries = 0

    def feed(self, data: bytes) -> None:
        """Parse `data`, the next bytes."""
        if self._head is not None:
            self._head += data
            if len(self._head) < _HEAD_BYTES:
                return
            data, self._head = self._head, None
            self._decoder = _decoder_for(data)
        self._parse(data, final=False)

    def close(self) -> None:
        """Parse the end of the file; sets `problem` if elements are left open."""
        data, self._head = self._head or b"", None
        if self._decoder is None:
            self._decoder = _decoder_for(data)
        self._parse(data, final=True)
        if self.problem is None and not self._root:
            self.problem = "not a sitemap: it has no element"
        elif self.problem is None and self._open:
            self.problem = f"it ends inside <{self._open[-1][0][:40]}>: the rest is missing"
        self._finish_entry()

    def _parse(self, data: bytes, final: bool) -> None:
        if self.problem is not None or self._decoder is None:
            return
        self._buffer += self._decoder.decode(data, final)
        try:
            self._read_tokens(final)
        except _StopParsing as stop:
            self.problem = str(stop)
            self._finish_entry()

    def _read_tokens(self, final: bool) -> None:
        buffer, at, match = self._buffer, 0, _TOKEN_REGEX.match
        while (tag_start := buffer.find("<", at)) >= 0:
            if self._part is not None and tag_start > at:
                self._add_text(_unescape(buffer[at:tag_start]))
            token = match(buffer, tag_start)
            if token is not None:
                at = token.end()
                self._read_token(token)
                continue
            # 1. It is not finished yet. 2. It is a `<` in a text.
            next_tag = buffer.find("<", tag_start + 1)
            if buffer.startswith(_UNFINISHED, tag_start) or (next_tag < 0 and buffer.find(">", tag_start) < 0):
                if len(buffer) - tag_start > MAX_TAG_CHARS:
                    raise _StopParsing(f"one tag is longer than {MAX_TAG_CHARS} characters: the rest was not read")
                self._buffer = buffer[tag_start:]
                return
            if self._part is not None:
                self._add_text("<")
            at = tag_start + 1
        # An entity at the end may be cut in two.
        rest = buffer[at:]
        cut = len(rest) if final else max(rest.rfind("&", -40), 0) if "&" in rest[-40:] else len(rest)
        if self._part is not None and cut:
            self._add_text(_unescape(rest[:cut]))
        self._buffer = rest[cut:]

    def _read_token(self, token: re.Match[str]) -> None:
        match token.lastgroup:
            case "empty":
                self._start(token["start"], token["attributes"])
                if token["empty"]:
                    self._end(token["start"])
            case "end":
                self._end(token["end"])
            case "cdata":
                if self._part is not None:
                    self._add_text(token["cdata"])
            case "doctype":
                if "<!entity" in token["doctype"].lower():
                    raise _StopParsing("it declares entities, which no sitemap needs: not read")

    def _start(self, name: str, attribute_text: str) -> None:
        prefix, _, local = name.lower().rpartition(":")
        if not self._open:
            if local not in _ENTRY_KINDS:
                raise _StopParsing(f"not a sitemap: its root element is <{local[:40]}>")
            self._root = local
        elif len(self._open) >= MAX_DEPTH:
            raise _StopParsing(f"more than {MAX_DEPTH} elements inside each other: the rest was not read")
        if self._part is not None:
            if local in _PARTS:
                self._end(self._part)  # its end tag is missing
            else:
                self._add_text("\ufffd")  # a part is text: with an element inside nobody knows what it means
        entry = self._entry
        kind = _ENTRY_KINDS[self._root].get(local)
        if entry is not None and local == entry.name and prefix == entry.prefix and len(self._open) <= entry.depth + 2:
            self._end(entry.name)  # the end tag of the one before is missing
            entry = self._entry
        base = self._open[-1][1] if self._open else ""
        attributes = _parse_attributes(attribute_text) if "=" in attribute_text else {}
        if "xml:base" in attributes:
            base = _join(base, attributes["xml:base"])
        self._open.append((local, base))
        if entry is None:
            if kind is not None and 2 <= len(self._open) <= _MAX_ENTRY_DEPTH:
                self._entry = _OpenEntry(local, prefix, kind, len(self._open) - 1)
        elif len(self._open) == entry.depth + 2:
            # The parts that count have the name space of the entry: not `image:loc`, not RSS's `atom:link`.
            is_location = local in _LOCATION_TAGS[self._root] and prefix in ("", entry.prefix)
            if is_location or local in _DATE_TAGS:
                self._part, self._part_attributes = local, attributes
                self._text, self._text_chars = [], 0

    def _end(self, name: str) -> None:
        local = name.lower().rpartition(":")[2]
        if all(local != opened for opened, _ in self._open[-_MAX_ENTRY_DEPTH * 4 :]):
            return  # an end without a beginning
        while self._open:
            opened, base = self._open[-1]
            entry = self._entry
            if entry is not None and len(self._open) == entry.depth + 2:
                self._finish_part(base)
            elif entry is not None and len(self._open) == entry.depth + 1:
                self._finish_entry()
            self._open.pop()
            if opened == local:
                return

    def _add_text(self, text: str) -> None:
        self._text_chars += len(text)
        if self._text_chars <= self._limits.max_loc * 2:
            self._text.append(text)

    def _finish_part(self, base: str) -> None:
        part, attributes, entry = self._part, self._part_attributes, self._entry
        self._part = None
        if part is None or entry is None:
            return
        text = "".join(self._text).strip()
        if self._text_chars > self._limits.max_loc * 2:
            text = "x" * self._limits.max_loc  # it was not kept; this counts as too long, too
        if part in _DATE_TAGS:
            if entry.lastmod is None and 0 < len(text) <= MAX_LASTMOD_CHARS and "\ufffd" not in text:
                entry.lastmod = text
        elif part in ("guid", "id"):
            # A guid is an address unless it says that it is none; an Atom id is if it looks like one.
            permanent = attributes.get("ispermalink", "").strip().lower()
            if permanent != "false" and (permanent == "true" or _HTTP_REGEX.match(text)):
                entry.fallback = entry.fallback or text
        else:
            # In Atom the URL is an attribute. Links with another relation (self, enclosure) are not the entry's.
            href = attributes.get("href", "").strip()
            if part == "link" and attributes.get("rel", "alternate").strip().lower() != "alternate":
                return
            if not entry.loc and (found := href or text if self._root == "feed" else text or href):
                entry.loc = _join(base, found)

    def _finish_entry(self) -> None:
        entry, self._entry, self._part = self._entry, None, None
        if entry is None:
            return
        loc = entry.loc or entry.fallback
        # U+FFFD: bytes that are no character in the file's encoding. The address would be another one.
        if not loc or len(loc) >= self._limits.max_loc or "\ufffd" in loc:
            self.skipped_entries += 1
            return
        self._count += 1
        self.entries.append(SitemapEntry(loc, entry.lastmod, entry.kind))
        if self._count > self._limits.max_entries and self.problem is None:
            raise _StopParsing(f"more than {self._limits.max_entries} entries: the rest was not read")


def _decoder_for(head: bytes) -> codecs.IncrementalDecoder:
    """Decodes the file that begins with `head`: by its byte order mark, its first bytes, its declaration, its text."""
    declared = _XML_ENCODING_REGEX.search(head)
    label = encoding_for_label(declared[1].decode("ascii")) if declared is not None else None
    if head.startswith((b"\xff\xfe", b"<\0")):
        codec = "utf-16-le"
    elif head.startswith((b"\xfe\xff", b"\0<")):
        codec = "utf-16-be"
    elif head.startswith(b"\xef\xbb\xbf") or label in ("utf-8", "utf-16le", "utf-16be"):
        codec = "utf-8"  # what was found by its ASCII bytes is not UTF-16, whatever it says
    else:
        codec = python_codec(label if label is not None else sniff_encoding(head, None))
    return codecs.getincrementaldecoder(codec)("replace")


def _parse_attributes(text: str) -> dict[str, str]:
    """The attributes of a tag by name, in lower case; of equal names the first counts."""
    found: dict[str, str] = {}
    for name, quoted, single in _ATTRIBUTE_REGEX.findall(text):
        found.setdefault(name.lower(), _unescape(quoted or single))
    return found


def _unescape(text: str) -> str:
    return _ENTITY_REGEX.sub(_entity_character, text) if "&" in text else text


def _entity_character(found: re.Match[str]) -> str:
    if found[3] is not None:
        return html5.get(f"{found[3]};", found[0])
    code = int(found[1]) if found[1] is not None else int(found[2], 16)
    return chr(code) if 0x20 <= code < 0xD800 or 0xE000 <= code <= 0x10FFFF or code in (9, 10, 13) else found[0]


def _join(base: str, address: str) -> str:
    if not base:
        return address
    try:
        return urljoin(base, address)
    except ValueError:
        return address
