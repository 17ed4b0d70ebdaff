"""charset: which encoding a page is written in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.extract.text.charset import PRESCAN_BYTES, declared_encoding, decode_as, sniff_and_decode, sniff_encoding

HTML = "text/html"


@pytest.mark.parametrize(
    ("data", "content_type", "name"),
    [
        pytest.param(b"\xef\xbb\xbfx", "text/html; charset=koi8-r", "utf-8", id="mark of UTF-8 wins"),
        pytest.param(b"\xfe\xff\x00x", "text/html; charset=koi8-r", "utf-16be", id="mark of UTF-16BE wins"),
        pytest.param(b"\xff\xfex\x00", None, "utf-16le", id="mark of UTF-16LE wins"),
        pytest.param(b"<meta charset=utf-8>", "text/html; charset=koi8-r", "koi8-r", id="header beats meta"),
        pytest.param(b"x", 'text/html; Charset = "KOI8-R"; x=y', "koi8-r", id="header, quoted"),
        pytest.param(b"x", "text/html;charset='koi8-r'", "koi8-r", id="header, wrong quotes"),
        pytest.param(b"x", "text/html; charset=ISO-8859-1", "windows-1252", id="latin-1 is windows-1252"),
        pytest.param(b"x", "text/html; charset=utf-16", "utf-16le", id="header utf-16"),
        pytest.param(b"<meta charset=koi8-r>", "text/html; charset=nonsense", "koi8-r", id="unknown label in header"),
        pytest.param(b"<meta charset=koi8-r>", "text/html; xcharset=utf-8", "koi8-r", id="another parameter"),
        pytest.param(b"plain", HTML, "utf-8", id="ASCII"),
        pytest.param("größer".encode(), None, "utf-8", id="valid UTF-8"),
        pytest.param("größer".encode() * 30 + b"\xff", None, "utf-8", id="UTF-8 with a blemish"),
        pytest.param(b"", None, "utf-8", id="nothing"),
    ],
)
def test_the_order_of_evidence(data: bytes, content_type: str | None, name: str) -> None:
    """Byte order mark, header, declaration, then the bytes themselves."""
    assert sniff_encoding(data, content_type) == name


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"<meta charset=koi8-r>", "koi8-r"),
        (b"<META CHARSET='KOI8-R' />", "koi8-r"),
        (b'<meta/charset="koi8-r">', "koi8-r"),
        (b"<meta name=x charset = koi8-r >", "koi8-r"),
        (b'<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">', "koi8-r"),
        (b"<meta content='charset=\"koi8-r\"' http-equiv=content-type>", "koi8-r"),
        (b'<meta content="text/html; charset=koi8-r">', None),
        (b'<meta http-equiv=refresh content="text/html; charset=koi8-r">', None),
        (b"<meta charset=nonsense><meta charset=koi8-r>", "koi8-r"),
        (b"<meta charset=utf-16>", "utf-8"),
        (b"<meta charset=x-user-defined>", "windows-1252"),
        (b"<!-- <meta charset=koi8-r> -->", None),
        (b"<!--><meta charset=koi8-r>", "koi8-r"),
        (b"<!-- <meta charset=koi8-r>", None),
        (b'<p title="<meta charset=koi8-r>">', None),
        (b'</p title="<meta charset=koi8-r>">', None),
        (b"<!doctype html><?x?></><meta charset=koi8-r>", "koi8-r"),
        (b"<metadata charset=koi8-r>", None),
        (b"a < b <meta charset=koi8-r>", "koi8-r"),
        (b"<?xml version='1.0' encoding='koi8-r'?><p>", "koi8-r"),
        (b"<?xml version='1.0' encoding='koi8-r'?><meta charset=gbk>", "gbk"),
        (b"charset=koi8-r", None),
        (b"<meta charset=", None),
        (b"<meta charset", None),
        (b"<meta charset='koi8-r", None),
    ],
)
def test_the_prescan(head: bytes, name: str | None) -> None:
    """A declaration is read as the HTML standard's prescan reads it, neither in comments nor in attributes."""
    assert declared_encoding(head) == name


def test_a_late_declaration_does_not_count() -> None:
    """Only the first 1024 bytes are looked at."""
    assert sniff_encoding(b" " * (PRESCAN_BYTES - 30) + b"<meta charset=koi8-r>", None) == "koi8-r"
    assert sniff_encoding(b" " * PRESCAN_BYTES + b"<meta charset=koi8-r>", None) == "utf-8"


RUSSIAN = "Привет, мир! Это обычный русский текст о погоде и новостях. "
JAPANESE = "これは日本語のテキストです。今日は天気がいいですね。"


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        (RUSSIAN, "cp1251", "windows-1251"),
        (RUSSIAN, "koi8_r", "koi8-r"),
        (JAPANESE, "cp932", "shift_jis"),
        (JAPANESE, "euc_jp", "euc-jp"),
        ("这是一个中文文本，用于测试字符编码检测。今天天气很好。", "gb18030", "gbk"),
        ("안녕하세요. 이것은 한국어 텍스트입니다. ", "cp949", "euc-kr"),
        ("Le garçon a été à la fenêtre, où il a mangé des crêpes. ", "cp1252", "windows-1252"),
        ("Die Häuser in München sind schön. Größe, Straße, Übung. ", "cp1252", "windows-1252"),
        ("Zażółć gęślą jaźń. W Szczebrzeszynie chrząszcz brzmi w trzcinie. ", "cp1250", "windows-1250"),
    ],
)
def test_undeclared_text_is_detected(text: str, codec: str, name: str) -> None:
    """What is not UTF-8 and declares nothing is detected from a sample, wherever on the page its letters begin."""
    data = b"<p>plain ASCII</p>" * 1000 + (text * 40).encode(codec)
    found, used = sniff_and_decode(data, HTML)
    assert used == name
    assert text in found


