"""Checksums: how lists write them, and how servers state them in header fields.

Servers have five fields, each with its own notation:

    Repr-Digest: sha-256=:<base64>:, md5=:...:      RFC 9530, a dictionary of structured fields (RFC 8941)
    Digest: SHA-256=<base64>, MD5=<base64>          RFC 3230 and 5843, obsolete and common
    x-goog-hash: crc32c=<base64>, md5=<base64>      Google Cloud Storage; may come twice
    x-amz-checksum-sha256: <base64>                 S3; `<base64>-3` is a checksum of checksums of three parts
    Content-MD5: <base64>                           RFC 1864; of the bytes of this response, not of the file

CRC sums (crc32, crc32c, crc64nvme) are ignored: they find transmission errors, which TCP and TLS have found already.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scraper.model import Headers

if TYPE_CHECKING:
    from hashlib import _Hash

# Characters of one header's value that are read.
MAX_FIELD_CHARS = 4096
# Digests read from one header.
MAX_DIGESTS = 16

# Bytes of a digest by algorithm, in hashlib's names; the strongest first.
DIGEST_BYTES = {"sha512": 64, "blake2b": 64, "sha384": 48, "sha256": 32, "sha224": 28, "sha1": 20, "md5": 16}
_STRENGTH = {name: rank for rank, name in enumerate(DIGEST_BYTES)}
_BY_HEX_LENGTH = {2 * size: name for name, size in reversed(DIGEST_BYTES.items()) if name != "blake2b"}
_ALGORITHM_ALIASES = {
    **{name: name for name in DIGEST_BYTES},
    **{f"{family}{bits}": f"sha{bits}" for family in ("sha-", "sha2-") for bits in (224, 256, 384, 512)},
    "sha": "sha1",
    "sha-1": "sha1",
    "b2": "blake2b",
    "blake2b-512": "blake2b",
}
_HEX_DIGITS = re.compile(r"[0-9A-Fa-f]+", re.ASCII)
_LABELED_CHECKSUM = re.compile(r"([A-Za-z0-9-]{2,20})\s*[=:]\s*(\S+)", re.ASCII)
_DICTIONARY_MEMBER = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):\s*(?:;.*)?", re.ASCII)
_INSTANCE_DIGEST = re.compile(r"\s*([A-Za-z0-9-]+)=([A-Za-z0-9+/=]+)\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checksum:
    """The expected hash of a file.

    `algorithm` is a key of `DIGEST_BYTES`, hashlib's name; `hexdigest` is lower-case and has the algorithm's length.
    """

    algorithm: str
    hexdigest: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hexdigest}"

    @property
    def strength(self) -> int:
        """Rank among the algorithms: 0 is the strongest."""
        return _STRENGTH[self.algorithm]

    def new_hash(self) -> _Hash:
        """An empty hash object of this algorithm."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


def find_algorithm(text: str) -> str | None:
    """hashlib's name for `text` (`SHA-256`, `sha256`, `MD5` ...); None for an unknown algorithm."""
    return _ALGORITHM_ALIASES.get(text.strip().lower())


def parse_checksum(text: str, algorithm: str | None = None) -> Checksum | None:
    """Read `sha-256=<hex>` (aria2), `sha256:<hex>` or bare hex; None if `text` is no checksum.

    Also `sha256-<base64>` (SRI) and base64 after a label. `algorithm` is the name for bare hex, for example that of
    a column; without it the length decides.
    """
    text = text.strip()
    if _HEX_DIGITS.fullmatch(text):
        return checksum_from_hex(algorithm or _BY_HEX_LENGTH.get(len(text), ""), text)
    if labelled := _LABELED_CHECKSUM.fullmatch(text):
        name, value = labelled.groups()
    else:
        name, _, value = text.partition("-")
    if algorithm is not None and find_algorithm(name) != find_algorithm(algorithm):
        return checksum_from_base64(algorithm, text)
    return checksum_from_hex(name, value) or checksum_from_base64(name, value)


def checksum_from_hex(name: str, text: str) -> Checksum | None:
    """A checksum of the algorithm called `name`; None when name or text is invalid."""
    algorithm = find_algorithm(name)
    if algorithm is None or len(text) != 2 * DIGEST_BYTES[algorithm] or not _HEX_DIGITS.fullmatch(text):
        return None
    return Checksum(algorithm, text.lower())


def checksum_from_base64(name: str, text: str) -> Checksum | None:
    """A checksum of the algorithm called `name`; None when name or text is invalid."""
    algorithm = find_algorithm(name)
    if algorithm is None or len(text) > 100:
        return None
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Checksum(algorithm, digest.hex()) if len(digest) == DIGEST_BYTES[algorithm] else None


def checksums_from_headers(headers: Headers, *, partial: bool = False) -> list[Checksum]:
    """What a response states about the hash of its whole file: one checksum an algorithm, the strongest first.

    `partial`: the response is a 206, whose Content-MD5 is that of the part. All checksums are of the bytes as sent with
    this Content-Encoding: compare with what came over the network. When fields contradict each other, the one that is
    listed first at the top of this file counts. Invalid values are ignored; never raises.
    """
    found: dict[str, Checksum] = {}
    for checksum in _checksums_in(headers, partial):
        found.setdefault(checksum.algorithm, checksum)
    return sorted(found.values(), key=lambda checksum: checksum.strength)


def _checksums_in(headers: Headers, partial: bool) -> Iterator[Checksum]:
    # In the order of the table at the top of this file.
    yield from _parse_repr_digest(headers.get_all("Repr-Digest"))
    yield from _parse_instance_digests(headers.get_all("Digest"))
    if _is_sent_as_stored(headers):
        yield from _parse_instance_digests(headers.get_all("x-goog-hash"))
    if (headers.get("x-amz-checksum-type") or "").upper() != "COMPOSITE":
        for name in ("sha512", "sha256", "sha1", "md5"):
            yield from _parse_one(name, headers.get(f"x-amz-checksum-{name}"))
    if not partial:
        yield from _parse_one("md5", headers.get("Content-MD5"))


def _parse_repr_digest(values: list[str]) -> Iterator[Checksum]:
    """A structured dictionary: the last of repeated keys counts, one syntax error voids all of it (RFC 8941, 4.2)."""
    text = ",".join(value for value in values if value)
    if not text or len(text) > MAX_FIELD_CHARS:
        return
    members: dict[str, str] = {}
    for part in text.split(",", MAX_DIGESTS):
        member = _DICTIONARY_MEMBER.fullmatch(part)
        if member is None:
            return
        members[member[1]] = member[2]
    yield from (checksum for name, value in members.items() if (checksum := checksum_from_base64(name, value)))


def _parse_instance_digests(values: list[str]) -> Iterator[Checksum]:
    for value in values[:MAX_DIGESTS]:
        for part in value[:MAX_FIELD_CHARS].split(",", MAX_DIGESTS)[:MAX_DIGESTS]:
            if match := _INSTANCE_DIGEST.fullmatch(part):
                # `id-sha-256` is of the file without its content-coding: an unknown name, which is ignored.
                yield from _parse_one(match[1], match[2])


def _parse_one(name: str, value: str | None) -> Iterator[Checksum]:
    if value is not None and (checksum := checksum_from_base64(name, value.strip())):
        yield checksum


def _is_sent_as_stored(headers: Headers) -> bool:
    """Whether Google Cloud Storage sends the bytes it hashed. It unpacks gzip files for clients without gzip."""
    stored = (headers.get("x-goog-stored-content-encoding") or "identity").lower()
    return stored == (headers.get("Content-Encoding") or "identity").lower()
