"""A URL as a 63-bit number, for the set of URLs already seen."""

from __future__ import annotations

from xxhash import xxh3_64_intdigest

from scraper.model import Url

# How the 63 bits are divided: host first, so that the numbers of one host are neighbors.
HOST_BITS = 20
KEY_BITS = 43


def host_id(host: str) -> int:
    """A 20-bit number for `host`: the high bits of its XXH3-64. Different hosts may share one."""
    return xxh3_64_intdigest(host.encode()) >> (64 - HOST_BITS)


def fingerprint(url: Url) -> int:
    """A hash of `url.key`, from 0 to 2**63 - 1, so that it fits SQLite's signed 64-bit integers.

    The high 20 bits are from the host: URLs of one host are neighbors in a B-tree, which keeps inserts fast. The low 43
    are from the key (XXH3-64). Within one host the chance that any two of n URLs share a number is about n**2 / 2**44:
    1 in 1,760 for a hundred thousand pages, 1 in 18 for a million.
    """
    # The host's part is `host_id`, written out: this runs for every link.
    key = xxh3_64_intdigest(url.key.encode()) >> (64 - KEY_BITS)
    return (xxh3_64_intdigest(url.host.encode()) >> (64 - HOST_BITS)) << KEY_BITS | key
