"""disposition: the name in Content-Disposition, by RFC 6266 and 8187, and by what servers send instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.downloads.lists.content_disposition import MAX_FIELD_CHARS, disposition_name, suggested_name
from scraper.model import Headers
from scraper.urls.filename import MAX_NAME_BYTES, safe_name


def raw(text: str) -> str:
    """Text as a header brings it: its UTF-8 bytes read as latin-1."""
    return text.encode().decode("latin-1")


VALID = [
    ("type alone", "attachment", None),
    ("inline alone", "inline", None),
    ("token", "attachment; filename=foo.html", "foo.html"),
    ("quoted", 'attachment; filename="foo.html"', "foo.html"),
    ("inline", 'inline; filename="foo.html"', "foo.html"),
    ("unknown type", 'foobar; filename="foo.html"', "foo.html"),
    ("parameter name in capitals", 'attachment; FILENAME="foo.html"', "foo.html"),
    ("blanks around =", 'attachment; filename = "foo.html"', "foo.html"),
    ("no blank", "attachment;filename=foo.html", "foo.html"),
    ("blank in quotes", 'attachment; filename="x y.txt"', "x y.txt"),
    ("quoted pair", r'attachment; filename="f\oo.html"', "foo.html"),
    ("escaped quotes", r'attachment; filename="\"quoting\" tested.html"', "_quoting_ tested.html"),
    ("escaped quote and semicolon", r'attachment; filename="a\"b;c.txt"', "a_b;c.txt"),
    ("semicolon in quotes", 'attachment; filename="Here\'s a semicolon;.html"', "Here's a semicolon;.html"),
    ("other parameter before", 'attachment; foo="bar"; filename="foo.html"', "foo.html"),
    ("other parameter with escapes", r'attachment; foo="\"\\";filename="foo.html"', "foo.html"),
    ("filename inside another value", 'attachment; example="filename=example.txt"', None),
    ("another parameter's name ends alike", "attachment; xfilename=foo.html", None),
    ("percent sign in filename", 'attachment; filename="50%25%20off.txt"', "50%25%20off.txt"),
    ("percent letter in filename", 'attachment; filename="foo-%41.html"', "foo-%41.html"),
    ("latin-1", 'attachment; filename="foo-\xe4.html"', "foo-ä.html"),
    ("dates", 'attachment; creation-date="Wed, 12 Feb 1997 16:29:51 -0500"', None),
    ("extended", "attachment; filename*=UTF-8''foo-%c3%a4-%e2%82%ac.html", "foo-ä-€.html"),
    ("extended latin-1", "attachment; filename*=iso-8859-1''foo-%E4.html", "foo-ä.html"),
    ("extended with a language", "attachment; filename*=UTF-8'en'foo.html", "foo.html"),
    ("extended with blanks after =", "attachment; filename*= UTF-8''foo.html", "foo.html"),
    ("extended decoded once", "attachment; filename*=UTF-8''A-%2541.html", "A-%41.html"),
    ("extended wins", "attachment; filename=\"plain.txt\"; filename*=UTF-8''na%C3%AFve%20file.txt", "naïve file.txt"),
    ("extended wins when it comes first", "attachment; filename*=UTF-8''a.txt; filename=b.txt", "a.txt"),
    ("continuations are of RFC 2231", 'attachment; filename*0="foo."; filename*1="html"', None),
    ("beside continuations", "attachment; filename*0*=UTF-8''x; filename*=UTF-8''foo.html", "foo.html"),
    ("RFC 2047 is text", 'attachment; filename="=?ISO-8859-1?Q?a=E4?="', "=_ISO-8859-1_Q_a=E4_="),
]
INVALID = [
    ("nothing", "", None),
    ("empty name", 'attachment; filename=""', None),
    ("no value", "attachment; filename=", None),
    ("no equals sign", "attachment; filename", None),
    ("raw UTF-8", raw('attachment; filename="naïve €.txt"'), "naïve €.txt"),
    ("missing type", "filename=foo.html", "foo.html"),
    ("missing type, semicolon", "; filename=foo.html", "foo.html"),
    ("colon", ": inline; attachment; filename=foo.html", "foo.html"),
    ("two types", "attachment; inline; filename=foo.html", "foo.html"),
    ("type at the end", "filename=foo.html; attachment", "foo.html"),
    ("quoted type", '"foo; filename=bar;baz"; filename=qux', "qux"),
    ("two headers joined", "attachment; filename=foo.html, attachment; filename=bar.html", "foo.html"),
    ("two values joined", "filename=foo.html, filename=bar.html", "foo.html"),
    ("two filenames", 'attachment; filename="foo.html"; filename="bar.html"', "foo.html"),
    ("empty, then a name", 'attachment; filename=""; filename="bar.html"', "bar.html"),
    ("empty parameter", "attachment; ;filename=foo", "foo"),
    ("trailing semicolon", "attachment; filename=foo.html ;", "foo.html"),
    ("comma in a token", "attachment; filename=foo,bar.html", "foo,bar.html"),
    ("blank in a token", "attachment; filename=foo bar.html", "foo bar.html"),
    ("brackets in a token", "attachment; filename=foo[1](2).html", "foo[1](2).html"),
    ("single quotes", "attachment; filename='foo.bar'", "'foo.bar'"),
    ("quote in a token", 'attachment; filename=foo"bar;baz"qux', "foo_bar"),
    ("text after the quotes", 'attachment; filename="foo.html".txt', "foo.html"),
    ("open quote", 'attachment; filename="bar', "bar"),
    ("open escape", 'attachment; filename="bar\\', "bar"),
    ("missing semicolon", "attachment filename=bar", None),
    ("missing semicolon before", "attachment; foo=foo filename=bar", None),
    ("RFC 2047 as a token", "attachment; filename==?UTF-8?Q?a?=", "=_UTF-8_Q_a_="),
    ("extended in quotes", "attachment; filename*=\"UTF-8''foo.html\"", "foo.html"),
    ("extended, blank before the star", "attachment; filename *=UTF-8''foo.html", None),
    ("extended without a charset", "attachment; filename*=''foo.html", None),
    ("extended with an unknown charset", "attachment; filename*=x-user-defined''foo.html; filename=b", "b"),
    ("extended with a codec that is no charset", "attachment; filename*=unicode_escape''foo.html", None),
    ("extended with one quote", "attachment; filename*=UTF-8'foo.html", None),
    ("extended without quotes", "attachment; filename*=foo.html; filename=b.html", "b.html"),
    ("extended, broken UTF-8", "attachment; filename*=utf-8''foo-%E4.html; filename=b.html", "b.html"),
    ("extended, broken triplet", "attachment; filename*=UTF-8''f%oo.html", None),
    ("extended, open triplet", "attachment; filename*=UTF-8''foo%", None),
    ("extended, empty", "attachment; filename*=UTF-8''; filename=b.html", "b.html"),
    ("extended, raw UTF-8", raw("attachment; filename*=UTF-8''näive.txt"), "näive.txt"),
    ("too long", "attachment; x=" + "x" * MAX_FIELD_CHARS + "; filename=a", None),
]
HOSTILE = [
    ("parents", 'attachment; filename="../../evil.txt"', "evil.txt"),
    ("parents, extended", "attachment; filename*=UTF-8''..%2F..%2Fevil2.txt", "evil2.txt"),
    ("parents with backslashes", r'attachment; filename="..\..\evil4.txt"', "evil4.txt"),
    ("Windows path", r'attachment; filename="C:\dir\file.txt"', "file.txt"),
    ("share", r'attachment; filename="\\server\file.txt"', "file.txt"),
    ("absolute", 'attachment; filename="/foo.html"', "foo.html"),
    ("escaped backslash", r'attachment; filename="\\foo.html"', "foo.html"),
    ("backslash, extended", "attachment; filename*=UTF-8''%5cfoo.html", "foo.html"),
    ("dotfile", 'attachment; filename=".bashrc"', "_bashrc"),
    ("dots", 'attachment; filename=".."', None),
    ("folder", 'attachment; filename="a/"', None),
    ("NUL", "attachment; filename*=UTF-8''a%00b.txt", "a_b.txt"),
    ("bidi", "attachment; filename*=UTF-8''gpj.%E2%80%AEexe", "gpj._exe"),
    ("device", "attachment; filename=CON.txt", "_CON.txt"),
    ("long", f'attachment; filename="{"x" * 300}.tar.gz"', "x" * (MAX_NAME_BYTES - 7) + ".tar.gz"),
]


@pytest.mark.parametrize(
    ("value", "name"), [pytest.param(value, name, id=id) for id, value, name in VALID + INVALID + HOSTILE]
)
def test_the_name_in_a_header(value: str, name: str | None) -> None:
    """Valid headers by the RFCs, invalid ones by their only sensible reading, hostile ones made safe."""
    assert disposition_name(value) == name


def test_the_first_header_with_a_name_counts() -> None:
    """A response may bring several."""
    name = b"Content-Disposition"
    assert suggested_name(Headers([(name, b"inline"), (name, b"inline; filename=a"), (name, b"x; filename=b")])) == "a"
    assert suggested_name(Headers()) is None


PIECES = [
    "attachment",
    ";",
    "filename",
    "filename*",
    "=",
    '"',
    "\\",
    "UTF-8''",
    "%2F",
    "%",
    "é",
    " ",
    ",",
    ".",
    "a/b",
    "\0",
]


@given(st.text(st.characters()) | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_header_gives_a_safe_name_or_none(value: str) -> None:
    """Never a path, never longer than a file system takes, never an exception."""
    name = disposition_name(value)
    assert name is None or (name and name == safe_name(name) and len(name.encode()) <= MAX_NAME_BYTES)
