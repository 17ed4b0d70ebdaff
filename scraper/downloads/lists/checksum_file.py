"""Files of checksums: SHA256SUMS, MD5SUMS, output of `sha256sum` and of BSD, also with a cleartext signature.

    9f86d081...  dir/data.bin            sha256sum, text mode; the length of the hex gives the algorithm
    9f86d081... *dir/data.bin            binary mode
    \\9f86d081...  odd\\nname             the name has an escaped line break or backslash
    SHA256 (dir/data.bin) = 9f86d081...  BSD, and `sha256sum --tag`
    9f86d081...                          the checksum alone, in a file data.bin.sha256: for data.bin

A file is found by the end of its path: `pool/a.deb` stands for every path and URL that ends in `/pool/a.deb`, and not
for `/other/a.deb`. Of an absolute path only the last part counts.

Memory: 60 MB for a million of SHA-256 checksums.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePath

from scraper.downloads.lists.entry import BadLine, make_bad_line
from scraper.downloads.lists.line_source import CUT_OFF_PREFIX, Line, read_lines
from scraper.downloads.lists.name_template import split_url
from scraper.errors import ConfigError, Problem
from scraper.structures.compact_map import CompactMap, hash_key
from scraper.transfer.checksum import DIGEST_BYTES, Checksum, checksum_from_hex, parse_checksum

# More are an error: the table would take several hundred MB.
MAX_CHECKSUMS = 4_000_000
# Bad lines that are kept for messages; all are counted.
MAX_PROBLEMS = 20
# The longest end of a path that is looked up, in parts.
MAX_PATH_SUFFIXES = 64

_GNU_LINE = re.compile(r"(\\?)([0-9A-Fa-f]{32,128})(?: [ *]|[ \t]+)(.+)", re.ASCII)
_BSD_LINE = re.compile(r"(\\?)([A-Za-z0-9/-]{2,12}) ?\((.+)\) ?= ?([0-9A-Fa-f]{32,128})", re.ASCII)
_ESCAPED = re.compile(r"\\([\\nr])")
_ESCAPES = {"\\": "\\", "n": "\n", "r": "\r"}
_ALGORITHMS = tuple(DIGEST_BYTES)
_CONTRADICTED_RANK = len(_ALGORITHMS)


class Checksums:
    """The checksums of one file. `problems` are its first bad lines, `bad_lines` counts all of them."""

    def __init__(self) -> None:
        self._index = CompactMap()
        self._algorithms = bytearray()
        self._starts = array("Q")
        self._digests = bytearray()
        self.problems: list[BadLine] = []
        self.bad_lines = 0

    def __len__(self) -> int:
        """The number of paths."""
        return len(self._index)

    def find(self, path: str) -> Checksum | None:
        """The checksum of the file at the relative `path`, by its longest end that is listed; None if there is none."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        for start in range(max(0, len(parts) - MAX_PATH_SUFFIXES), len(parts)):
            number = self._index.get(hash_key("/".join(parts[start:])))
            if number is not None:
                return self._checksum(number)
        return None

    def find_url(self, url: str) -> Checksum | None:
        """The checksum of the file at `url`, found by its percent-decoded path."""
        _, folders, name, _ = split_url(url)
        return self.find("/".join((*folders, name))) if name else None

    def add(self, path: str, checksum: Checksum) -> None:
        """Add the checksum of `path`. The strongest algorithm counts; two different checksums of it count as none."""
        parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
        if path.startswith("/"):
            parts = parts[-1:]
        key = hash_key("/".join(parts))
        known = self._index.get(key)
        rank = _ALGORITHMS.index(checksum.algorithm)
        if known is not None:
            stored = self._checksum(known)
            if stored is None or stored.strength < rank or stored == checksum:
                return
            if stored.strength == rank:
                self._algorithms[known] = _CONTRADICTED_RANK
                self.add_problem(make_bad_line(0, path, "listed twice, with different checksums: neither is used"))
                return
        self._index.put(key, len(self._algorithms))
        self._algorithms.append(rank)
        self._starts.append(len(self._digests))
        self._digests += bytes.fromhex(checksum.hexdigest)

    def _checksum(self, number: int) -> Checksum | None:
        rank = self._algorithms[number]
        if rank == _CONTRADICTED_RANK:
            return None
        start = self._starts[number]
        digest = self._digests[start : start + DIGEST_BYTES[_ALGORITHMS[rank]]]
        return Checksum(_ALGORITHMS[rank], digest.hex())

    def add_problem(self, line: BadLine) -> None:
        """Count a bad line, and keep the first ones."""
        self.bad_lines += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(line)


def read_checksums(path: str | Path) -> Checksums:
    """Read a file of checksums, which may be compressed.

    Lines that are no checksums are in `Checksums.problems`. Raises `ConfigError` when the file cannot be read to its
    end, has no checksum, or has more than `MAX_CHECKSUMS`.
    """
    found = Checksums()
    file_name = PurePath(path).name
    with closing(read_lines(path)) as lines:
        for line in _content_lines(lines):
            if line.problem.startswith(CUT_OFF_PREFIX):
                raise ConfigError([Problem(line.problem, file=str(path), line=line.number)])
            listed = None if line.problem else parse_line(line.text, file_name)
            if listed is None:
                found.add_problem(make_bad_line(line.number, line.text, line.problem or "no checksum of a known form"))
                continue
            if len(found) >= MAX_CHECKSUMS:
                raise ConfigError([Problem(f"lists more than {MAX_CHECKSUMS:,} files", file=str(path))])
            found.add(*listed)
    if not len(found):
        raise ConfigError([Problem("lists no checksum", file=str(path), hint="a line is: <hex>  <file>")])
    return found


def parse_line(text: str, file_name: str = "") -> tuple[str, Checksum] | None:
    """Path and checksum of one line; None if it has none. `file_name` is the name of the checksum file."""
    text = text.strip("\r\n\t ")
    if match := _GNU_LINE.fullmatch(text):
        escaped, value, name = match.groups()
        checksum = _checksum_by_file_name(file_name, value) or parse_checksum(value)
    elif match := _BSD_LINE.fullmatch(text):
        escaped, algorithm, name, value = match.groups()
        checksum = checksum_from_hex(algorithm, value)
    else:
        escaped, name = "", PurePath(file_name).stem
        checksum = (_checksum_by_file_name(file_name, text) or parse_checksum(text)) if name != file_name else None
    if checksum is None:
        return None
    return (_ESCAPED.sub(lambda found: _ESCAPES[found[1]], name) if escaped else name), checksum


def _checksum_by_file_name(file_name: str, value: str) -> Checksum | None:
    """A BLAKE2b checksum if the name of the checksum file says so: its length is that of SHA-512."""
    upper = file_name.upper()
    if upper.endswith((".B2", ".BLAKE2B")) or upper.startswith(("B2SUM", "BLAKE2")):
        return checksum_from_hex("blake2b", value)
    return None


def _content_lines(lines: Iterator[Line]) -> Iterator[Line]:
    """The lines without blank ones, comments, and the armor of a cleartext signature (RFC 9580, section 7)."""
    in_head = False
    for line in lines:
        text = line.text.strip()
        if line.problem:
            yield line
        elif text.startswith("-----BEGIN PGP SIGNED MESSAGE-----"):
            in_head = True
        elif text.startswith("-----BEGIN PGP SIGNATURE-----"):
            return
        elif in_head or not text or text.startswith("#"):
            in_head = in_head and bool(text)
        else:
            yield line._replace(text=line.text.removeprefix("- ")) if text.startswith("- ") else line
