"""Small files of real formats, made in code: PNG pictures and PDF papers."""

from __future__ import annotations

import struct
import zlib

# Width and height of a picture, in pixels.
PICTURE_SIDE_PX = 48


def make_png(number: int) -> bytes:
    """A picture of stripes whose colours depend on `number` (PNG, RGB, 8 bits; W3C PNG section 5)."""
    base = ((number * 67) % 200 + 40, (number * 131) % 200 + 40, (number * 29) % 200 + 40)
    step = number % 5 + 3
    rows = []
    for y in range(PICTURE_SIDE_PX):
        row = bytearray(b"\0")
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
    """A paper of one page that shows `title` (PDF 1.4; ISO 32000-1 section 7.5). `title` is plain ASCII."""
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
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)