def test_what_cannot_be_detected_is_windows_1252() -> None:
    """The web's own fallback."""
    assert sniff_encoding(b"caf\xe9", None) == "windows-1252"


@given(
    st.one_of(st.binary(max_size=300), st.text("<meta charst=\"'>-!/ utf-8\xe9", max_size=200).map(str.encode)),
    st.one_of(st.none(), st.text(max_size=40), st.sampled_from(["text/html; charset=big5", "x; charset=utf-16be"])),
)
def test_any_bytes_have_a_text(data: bytes, content_type: str | None) -> None:
    """Nothing raises, and the name is one that can be read again."""
    text, name = sniff_and_decode(data, content_type)
    assert text == decode_as(data, name)
    assert len(text) <= len(data)


def test_a_long_head_of_open_quotes_is_quick() -> None:
    """The prescan is bounded, whatever is in it; the detection looks at a sample only."""
    assert sniff_encoding(b"<meta charset \"'" * 100_000, None) == "utf-8"
    assert sniff_encoding(b"\xe9" * 1_000_000, None)


@pytest.mark.parametrize(
    "text",
    [
        "Straße",
        "Größe: 5 €",
        "Über uns – Öffnungszeiten",
        "Les élèves français étaient très contents à Noël",
        "El niño comió piñas en España, ¿verdad?",
        "Não há informação à disposição dos usuários",
        "Små grønne æbler på øen",
        "5 €",
        "© 2024 “quoted”",
        "Müller & Söhne GmbH, Köln",
        "Città è più caffè",
        "Hyvää päivää, käyttäjät löytävät tämän",
    ],
)
def test_undeclared_western_text_is_windows_1252(text: str) -> None:
    """However short it is: no other alphabet and no East Asian encoding."""
    page = f"<html><body><h1>{text}</h1></body></html>".encode("cp1252")
    assert sniff_and_decode(page, "text/html")[1] == "windows-1252"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Каталог товаров и услуг: цены, доставка и оплата в нашем магазине"),
        ("gbk", "商品目录和服务：我们商店的价格、送货和付款方式，欢迎您的光临"),
        ("big5", "商品目錄和服務：我們商店的價格、送貨和付款方式，歡迎您的光臨"),
        ("shift_jis", "商品カタログとサービス：当店の価格、配送、お支払い方法についてご案内します"),
        ("euc_kr", "상품 목록과 서비스: 저희 매장의 가격, 배송 및 결제 방법을 안내합니다"),
        ("cp1253", "Κατάλογος προϊόντων και υπηρεσιών: τιμές, αποστολή και πληρωμή στο κατάστημα"),
    ],
)
def test_other_alphabets_are_still_found(encoding: str, text: str) -> None:
    """The text comes out as it was written."""
    page = f"<html><body><h1>{text}</h1></body></html>".encode(encoding)
    assert text in sniff_and_decode(page, "text/html")[0]


def test_iso_2022_jp_is_found_by_its_escapes() -> None:
    """All its bytes are ASCII; other escapes are none of it."""
    text = "いろはにほへと"
    assert sniff_and_decode(f"<h1>{text}</h1>".encode("iso2022_jp"), None) == (f"<h1>{text}</h1>", "iso-2022-jp")
    assert sniff_encoding(b"\x1b[31mred\x1b[0m", None) == "utf-8"
    assert sniff_encoding(b"\x1b$B", "text/html; charset=utf-8") == "utf-8"


FILL = b"<!-- " + b"x" * PRESCAN_BYTES + b" -->"


@pytest.mark.parametrize(
    ("declaration", "name"),
    [
        (b"<meta charset=iso-8859-2>", "iso-8859-2"),
        (b"<META name=x CHARSET='iso-8859-2'>", "iso-8859-2"),
        (b"<meta http-equiv=content-type content='text/html; charset=iso-8859-2'>", "iso-8859-2"),
        (b"<p>\xe8</p><meta charset=iso-8859-2>", "iso-8859-2"),
        (b"<script>'<meta charset=koi8-r>'</script><meta charset=iso-8859-2>", "iso-8859-2"),
        (b"<!-- <meta charset=koi8-r> --><meta charset=iso-8859-2>", "iso-8859-2"),
        (b"<meta charset=nonsense><meta charset=iso-8859-2>", "iso-8859-2"),
        (b"<script>'<meta charset=koi8-r>'</script>", "windows-1252"),
    ],
)
def test_a_late_declaration_counts(declaration: bytes, name: str) -> None:
    """HTML standard, 13.2.3.5: a parser changes the encoding when it reaches it."""
    assert sniff_encoding(b"<html>" + FILL + declaration + b"<h1>Ka\xe8ka</h1>", None) == name
