"""checksum: how checksums are written, in lists and in headers."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.model import Headers
from scraper.transfer.checksum import DIGEST_BYTES, MAX_FIELD_CHARS, Checksum, checksums_from_headers, parse_checksum

BODY = b"hello\n"
HEX = {name: hashlib.new(name, BODY).hexdigest() for name in DIGEST_BYTES}
B64 = {name: base64.b64encode(bytes.fromhex(text)).decode() for name, text in HEX.items()}


def expected(*pairs: tuple[str, str], partial: bool = False) -> list[str]:
    headers = Headers([(name.encode(), value.encode("latin-1")) for name, value in pairs])
    return [checksum.algorithm for checksum in checksums_from_headers(headers, partial=partial)]


@pytest.mark.parametrize("algorithm", DIGEST_BYTES)
def test_a_checksum_makes_its_hash(algorithm: str) -> None:
    """`new` gives a hash that ends at `hexdigest` for the right bytes."""
    checksum = Checksum(algorithm, HEX[algorithm])
    made = checksum.new_hash()
    made.update(BODY)
    assert made.hexdigest() == checksum.hexdigest
    assert parse_checksum(str(checksum)) == checksum


@pytest.mark.parametrize(
    ("text", "algorithm"),
    [
        pytest.param(f"sha-256={HEX['sha256']}", "sha256", id="aria2"),
        pytest.param(f"SHA-256 = {HEX['sha256'].upper()}", "sha256", id="upper case, blanks"),
        pytest.param(f"sha256:{HEX['sha256']}", "sha256", id="colon"),
        pytest.param(f"sha256-{B64['sha256']}", "sha256", id="subresource integrity"),
        pytest.param(f"md5={B64['md5']}", "md5", id="base64"),
        pytest.param(f"sha={HEX['sha1']}", "sha1", id="sha"),
        pytest.param(HEX["md5"], "md5", id="bare md5"),
        pytest.param(HEX["sha1"], "sha1", id="bare sha1"),
        pytest.param(HEX["sha224"], "sha224", id="bare sha224"),
        pytest.param(HEX["sha256"], "sha256", id="bare sha256"),
        pytest.param(HEX["sha384"], "sha384", id="bare sha384"),
        pytest.param(HEX["sha512"], "sha512", id="bare sha512"),
    ],
)
def test_a_checksum_is_read(text: str, algorithm: str) -> None:
    """A label tells the algorithm, and for bare hex its length does."""
    assert parse_checksum(text) == Checksum(algorithm, HEX[algorithm])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha-256=",
        "sha-256=abc",
        f"md5={HEX['sha256']}",
        f"adler32:{HEX['md5']}",
        "g" * 64,
        "0" * 63,
        "sha256:" + "é" * 64,
        "0" * 100_000,
        f"{HEX['md5']} x",
        "٣" * 32,
    ],
)
def test_what_is_no_checksum_is_none(text: str) -> None:
    """An unknown algorithm, a wrong length or other digits are no checksum."""
    assert parse_checksum(text) is None


def test_a_column_names_the_algorithm() -> None:
    """Bare hex in a column must have the length of the column's algorithm."""
    assert parse_checksum(HEX["blake2b"], "blake2b") == Checksum("blake2b", HEX["blake2b"])
    assert parse_checksum(HEX["md5"], "sha256") is None
    assert parse_checksum(f"md5:{HEX['md5']}", "sha256") is None
    assert parse_checksum(f"sha256:{HEX['sha256']}", "sha-256") == Checksum("sha256", HEX["sha256"])


