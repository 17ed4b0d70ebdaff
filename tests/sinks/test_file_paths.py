from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.sinks.file_paths import relative_path
from scraper.urls.filename import MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_PATH_SEGMENTS

TAG = "~[0-9a-v]{10}"


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("https://h.example/docs/plan.pdf", r"h\.example/docs/plan\.pdf"),
        ("https://h.example/a%20b/na%C3%AFve.txt", r"h\.example/a b/naïve\.txt"),
        ("https://h.example:8443/x.pdf", rf"h\.example_8443{TAG}/x\.pdf"),
        ("http://h.example:8080/x.pdf", r"h\.example_8080/x\.pdf"),
        ("http://h.example/x.pdf", r"h\.example_80/x\.pdf"),
        ("http://[::1]:8080/x.pdf", rf"\[__1\]_8080{TAG}/x\.pdf"),
        ("https://h.example/Plan.pdf", rf"h\.example/Plan{TAG}\.pdf"),
        ("https://h.example/get.php?id=7", rf"h\.example/get{TAG}\.php"),
        ("https://h.example/a.tar.gz?v=1", rf"h\.example/a{TAG}\.tar\.gz"),
        ("https://h.example/a.b.c", r"h\.example/a\.b\.c"),
        ("https://h.example/license", rf"h\.example/license{TAG}"),
        ("https://h.example/v1.2/x.txt", rf"h\.example/v1\.2{TAG}/x\.txt"),
        ("https://h.example/", rf"h\.example/index{TAG}"),
        ("https://h.example", rf"h\.example/index{TAG}"),
        ("https://h.example/a//b.txt", rf"h\.example/a/_{TAG}/b\.txt"),
        ("https://h.example/%2e%2e/%2E%2E/etc/passwd", rf"h\.example/__{TAG}/__{TAG}/etc/passwd{TAG}"),
        ("https://h.example/..%2F..%2Fescape.txt", rf"h\.example/_\._\.\._escape{TAG}\.txt"),
        ("https://h.example/..\\x.txt", rf"h\.example/_\._x{TAG}\.txt"),
        ("https://h.example/.bashrc", rf"h\.example/_bashrc{TAG}"),
        ("https://h.example/.htaccess.txt", rf"h\.example/_htaccess{TAG}\.txt"),
        ("https://h.example/end.", rf"h\.example/end_{TAG}"),
        ("https://h.example/end.txt%20", rf"h\.example/end\.txt_{TAG}"),
        ("https://h.example/con.txt", rf"h\.example/_con{TAG}\.txt"),
        ("https://h.example/lpt1/x.txt", rf"h\.example/_lpt1{TAG}/x\.txt"),
        ("https://h.example/a%00b.txt", rf"h\.example/a_b{TAG}\.txt"),
        ("https://h.example/a%0Ab.txt", rf"h\.example/a_b{TAG}\.txt"),
        ("https://h.example/a%E2%80%AEfdp.exe", rf"h\.example/a_fdp{TAG}\.exe"),
        ("https://h.example/a%C2%85.txt", rf"h\.example/a_{TAG}\.txt"),
        ("https://h.example/a:b*c.txt", rf"h\.example/a_b_c{TAG}\.txt"),
        ("https://h.example/movie.part", rf"h\.example/movie\.part_{TAG}"),
        ("https://h.example/bad%ff.txt", rf"h\.example/bad�{TAG}\.txt"),
        ("https://h.example/x~0123456789.txt", rf"h\.example/x~0123456789{TAG}\.txt"),
        ("https://h.example/~user/x.txt", r"h\.example/~user/x\.txt"),
        ("https://h.example/" + "x" * 300 + ".pdf", rf"h\.example/x+{TAG}\.pdf"),
        ("https://h.example/" + "%C3%A9" * 200 + ".pdf", rf"h\.example/é+{TAG}\.pdf"),
        ("https://h.example/" + "d/" * 100 + "x.pdf", rf"h\.example/{TAG}/x\.pdf"),
        ("https://h.example/" + ("d" * 200 + "/") * 5 + "x.pdf", rf"h\.example/{TAG}/x\.pdf"),
        ("no url at all", rf"_{TAG}/no url at all{TAG}"),
        ("", rf"_{TAG}/index{TAG}"),
    ],
)
def test_the_path_of_a_url(url: str, pattern: str) -> None:
    """A plain name stands as it is; anything ambiguous or unsafe is made safe and tagged before its extension."""
    assert re.fullmatch(pattern, relative_path(url)), relative_path(url)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://h.example/a.txt", "https://h.example/A.txt"),
        ("https://h.example/A.txt", "https://h.example/a.TXT"),
        ("https://h.example/e%CC%81.txt", "https://h.example/%C3%A9.txt"),
        ("https://h.example/%EF%AC%81.txt", "https://h.example/fi.txt"),
        ("https://h.example/stra%C3%9Fe.txt", "https://h.example/strasse.txt"),
        ("https://h.example/a", "https://h.example/a/b.txt"),
        ("https://h.example/a.txt", "https://h.example/a.txt/b.txt"),
        ("https://h.example/A", "https://h.example/A/b.txt"),
        ("https://h.example/a/", "https://h.example/a/index"),
        ("https://h.example/a.php?x=1", "https://h.example/a.php?x=2"),
        ("https://h.example/a.php?", "https://h.example/a.php"),
        ("https://h.example/a%28.txt", "https://h.example/a(.txt"),
        ("https://h.example/a%2Fb.txt", "https://h.example/a/b.txt"),
        ("http://h.example/a.txt", "https://h.example/a.txt"),
        ("http://h.example:8080/a.txt", "https://h.example:8080/a.txt"),
        ("http://h.example:8080/a.txt", "http://h.example_8080/a.txt"),
        ("https://h.example/" + "x" * 300 + "1.pdf", "https://h.example/" + "x" * 300 + "2.pdf"),
        ("https://h.example/" + "d/" * 100 + "x.pdf", "https://h.example/" + "d/" * 101 + "x.pdf"),
    ],
)
def test_different_urls_never_clash(one: str, other: str) -> None:
    """No two URLs share a path, nor is one's file the other's folder, on a disk that ignores case and normal form."""
    first, second = (folded(relative_path(url)) for url in (one, other))
    assert first != second
    assert not second.startswith(first + "/")


