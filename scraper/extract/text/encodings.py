"""Character encodings of the web: their labels, and the Python codecs that decode them.

The labels are those of the WHATWG Encoding standard, section 4.2, which gives some another meaning than Python does: a
page that says iso-8859-1 means windows-1252. Labels of the standard's `replacement` encoding are left out, so that a
page with one of them is treated like one that declares nothing.
"""

from __future__ import annotations


def _iso8859_labels(number: int, year: int, region: int, also: str) -> str:
    """The labels of part `number` of ISO 8859: those that follow from the number, and the `also`."""
    return f"iso8859-{number} iso8859{number} iso_8859-{number} iso_8859-{number}:{year} iso-ir-{region} {also}"


# name: (Python codec, labels besides the name itself). Where the codec is a superset of the name (gb18030 for gbk,
# cp932 for shift_jis, cp949 for euc-kr), the standard decodes so too.
_ENCODINGS: dict[str, tuple[str, str]] = {
    "utf-8": ("utf-8", "utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8"),
    "ibm866": ("cp866", "866 cp866 csibm866"),
    "iso-8859-2": ("iso8859_2", _iso8859_labels(2, 1987, 101, "csisolatin2 l2 latin2")),
    "iso-8859-3": ("iso8859_3", _iso8859_labels(3, 1988, 109, "csisolatin3 l3 latin3")),
    "iso-8859-4": ("iso8859_4", _iso8859_labels(4, 1988, 110, "csisolatin4 l4 latin4")),
    "iso-8859-5": ("iso8859_5", _iso8859_labels(5, 1988, 144, "csisolatincyrillic cyrillic")),
    "iso-8859-6": (
        "iso8859_6",
        _iso8859_labels(6, 1987, 127, "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114")
        + " iso-8859-6-e iso-8859-6-i",
    ),
    "iso-8859-7": (
        "iso8859_7",
        _iso8859_labels(7, 1987, 126, "csisolatingreek ecma-118 elot_928 greek greek8 sun_eu_greek"),
    ),
    "iso-8859-8": (
        "iso8859_8",
        _iso8859_labels(8, 1988, 138, "csiso88598e csisolatinhebrew hebrew iso-8859-8-e visual"),
    ),
    "iso-8859-8-i": ("iso8859_8", "csiso88598i logical"),
    "iso-8859-10": ("iso8859_10", "csisolatin6 iso-ir-157 iso8859-10 iso885910 l6 latin6"),
    "iso-8859-13": ("iso8859_13", "iso8859-13 iso885913"),
    "iso-8859-14": ("iso8859_14", "iso8859-14 iso885914"),
    "iso-8859-15": ("iso8859_15", "csisolatin9 iso8859-15 iso885915 iso_8859-15 l9"),
    "iso-8859-16": ("iso8859_16", ""),
    "koi8-r": ("koi8_r", "cskoi8r koi koi8 koi8_r"),
    "koi8-u": ("koi8_u", "koi8-ru"),
    "macintosh": ("mac_roman", "csmacintosh mac x-mac-roman"),
    "windows-874": ("cp874", "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620"),
    "windows-1250": ("cp1250", "cp1250 x-cp1250"),
    "windows-1251": ("cp1251", "cp1251 x-cp1251"),
    "windows-1252": (
        "cp1252",
        _iso8859_labels(1, 1987, 100, "iso-8859-1 ansi_x3.4-1968 ascii us-ascii cp819 ibm819 csisolatin1 l1 latin1")
        + " cp1252 x-cp1252 x-user-defined",
    ),
    "windows-1253": ("cp1253", "cp1253 x-cp1253"),
    "windows-1254": ("cp1254", _iso8859_labels(9, 1989, 148, "iso-8859-9 csisolatin5 l5 latin5 cp1254 x-cp1254")),
    "windows-1255": ("cp1255", "cp1255 x-cp1255"),
    "windows-1256": ("cp1256", "cp1256 x-cp1256"),
    "windows-1257": ("cp1257", "cp1257 x-cp1257"),
    "windows-1258": ("cp1258", "cp1258 x-cp1258"),
    "x-mac-cyrillic": ("mac_cyrillic", "x-mac-ukrainian"),
    "gbk": ("gb18030", "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 iso-ir-58 x-gbk"),
    "gb18030": ("gb18030", ""),
    "big5": ("big5hkscs", "big5-hkscs cn-big5 csbig5 x-x-big5"),
    "euc-jp": ("euc_jp", "cseucpkdfmtjapanese x-euc-jp"),
    "iso-2022-jp": ("iso2022_jp", "csiso2022jp"),
    "shift_jis": ("cp932", "csshiftjis ms932 ms_kanji shift-jis sjis windows-31j x-sjis"),
    "euc-kr": (
        "cp949",
        "cseuckr csksc56011987 iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949",
    ),
    "utf-16be": ("utf-16-be", "unicodefffe"),
    "utf-16le": ("utf-16-le", "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16"),
}

_ENCODING_BY_LABEL = {label: name for name, (_, labels) in _ENCODINGS.items() for label in (name, *labels.split())}
_ENCODING_BY_CODEC = {codec: name for name, (codec, _) in reversed(_ENCODINGS.items())}


def encoding_for_label(label: str) -> str | None:
    """The name, in lower case, of the encoding that `label` means; None if the label is unknown."""
    return _ENCODING_BY_LABEL.get(label.strip("\t\n\f\r ").lower())


def python_codec(name: str) -> str:
    """The Python codec for the encoding `name`, which is a result of `encoding_for_label`."""
    return _ENCODINGS[name][0]


def encoding_for_codec(codec: str) -> str | None:
    """The name of the encoding that the Python codec `codec` decodes; None if the standard has none."""
    return _ENCODING_BY_CODEC.get(codec)
