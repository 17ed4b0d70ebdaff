"""sums: SHA256SUMS and its kind."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.downloads.lists import checksum_file as sums
from scraper.downloads.lists.checksum_file import MAX_PROBLEMS, Checksums, parse_line, read_checksums
from scraper.errors import ConfigError
from scraper.transfer.checksum import Checksum

MD5, SHA1, SHA256, SHA512 = "1" * 32, "2" * 40, "3" * 64, "5" * 128
OTHER = "4" * 64


@pytest.mark.parametrize(
    ("line", "path", "checksum"),
    [
        pytest.param(f"{SHA256}  data.bin", "data.bin", Checksum("sha256", SHA256), id="text mode"),
        pytest.param(f"{SHA256} *data.bin", "data.bin", Checksum("sha256", SHA256), id="binary mode"),
        pytest.param(f"{MD5}  a b  c.bin", "a b  c.bin", Checksum("md5", MD5), id="blanks in the name"),
        pytest.param(f"{SHA1}\tdata.bin\r", "data.bin", Checksum("sha1", SHA1), id="tab, CRLF"),
        pytest.param(f"{SHA512}  ./x/y", "./x/y", Checksum("sha512", SHA512), id="sha512"),
        pytest.param(rf"\{SHA256}  a\nb\\c", "a\nb\\c", Checksum("sha256", SHA256), id="escaped"),
        pytest.param(rf"{SHA256}  a\nb", r"a\nb", Checksum("sha256", SHA256), id="not escaped"),
        pytest.param(f"SHA256 (x (1).iso) = {SHA256}", "x (1).iso", Checksum("sha256", SHA256), id="BSD"),
        pytest.param(f"SHA2-256(x.iso)= {SHA256}", "x.iso", Checksum("sha256", SHA256), id="openssl"),
        pytest.param(f"MD5 (x) = {MD5}", "x", Checksum("md5", MD5), id="BSD MD5"),
        pytest.param(f"BLAKE2b (x) = {SHA512}", "x", Checksum("blake2b", SHA512), id="BSD BLAKE2b"),
        pytest.param(SHA256, "data.bin", Checksum("sha256", SHA256), id="alone"),
    ],
)
def test_a_line_is_read(line: str, path: str, checksum: Checksum) -> None:
    """Every tool's way of writing a checksum names the file and the algorithm."""
    assert parse_line(line, "data.bin.sha256") == (path, checksum)


@pytest.mark.parametrize(
    "line", ["", "data.bin", f"{SHA256[:-1]}  x", f"SHA256 (x) = {MD5}", f"SHA999 (x) = {SHA256}", f"{SHA256}  "]
)
def test_a_line_that_is_none(line: str) -> None:
    """A wrong length, an unknown algorithm or a missing name is no checksum."""
    assert parse_line(line, "SHA256SUMS") is None


def test_the_file_name_tells_blake2b_from_sha512() -> None:
    """Both have 128 digits."""
    listed = parse_line(f"{SHA512}  x", "B2SUMS")
    assert listed == ("x", Checksum("blake2b", SHA512))


@pytest.mark.parametrize(
    ("listed", "asked", "found"),
    [
        pytest.param("a.deb", "a.deb", True, id="name"),
        pytest.param("a.deb", "h/pool/a.deb", True, id="name below a folder"),
        pytest.param("./pool/a.deb", "h/debian/pool/a.deb", True, id="end of the path"),
        pytest.param("pool/a.deb", "h/other/a.deb", False, id="another folder"),
        pytest.param("pool/a.deb", "a.deb", False, id="less than is listed"),
        pytest.param("a.deb", "aa.deb", False, id="not at a slash"),
        pytest.param("/home/x/a.deb", "pool/a.deb", True, id="absolute"),
        pytest.param("sub\\a.deb", "sub/a.deb", True, id="backslash"),
        pytest.param("A.deb", "a.deb", False, id="case"),
    ],
)
def test_a_file_is_found_by_the_end_of_its_path(listed: str, asked: str, found: bool) -> None:
    """What is listed must be the whole end of the path, between slashes."""
    checksums = Checksums()
    checksums.add(listed, Checksum("sha256", SHA256))
    assert checksums.find(asked) == (Checksum("sha256", SHA256) if found else None)