@pytest.mark.parametrize(
    ("name", "value", "algorithms"),
    [
        pytest.param("Repr-Digest", f"sha-256=:{B64['sha256']}:", ["sha256"], id="RFC 9530"),
        pytest.param(
            "repr-digest",
            f"md5=:{B64['md5']}:;q=1 , sha-512=:{B64['sha512']}:",
            ["sha512", "md5"],
            id="two, parameters",
        ),
        pytest.param("Repr-Digest", f"sha-256={B64['sha256']}", [], id="9530 without colons"),
        pytest.param("Repr-Digest", f"sha-256=:{B64['sha256']}:,", [], id="9530 with a trailing comma"),
        pytest.param("Repr-Digest", f"sha-256=:{B64['sha256']}: junk", [], id="9530 with junk"),
        pytest.param("Repr-Digest", f"unixsum=:AAE=:, sha-256=:{B64['sha256']}:", ["sha256"], id="9530, unknown first"),
        pytest.param("Repr-Digest", f"sha-256=:{B64['md5']}:", [], id="9530, wrong length"),
        pytest.param("Repr-Digest", f"sha-256=:{'A' * MAX_FIELD_CHARS}:", [], id="9530, too long"),
        pytest.param("Content-Digest", f"sha-256=:{B64['sha256']}:", [], id="of the content, not of the file"),
        pytest.param("Digest", f"SHA-256={B64['sha256']}", ["sha256"], id="RFC 3230"),
        pytest.param("Digest", f"MD5={B64['md5']},SHA={B64['sha1']},junk", ["sha1", "md5"], id="3230, three"),
        pytest.param("Digest", f"id-sha-256={B64['sha256']}", [], id="3230, of the decoded file"),
        pytest.param("Digest", f"SHA-256={HEX['sha256']}", [], id="3230, hex"),
        pytest.param("Content-MD5", B64["md5"], ["md5"], id="RFC 1864"),
        pytest.param("Content-MD5", HEX["md5"], [], id="1864, hex"),
        pytest.param("Content-MD5", "", [], id="1864, empty"),
        pytest.param("x-goog-hash", f"crc32c=n03x6A==,md5={B64['md5']}", ["md5"], id="google"),
        pytest.param("x-amz-checksum-sha256", B64["sha256"], ["sha256"], id="amazon"),
        pytest.param("x-amz-checksum-sha1", B64["sha1"], ["sha1"], id="amazon sha1"),
        pytest.param("x-amz-checksum-sha256", f"{B64['sha256']}-3", [], id="amazon, of parts"),
        pytest.param("x-amz-checksum-crc32c", "n03x6A==", [], id="amazon crc"),
    ],
)
def test_headers_state_checksums(name: str, value: str, algorithms: list[str]) -> None:
    """Each header is read by its own standard, and what does not follow it states nothing."""
    assert expected((name, value)) == algorithms
    assert all(
        c.hexdigest == HEX[c.algorithm] for c in checksums_from_headers(Headers([(name.encode(), value.encode())]))
    )


def test_google_headers_may_come_twice() -> None:
    """Cloud Storage sends a header for each hash."""
    assert expected(("x-goog-hash", "crc32c=n03x6A=="), ("x-goog-hash", f"md5={B64['md5']}")) == ["md5"]


def test_a_stored_gzip_that_is_sent_unpacked_has_another_hash() -> None:
    """The hash of Cloud Storage is of the stored bytes: it counts only when these are sent."""
    stored = (("x-goog-hash", f"md5={B64['md5']}"), ("x-goog-stored-content-encoding", "gzip"))
    assert expected(*stored) == []
    assert expected(*stored, ("Content-Encoding", "gzip")) == ["md5"]


def test_a_composite_checksum_is_not_of_the_bytes() -> None:
    """S3 says in a header of its own when a checksum is one of checksums."""
    assert expected(("x-amz-checksum-sha256", B64["sha256"]), ("x-amz-checksum-type", "COMPOSITE")) == []


def test_content_md5_of_a_part_says_nothing_of_the_file() -> None:
    """With a 206 Content-MD5 is that of the part, while Digest stays that of the file."""
    pairs = (("Content-MD5", B64["md5"]), ("Digest", f"SHA={B64['sha1']}"))
    assert expected(*pairs) == ["sha1", "md5"]
    assert expected(*pairs, partial=True) == ["sha1"]


def test_of_contradicting_headers_the_newest_standard_counts() -> None:
    """One checksum an algorithm: Repr-Digest comes before Content-MD5."""
    other = base64.b64encode(bytes(16)).decode()
    headers = Headers([(b"Content-MD5", other.encode()), (b"Repr-Digest", f"md5=:{B64['md5']}:".encode())])
    assert checksums_from_headers(headers) == [Checksum("md5", HEX["md5"])]


NAMES = st.sampled_from([b"Repr-Digest", b"Digest", b"Content-MD5", b"x-goog-hash", b"x-amz-checksum-sha256"])
PIECES = st.sampled_from([b"sha-256", b"md5", b"=", b":", b",", b";", B64["md5"].encode(), b" ", b"=="])
VALUES = st.lists(PIECES).map(b"".join) | st.binary()


@given(st.lists(st.tuples(NAMES, VALUES)))
def test_no_header_raises(pairs: list[tuple[bytes, bytes]]) -> None:
    """Whatever servers send, each algorithm is stated at most once, and with a digest of its length."""
    found = checksums_from_headers(Headers(pairs))
    assert len({checksum.algorithm for checksum in found}) == len(found)
    assert all(len(bytes.fromhex(c.hexdigest)) == DIGEST_BYTES[c.algorithm] for c in found)


@given(st.text(st.characters()), st.none() | st.sampled_from(sorted(DIGEST_BYTES)) | st.text())
def test_no_text_raises(text: str, algorithm: str | None) -> None:
    """Whatever a list says, it is a checksum of the right length or none."""
    checksum = parse_checksum(text, algorithm)
    assert checksum is None or len(checksum.hexdigest) == 2 * DIGEST_BYTES[checksum.algorithm]
