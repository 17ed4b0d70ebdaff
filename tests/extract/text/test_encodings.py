"""Labels of character encodings (WHATWG Encoding, section 4.2)."""

from __future__ import annotations

import codecs

import pytest

from scraper.extract.text.charset import decode_as
from scraper.extract.text.encodings import encoding_for_codec, encoding_for_label, python_codec


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("UTF8", "utf-8"),
        (" latin1\n", "windows-1252"),
        ("us-ascii", "windows-1252"),
        ("iso_8859-9:1989", "windows-1254"),
        ("iso-ir-138", "iso-8859-8"),
        ("logical", "iso-8859-8-i"),
        ("gb2312", "gbk"),
        ("x-sjis", "shift_jis"),
        ("ks_c_5601-1987", "euc-kr"),
        ("tis-620", "windows-874"),
        ("unicode", "utf-16le"),
        ("hz-gb-2312", None),
        ("utf-7", None),
        ("base64", None),
        ("", None),
    ],
)
def test_labels(label: str, name: str | None) -> None:
    """Labels mean what the WHATWG Encoding standard says, and Python's other codecs cannot be reached."""
    assert encoding_for_label(label) == name


def test_every_encoding_can_be_read() -> None:
    """Each name has a codec for text, and detection can name what it finds."""
    for label in ("utf-8", "866", "mac", "koi8-ru", "gbk", "gb18030", "big5", "ucs-2", "l6", "iso-8859-16", "visual"):
        name = encoding_for_label(label)
        assert name is not None
        assert codecs.lookup(python_codec(name)).encode("a")[0]
        assert decode_as(b"a\0" if name == "utf-16le" else b"a", name) == "a"
    assert encoding_for_codec("cp949") == "euc-kr"
    assert encoding_for_codec("utf-7") is None
