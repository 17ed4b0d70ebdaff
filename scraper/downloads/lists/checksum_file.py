"""Files of checksums: SHA256SUMS, MD5SUMS, `sha256sum` and BSD output, also signed in the clear.

    9f86d081...  dir/data.bin            sha256sum, text mode; the length of the hex tells the algorithm
    9f86d081... *dir/data.bin            binary mode
    \\9f86d081...  odd\\nname             the name holds an escaped line break or backslash
    SHA256 (dir/data.bin) = 9f86d081...  BSD, and `sha256sum --tag`
    9f86d081...                          data.bin.sha256 with the checksum alone: the name is the file's own

A file is looked up by the end of its path: `pool/a.deb` is listed for every path and URL that ends in `/pool/a.deb`,
and never for `/other/a.deb`. Names that were listed as absolute paths count by their last part.

In memory an entry is a slot of a `Table` and the bytes of its digest: 60 MB for a million of SHA-256.
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

# Lines of one file.
MAX_CHECKSUMS = 4_000_000
# Bad lines that are kept to be shown; all are counted.
MAX_PROBLEMS = 20
# Ends of a path that are looked up.
MAX_PATH_SUFFIXES = 64

_GNU_LINE = re.compile(r"(\\?)([0-9A-Fa-f]{32,128})(?: [ *]|[ \t]+)(.+)", re.ASCII)
_BSD_LINE = re.compile(r"(\\?)([A-Za-z0-9/-]{2,12}) ?\((.+)\) ?= ?([0-9A-Fa-f]{32,128})", re.ASCII)
_ESCAPED = re.compile(r"\\([\\nr])")
_ESCAPES = {"\\": "\\", "n": "\n", "r": "\r"}
_ALGORITHMS = tuple(DIGEST_BYTES)
_CONTRADICTED_RANK = len(_ALGORITHMS)


class Checksums:
    """What a file of checksums lists. `problems` are its first bad lines, `bad` counts all of them."""

    def __init__(self) -> None:
        self._index = CompactMap()
        self._algorithms = bytearray()
        self._starts = array("Q")
        self._digests = bytearray()
        self.problems: list[BadLine] = []
        self.bad_lines = 0

    def __len__(self) -> int:
        """Paths that are listed."""
        return len(self._index)

    def find(self, path: str) -> Checksum | None:
        """The checksum of the file at `path`, relative and with `/`: the longest end of it that is listed."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        for start in range(max(0, len(parts) - MAX_PATH_SUFFIXES), len(parts)):
            number = self._index.get(hash_key("/".join(parts[start:])))
            if number is not None:
                return self._checksum(number)
        return None

    def find_url(self, url: str) -> Checksum | None:
        """The checksum of the file at `url`, by the longest end of its path, percent-decoded, that is listed."""
        _, folders, name, _ = split_url(url)
        return self.find("/".join((*folders, name))) if name else None

    def add(self, path: str, checksum: Checksum) -> None:
        """List `path`. Of several checksums the strongest counts; two that contradict each other count as none."""
        parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
        if path.startswith("/"):
            parts = parts[-1:]
        key = hash_key("/".join(parts))
        known = self._index.get(key)
        rank = _ALGORITHMS.index(checksum.algorithm)
        if known is not None:
            held = self._checksum(known)
            if held is None or held.strength < rank or held == checksum:
                return
            if held.strength == rank:
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
        """Count a bad line."""
        self.bad_lines += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(line)


def read_checksums(path: str | Path) -> Checksums:
    """Read a file of checksums, packed or not.

    Lines that are none are in `Checksums.problems`. Raises `ConfigError` when the file cannot be read to its end, lists
    nothing, or lists more than `MAX_CHECKSUMS`.
    """
    found = Checksums()
    own = PurePath(path).name
    with closing(read_lines(path)) as lines:
        for line in _content_lines(lines):
            if line.problem.startswith(CUT_OFF_PREFIX):
                raise ConfigError([Problem(line.problem, file=str(path), line=line.number)])
            listed = None if line.problem else parse_line(line.text, own)
            if listed is None:
                found.add_problem(
                    make_bad_line(line.number, line.text, line.problem or "no checksum that is known here")
                )
                continue
            if len(found) >= MAX_CHECKSUMS:
                raise ConfigError([Problem(f"lists more than {MAX_CHECKSUMS:,} files", file=str(path))])
            found.add(*listed)
    if not len(found):
        raise ConfigError([Problem("lists no checksum", file=str(path), hint="a line is: <hex>  <file>")])
    return found


def parse_line(text: str, file_name: str = "") -> tuple[str, Checksum] | None:
    """The file and checksum of one line; None when it is none. `own` is the name of the file that holds the line."""
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


def _checksum_by_file_name(own: str, value: str) -> Checksum | None:
    """The algorithm that the checksum file's own name tells: B2SUMS and SHA512SUMS are of one length."""
    upper = own.upper()
    if upper.endswith((".B2", ".BLAKE2B")) or upper.startswith(("B2SUM", "BLAKE2")):
        return checksum_from_hex("blake2b", value)
    return None


def _content_lines(lines: Iterator[Line]) -> Iterator[Line]:
    """The lines without blanks, comments, and the armour of a signature in the clear (RFC 9580, section 7)."""
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
