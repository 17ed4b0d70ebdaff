"""What a line of a list becomes: an entry to download, or a bad line with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote

from scraper.downloads.lists.request_header import BadHeader, parse_header
from scraper.model import OutOfScope
from scraper.transfer.checksum import Checksum, find_algorithm, parse_checksum
from scraper.urls.canonicalize import HAS_CREDENTIALS, canonicalize

# URLs of one file; further ones are ignored.
MAX_MIRRORS = 32
# Headers of one entry.
MAX_HEADERS = 50
# Characters of a name or a folder in a list.
MAX_NAME_CHARS = 4096
# Characters of a bad line in messages.
MAX_SHOWN_CHARS = 200

_USERINFO = re.compile(r"(?<=//)[^/?#\s]*@")
_SECOND_URL = re.compile(r"\shttps?://", re.IGNORECASE)


class Entry(NamedTuple):
    """One file to download.

    `line` counts from 1. `urls` are canonical: the first one and its mirrors. `name` and `folder` are as the list has
    them; `NameAssigner` makes them safe.
    """

    line: int
    urls: tuple[str, ...]
    name: str | None = None
    folder: str | None = None
    checksum: Checksum | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that names no file: its number from 1, its beginning without passwords, and why, as a sentence."""

    line: int
    text: str
    reason: str


class Notices:
    """Emits notices about a list to the user, one of each kind, at most `MAX_KINDS`."""

    MAX_KINDS = 100

    def __init__(self, emit: Callable[[str], None] | None) -> None:
        self._emit = emit
        self._emitted: set[str] = set()

    def emit_once(self, kind: str, text: str) -> None:
        """Emit `text`, unless a notice of this kind was emitted before."""
        if self._emit is not None and kind not in self._emitted and len(self._emitted) < self.MAX_KINDS:
            self._emitted.add(kind)
            self._emit(text)


def make_bad_line(line: int, text: str, reason: str) -> BadLine:
    """A `BadLine` with a short text without passwords."""
    return BadLine(line, _USERINFO.sub("***@", text.strip()[:MAX_SHOWN_CHARS]), reason)


@dataclass(slots=True)
class EntryDraft:
    """An entry while its parts are being read. `problem` is the first thing that is wrong with it."""

    line: int
    text: str
    urls: list[str] = field(default_factory=list)
    name: str | None = None
    folder: str | None = None
    checksum: Checksum | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    problem: str = ""

    def add_problem(self, problem: str) -> None:
        """Record a problem; only the first one is kept."""
        self.problem = self.problem or problem

    def set_name(self, text: str) -> None:
        """Set the file's name; the last one counts."""
        self.name = self._limit_length(text, "name")

    def set_folder(self, text: str) -> None:
        """Set the file's folder; the last one counts."""
        self.folder = self._limit_length(text, "folder")

    def add_checksum(self, text: str, algorithm: str | None = None) -> None:
        """Add a checksum; the strongest one counts."""
        if not text.strip():
            return
        checksum = parse_checksum(text, algorithm)
        if checksum is None:
            self.add_problem(
                f"{algorithm or 'checksum'}: {text.strip()[:MAX_SHOWN_CHARS]!r} is no checksum of a known form"
            )
        elif self.checksum is None or checksum.strength < self.checksum.strength:
            self.checksum = checksum

    def add_header(self, text: str) -> None:
        """Add a request header field, `Name: value`."""
        header = parse_header(text)
        if isinstance(header, BadHeader):
            self.add_problem(header.reason)
        elif len(self.headers) == MAX_HEADERS:
            self.add_problem(f"more than {MAX_HEADERS} headers")
        else:
            self.headers.append(header)

    def build(self, notices: Notices) -> Entry | BadLine:
        """The entry, or the bad line if there is a problem."""
        for text in self.urls[:MAX_MIRRORS]:
            if "#" in text:
                self._add_fragment(text.partition("#")[2])
        urls = self._canonicalize_urls(notices)
        if self.problem:
            return make_bad_line(self.line, self.text, self.problem)
        return Entry(self.line, urls, self.name, self.folder, self.checksum, tuple(self.headers))

    def _add_fragment(self, fragment: str) -> None:
        """Read checksums from a URL's fragment, `sha256=<hex>`, as indexes of Python packages write them (PEP 503).

        Members are separated by `&`; those that name no algorithm (`egg=`, an anchor) are none.
        """
        for member in fragment.split("&"):
            name, found, value = member.partition("=")
            if not found or find_algorithm(unquote(name)) is None:
                continue
            stated, text = self.checksum, unquote(value).strip()
            # A sum that the user named and that cannot be read is refused: without it nothing would be verified.
            checksum = parse_checksum(text, find_algorithm(unquote(name)))
            if checksum is None:
                self.add_problem(
                    f"{name}: {text[:MAX_SHOWN_CHARS]!r} in the URL's fragment is no checksum of this form"
                )
            elif stated is not None and stated.algorithm == checksum.algorithm and stated != checksum:
                self.add_problem(
                    f"two different {checksum.algorithm} checksums: {stated.hexdigest} and the URL's fragment"
                )
            else:
                self.add_checksum(str(checksum))

    def _limit_length(self, text: str, what: str) -> str | None:
        if len(text) > MAX_NAME_CHARS:
            self.add_problem(f"the {what} is longer than {MAX_NAME_CHARS:,} characters")
        return text.strip() or None

    def _canonicalize_urls(self, notices: Notices) -> tuple[str, ...]:
        """The valid URLs, in canonical form. An invalid one is a problem only when there is no other."""
        # Nearly all entries have one URL: they end here.
        if len(self.urls) == 1 and not _SECOND_URL.search(self.urls[0]):
            only = canonicalize(self.urls[0])
            if not isinstance(only, OutOfScope):
                return (only.href,)
        if len(self.urls) > MAX_MIRRORS:
            notices.emit_once("mirrors", f"line {self.line}: more than {MAX_MIRRORS} mirrors; the others are left out")
        found: dict[str, None] = {}
        reasons = []
        for text in self.urls[:MAX_MIRRORS]:
            url = canonicalize(text)
            if isinstance(url, OutOfScope):
                reasons.append(_reason_text(url))
            elif _SECOND_URL.search(text):
                reasons.append("several URLs that are not separated by TAB (mirrors of one file) or a new line")
            else:
                found[url.href] = None
        if not found:
            self.add_problem(reasons[0] if reasons else "no URL")
        elif reasons:
            notices.emit_once(reasons[0], f"line {self.line}: a mirror is left out: {reasons[0]}")
        return tuple(found)


def _reason_text(refused: OutOfScope) -> str:
    if refused is HAS_CREDENTIALS:
        return "a user name or password in the URL; give it as a header, Authorization"
    if refused.reason == "scheme":
        return f"{refused.rule.removeprefix('scheme: ')}: is neither http nor https"
    return refused.rule.removeprefix("url: ")
