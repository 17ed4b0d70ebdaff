"""The generated pictures and documents are valid files."""

from __future__ import annotations

import re
import struct
import zlib

import pytest

from scraper.demo_site.images import PICTURE_SIDE_PX, make_pdf, make_png


@pytest.mark.parametrize("number", [0, 1, 17, 5000])
def test_a_picture_has_its_size_and_right_checksums(number: int) -> None:
    """Every chunk of the PNG has its CRC, and the pixels fill the picture."""
    content = make_png(number)
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        kind, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        assert content[at + 8 + length : at + 12 + length] == struct.pack(">I", zlib.crc32(kind + data))
        chunks[kind] = data
        at += 12 + length
    assert struct.unpack(">II", chunks[b"IHDR"][:8]) == (PICTURE_SIDE_PX, PICTURE_SIDE_PX)
    assert len(zlib.decompress(chunks[b"IDAT"])) == PICTURE_SIDE_PX * (1 + 3 * PICTURE_SIDE_PX)


def test_the_objects_of_a_document_are_where_its_table_says() -> None:
    """The cross-reference table of the PDF has the offset of every object."""
    content = make_pdf("Warranty")
    offsets = [int(entry) for entry in re.findall(rb"([0-9]{10}) 00000 n ", content)]
    assert len(offsets) == 5
    for number, offset in enumerate(offsets, 1):
        assert content[offset:].startswith(b"%d 0 obj\n" % number)
    table = int(content.rpartition(b"startxref\n")[2].split()[0])
    assert content[table:].startswith(b"xref\n")