def test_the_longest_end_counts() -> None:
    """A file that is listed with its folder is not taken for one of the same name at the top."""
    checksums = Checksums()
    checksums.add("x", Checksum("sha256", OTHER))
    checksums.add("a/x", Checksum("sha256", SHA256))
    assert checksums.find("b/a/x") == Checksum("sha256", SHA256)
    assert checksums.find("c/x") == Checksum("sha256", OTHER)


def test_a_url_is_found_by_its_decoded_path() -> None:
    """The query is no part of it, and a URL without a name has no checksum."""
    checksums = Checksums()
    checksums.add("a b/é.txt", Checksum("sha256", SHA256))
    assert checksums.find_url("https://h.example/x/a%20b/%C3%A9.txt?v=1") == Checksum("sha256", SHA256)
    assert checksums.find_url("https://h.example/a%20b/") is None


def test_the_strongest_checksum_of_a_file_counts() -> None:
    """BSD files may list several algorithms; two that contradict each other count as none, and are told."""
    checksums = Checksums()
    for checksum in (Checksum("md5", MD5), Checksum("sha256", SHA256), Checksum("sha1", SHA1)):
        checksums.add("x", checksum)
    assert checksums.find("x") == Checksum("sha256", SHA256)
    checksums.add("x", Checksum("sha256", SHA256))
    assert checksums.bad_lines == 0
    checksums.add("x", Checksum("sha256", OTHER))
    assert checksums.find("x") is None
    assert "twice" in checksums.problems[0].reason


SIGNED = f"""-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

# x.iso: 123 bytes
SHA256 (x.iso) = {SHA256}
- - not a checksum
-----BEGIN PGP SIGNATURE-----

iQIzBAEBCAAdFiEE{"A" * 48}
-----END PGP SIGNATURE-----
"""


def test_a_signed_file_is_read_without_its_armour(tmp_path: Path) -> None:
    """Headers and signature are no checksums and no bad lines; packed files are unpacked."""
    file = tmp_path / "CHECKSUM.gz"
    file.write_bytes(gzip.compress(SIGNED.encode()))
    checksums = read_checksums(file)
    assert len(checksums) == 1
    assert checksums.find("x.iso") == Checksum("sha256", SHA256)
    assert [(bad.line, bad.text) for bad in checksums.problems] == [(6, "- not a checksum")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "lists no checksum", id="empty"),
        pytest.param(b"<html>\n", "lists no checksum", id="html"),
        pytest.param(b"\0\1\2\3", "not a text", id="binary"),
        pytest.param(gzip.compress(f"{SHA256}  x\n".encode())[:-4], "gzip", id="cut off"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    """No checksums at all, or perhaps not all of them: the user is told before anything is asked for."""
    file = tmp_path / "SUMS"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=reason):
        read_checksums(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(ConfigError, match="SUMS: cannot be read"):
        read_checksums(tmp_path / "SUMS")


def test_checksums_and_problems_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More files than the limit are refused, and no more than a few bad lines are kept."""
    file = tmp_path / "SUMS"
    file.write_text("junk\n" * 100 + "".join(f"{SHA256}  {number}\n" for number in range(5)))
    checksums = read_checksums(file)
    assert (checksums.bad_lines, len(checksums.problems), len(checksums)) == (100, MAX_PROBLEMS, 5)
    monkeypatch.setattr(sums, "MAX_CHECKSUMS", 4)
    with pytest.raises(ConfigError, match="more than 4"):
        read_checksums(file)


@given(st.text(st.characters()) | st.text(st.sampled_from("\\ *()=0aSHA256\n"), max_size=90), st.text())
def test_no_line_raises(text: str, own: str) -> None:
    """Any text is a checksum or none, and any path can be looked up."""
    listed = parse_line(text, own)
    checksums = Checksums()
    checksums.add(text, Checksum("sha256", SHA256))
    if listed:
        checksums.add(*listed)
    assert checksums.find(own) in (None, Checksum("sha256", SHA256), listed and listed[1])
