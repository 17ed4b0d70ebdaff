"""filename: what is made of any text is a name that every file system takes as it stands."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.urls.filename import MAX_NAME_BYTES, decode_segment, extension, fold_name, safe_name, shorten_name

TEXTS = st.text(st.characters()) | st.text(st.sampled_from("aA.é~_ -:/\\\u202e\0part\u0301"), max_size=20)
LONG = st.builds(
    lambda text, times: text * times, st.text(st.sampled_from("aé. 😀_part"), min_size=1), st.integers(1, 99)
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("plan.pdf", "plan.pdf", id="plain"),
        pytest.param("na\u0069\u0308ve.txt", "naïve.txt", id="nfc"),
        pytest.param(".bashrc", "_bashrc", id="dotfile"),
        pytest.param("..", "__", id="dots"),
        pytest.param(" x ", "_x_", id="spaces at the ends"),
        pytest.param("end.", "end_", id="trailing dot"),
        pytest.param('a/b\\c:d*e?f"g<h>i|j', "a_b_c_d_e_f_g_h_i_j", id="reserved"),
        pytest.param("a\nb\x00c\x7f", "a_b_c_", id="control"),
        pytest.param("gpj.\u202efdp.exe", "gpj._fdp.exe", id="bidi"),
        pytest.param("con", "_con", id="device"),
        pytest.param("Aux.tar.gz", "_Aux.tar.gz", id="device with an extension"),
        pytest.param("lpt\u00b9 .txt", "_lpt\u00b9 .txt", id="device with a superscript digit"),
        pytest.param("console.txt", "console.txt", id="no device"),
        pytest.param("x.PART", "x.PART_", id="part"),
        pytest.param("", "", id="empty"),
    ],
)
def test_a_name_is_made_safe(text: str, name: str) -> None:
    """What a file system, a listing or a reader could misread is replaced, and nothing else."""
    assert safe_name(text) == name


@given(TEXTS | LONG)
def test_a_safe_name_stays_safe_when_made_safe_or_shorter(text: str) -> None:
    """Safe names are fixed points of `safe_name`, whole or cut, and a cut one fits with `.part` into 255 bytes."""
    name = safe_name(text)
    assert safe_name(name) == name
    cut = shorten_name(name)
    assert safe_name(cut) == cut
    assert len(cut.encode()) <= MAX_NAME_BYTES
    assert unicodedata.is_normalized("NFC", cut)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.txt", ".txt"),
        ("a.tar.gz", ".tar.gz"),
        ("A.TAR.GZ", ".TAR.GZ"),
        ("a.b.c", ".c"),
        ("a", ""),
        (".bashrc", ""),
        ("a.", ""),
        ("a.verylongextension", ""),
        ("version 1.2 final", ""),
        ("x" * 300 + ".tar.xz", ".tar.xz"),
    ],
)
def test_the_extension_of_a_name(name: str, expected: str) -> None:
    """An extension is short and alphanumeric, and that of a compressed tar archive is both parts."""
    assert extension(name) == expected


@pytest.mark.parametrize(
    ("name", "suffix", "expected"),
    [
        pytest.param("data.bin", "~2", "data~2.bin", id="suffix"),
        pytest.param("a.tar.gz", "~10", "a~10.tar.gz", id="tar"),
        pytest.param("x" * 300 + ".tar.gz", "~2", "x" * 241 + "~2.tar.gz", id="cut"),
        pytest.param("é" * 200 + ".pdf", "", "é" * 123 + ".pdf", id="cut between characters"),
        pytest.param("x" * 249 + " yz", "", "x" * 249, id="no space at the cut"),
        pytest.param("x" * 245 + ".part-of-something", "", "x" * 245 + ".par_", id="no part at the cut"),
    ],
)
def test_a_long_name_keeps_its_extension(name: str, suffix: str, expected: str) -> None:
    """The stem is cut, never the suffix or the extension, and a cut leaves a safe end."""
    assert shorten_name(name, suffix) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("DATA.bin", "data.BIN"),
        ("E\u0301.txt", "\u00e9.txt"),
        ("stra\u00dfe", "STRASSE"),
        ("\u212a", "k"),
        ("\u0130", "i\u0307"),
        ("\u03a3\u03a3", "\u03c3\u03c2"),
    ],
)
def test_names_of_one_file_fold_alike(one: str, other: str) -> None:
    """Names that are one on some file system that ignores case or normal form have one folding."""
    assert fold_name(one) == fold_name(other)


@given(TEXTS)
def test_folding_is_idempotent_and_ignores_case_and_form(text: str) -> None:
    """The folding of a name does not change when it is folded, lowered or decomposed before."""
    once = fold_name(text)
    assert fold_name(once) == once
    assert fold_name(unicodedata.normalize("NFD", text)) == once


@pytest.mark.parametrize(
    ("segment", "text"),
    [("a%20b", "a b"), ("%C3%A9", "é"), ("%2541", "%41"), ("%ff", "\ufffd"), ("%", "%"), ("é%", "é%")],
)
def test_a_segment_is_decoded_once(segment: str, text: str) -> None:
    """Percent triplets are UTF-8, and what comes out is not decoded again."""
    assert decode_segment(segment) == text
