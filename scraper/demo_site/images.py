"""Generates small valid PNG and PDF files, so that no binary files have to be shipped."""

from __future__ import annotations

import struct
import zlib

# Width and height of a picture.
PICTURE_SIDE_PX = 48


def make_png(number: int) -> bytes:
    """A picture with stripes whose colors depend on `number` (PNG, 8-bit RGB; W3C PNG section 5)."""
    base = ((number * 67) % 200 + 40, (number * 131) % 200 + 40, (number * 29) % 200 + 40)
    step = number % 5 + 3
    rows = []
    for y in range(PICTURE_SIDE_PX):
        row = bytearray(b"\0")  # filter type 0: none
        for x in range(PICTURE_SIDE_PX):
            shade = 1.0 if (x + y * (number % 3)) // step % 2 else 0.7
            row += bytes(int(channel * shade) for channel in base)
        rows.append(bytes(row))
    header = struct.pack(">IIBBBBB", PICTURE_SIDE_PX, PICTURE_SIDE_PX, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, content) for kind, content in chunks)


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def make_pdf(title: str) -> bytes:
    """A document with one page that shows `title` (PDF 1.4; ISO 32000-1 section 7.5). `title` must be ASCII."""
    content = f"BT /F1 24 Tf 72 720 Td ({title}) Tj ET".encode("ascii")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    out = bytearray(b"%PDF-1.4\n")
    offsets = []  # of each object, for the cross-reference table
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)