def test_a_tagged_path_is_not_the_path_of_the_url_that_spells_it() -> None:
    """A hostile link that imitates a tag gets one of its own."""
    tagged = relative_path("https://h.example/A.txt")
    assert relative_path(f"https://{tagged}") != tagged


def folded(path: str) -> str:
    return unicodedata.normalize("NFC", path.upper().casefold())


SEGMENT = st.text(st.sampled_from("aAbé.%20~-_ :\u202e\0?#\\"), max_size=8) | st.text(st.characters(), max_size=30)
URLS = st.lists(SEGMENT, max_size=5).map(lambda parts: "https://h.example/" + "/".join(parts))


@settings(deadline=None)
@given(URLS | st.text(st.characters()))
def test_every_name_is_safe(url: str) -> None:
    """Whatever the URL, each name is short, visible, no device, no traversal, and nothing hides at its ends."""
    path = relative_path(url)
    names = path.split("/")
    assert len(path.encode("utf-8")) <= MAX_PATH_BYTES + MAX_NAME_BYTES
    assert 2 <= len(names) <= MAX_PATH_SEGMENTS + 1
    for name in names:
        assert name
        assert name.isprintable()
        assert not set(name) & set('<>:"/\\|?*')
        assert name[0] not in ". "
        assert name[-1] not in ". "
        assert not name.lower().endswith(".part")
        assert len((name + ".part").encode("utf-8")) <= 255
        assert name.split(".")[0].upper() not in {"CON", "NUL", "AUX", "PRN", "COM1", "LPT9"}


@settings(deadline=None)
@given(URLS, URLS)
def test_any_two_urls_never_clash(one: str, other: str) -> None:
    """Distinct URLs have distinct paths, and no file stands where a folder must be."""
    one, other = one.partition("#")[0], other.partition("#")[0]
    first, second = folded(relative_path(one)), folded(relative_path(other))
    assert (first == second) == (one == other)
    assert not second.startswith(first + "/")
