"""names: every entry its own path, the same in every run, inside the folder."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.downloads.lists import file_names as names
from scraper.downloads.lists.file_names import (
    AssignedName,
    Collision,
    NameAssigner,
    NameSettings,
    RefusedName,
    url_name,
)
from scraper.urls.filename import MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_PATH_SEGMENTS, fold_name, safe_name

H = "https://h.example/"


def assigned(*urls: str, template: str = "{name}") -> list[str]:
    namer = NameAssigner(NameSettings(template))
    return [path(namer.assign(url)) for url in urls]


def path(given: AssignedName | RefusedName) -> str:
    assert isinstance(given, AssignedName), given
    return given.path


@pytest.mark.parametrize(
    ("url", "name"),
    [
        pytest.param(H + "a%20b%C3%A9.txt", "a bé.txt", id="decoded"),
        pytest.param(H + "dir%2F..%2F..%2Fescape.txt", "dir_.._.._escape.txt", id="escaped slashes"),
        pytest.param(H + "x%252Fy", "x%2Fy", id="decoded once"),
        pytest.param(H + "f.php?id=3", "f.php", id="query"),
        pytest.param(H + "d/", "index.html", id="no name"),
        pytest.param(H, "index.html", id="no path"),
        pytest.param("https://h.example", "index.html", id="host alone"),
        pytest.param(H + "a%0Ab.txt", "a_b.txt", id="line break"),
        pytest.param(H + "a%00b.txt", "a_b.txt", id="NUL"),
        pytest.param(H + "x" * 300 + ".tar.gz", "x" * (MAX_NAME_BYTES - 7) + ".tar.gz", id="long"),
        pytest.param(H + "con.txt", "_con.txt", id="device"),
        pytest.param(H + "a:b%3Fc*d", "a_b_c_d", id="reserved"),
        pytest.param(H + ".bashrc", "_bashrc", id="dotfile"),
        pytest.param(H + "gpj.%E2%80%AEexe", "gpj._exe", id="bidi"),
        pytest.param(H + "x.part", "x.part_", id="part"),
        pytest.param(H + "manifest.jsonl", "manifest~2.jsonl", id="a file of the run"),
        pytest.param(H + "Failed.TXT", "Failed~2.TXT", id="a file of the run in other case"),
        pytest.param("no url", "no url", id="no url"),
        pytest.param("", "index.html", id="nothing"),
    ],
)
def test_the_name_in_a_url(url: str, name: str) -> None:
    """The last segment, decoded once and made safe."""
    assert assigned(url) == [name]


@pytest.mark.parametrize(
    ("wanted", "folder", "expected"),
    [
        pytest.param("data.bin", None, "data.bin", id="name"),
        pytest.param("sub/data.bin", None, "sub/data.bin", id="name with a folder"),
        pytest.param("sub\\data.bin", None, "sub/data.bin", id="backslash"),
        pytest.param("../../evil.txt", None, "evil.txt", id="parents"),
        pytest.param("/etc/passwd", None, "etc/passwd", id="absolute name"),
        pytest.param("C:\\x.txt", None, "C_/x.txt", id="drive"),
        pytest.param("data.bin", "/home/x/../y", "home/x/y/data.bin", id="absolute folder"),
        pytest.param(None, "a//./b/", "a/b/from-url.txt", id="folder"),
        pytest.param("sub/", None, "sub/from-url.txt", id="folder as a name"),
        pytest.param("..", "..", "from-url.txt", id="dots"),
        pytest.param("", "", "from-url.txt", id="empty"),
        pytest.param("50%25.txt", None, "50%25.txt", id="not decoded"),
        pytest.param("x", ".ssh", "_ssh/x", id="hidden folder"),
        pytest.param("x", "nul/" + "d" * 300, "_nul/" + "d" * MAX_NAME_BYTES + "/x", id="folder made safe"),
    ],
)
def test_the_name_a_list_wants(wanted: str | None, folder: str | None, expected: str) -> None:
    """It is taken as it is written, made safe, and always below the output folder."""
    assert NameAssigner().assign(H + "from-url.txt", wanted, folder) == AssignedName(expected)


def test_names_are_numbered_in_list_order() -> None:
    """The second of a name gets ~2 before its extension, whatever its case and normal form."""
    urls = ["a/data.bin", "b/data.bin", "c/DATA.BIN", "x.tar.gz", "y/x.tar.gz", "%C3%A9", "e%CC%81", "n", "o/n", "N"]
    assert assigned(*(H + url for url in urls)) == [
        *("data.bin", "data~2.bin", "DATA~3.BIN", "x.tar.gz", "x~2.tar.gz"),
        *("é", "é~2", "n", "n~2", "N~3"),
    ]


def test_a_number_that_a_list_uses_itself_is_left_out() -> None:
    """`data~2.bin` of the list keeps its name, and is numbered itself when it comes later."""
    urls = [H + name for name in ("data~3.bin", "data.bin", "a/data.bin", "b/data.bin", "data~2.bin")]
    assert assigned(*urls) == ["data~3.bin", "data.bin", "data~2.bin", "data~4.bin", "data~2~2.bin"]


def test_long_names_are_numbered_within_the_limit() -> None:
    """Names that are alike but for what is cut off get numbers, too, and keep their extension."""
    urls = [H + "x" * 300 + end + ".pdf" for end in ("1", "2", "3")]
    found = assigned(*urls)
    assert len(set(found)) == 3
    assert all(len(name.encode()) <= MAX_NAME_BYTES and name.endswith(".pdf") for name in found)
    assert found[1].endswith("~2.pdf")


def test_a_file_never_stands_where_a_folder_must_be() -> None:
    """Whoever comes second is renamed, in any case, and all files of a folder find it under one name."""
    urls = [H + name for name in ("a", "A/b", "a/c", "d/e", "d", "a/b")]
    assert assigned(*urls, template="{path}") == ["a", "A~2/b", "a~2/c", "d/e", "d~2", "a~2/b~2"]


def test_a_path_that_is_too_long_or_deep_is_folded() -> None:
    """Its folders become the first of them and a hash of all, so that different ones stay apart."""
    deep = [H + "d/" * 100 + end for end in ("x/f.txt", "y/f.txt")]
    wide = [H + ("d" * 200 + "/") * 5 + "f.txt"]
    found = assigned(*deep, *wide, template="{path}")
    assert len(set(found)) == 3
    assert all(len(one.split("/")) == 3 and one.endswith("/f.txt") for one in found)
    assert all(len(one.encode()) <= MAX_PATH_BYTES for one in found)


@pytest.mark.parametrize(
    ("collision", "expected"),
    [
        ("rename", [AssignedName("old~2"), AssignedName("new"), AssignedName("new~2")]),
        ("overwrite", [AssignedName("old"), AssignedName("new"), AssignedName("new~2")]),
        (
            "skip",
            [
                RefusedName("old", "a file of this name is there already", skip=True),
                AssignedName("new"),
                RefusedName("new", "an earlier entry of the list has this name", skip=True),
            ],
        ),
        (
            "fail",
            [
                RefusedName("old", "a file of this name is there already"),
                AssignedName("new"),
                RefusedName("new", "an earlier entry of the list has this name"),
            ],
        ),
    ],
)
def test_what_happens_when_a_name_is_taken(collision: Collision, expected: list[AssignedName | RefusedName]) -> None:
    """The policy decides about files from before the run; entries of one list never replace each other."""
    namer = NameAssigner(NameSettings(collision=collision), exists_on_disk={"old"}.__contains__)
    assert [namer.assign(H + url) for url in ("old", "new", "x/new")] == expected


@pytest.mark.parametrize("collision", ["overwrite", "skip", "fail"])
def test_the_files_of_the_run_are_no_collision(collision: Collision) -> None:
    """An entry called like one of them is renamed under every policy."""
    assert NameAssigner(NameSettings(collision=collision)).assign(H + "failed.txt") == AssignedName("failed~2.txt")


def test_numbers_on_the_disk_are_left_out() -> None:
    """What lies there from before is never touched by renaming."""
    namer = NameAssigner(exists_on_disk={"x.bin", "x~2.bin", "x~4.bin"}.__contains__)
    assert [path(namer.assign(H + "x.bin")) for _ in range(3)] == ["x~3.bin", "x~5.bin", "x~6.bin"]


def test_a_claimed_path_is_taken() -> None:
    """What a journal knows keeps its path; a path that clashes with one that is taken cannot be claimed."""
    namer = NameAssigner()
    assert namer.reserve("a/b.txt")
    assert namer.reserve("c.txt")
    assert not namer.reserve("C.TXT")
    assert not namer.reserve("A")
    assert not namer.reserve("c.txt/d")
    assert namer.assign(H, "b.txt", "a") == AssignedName("a/b~2.txt")


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limits an entry is refused with a reason, never looped over or forgotten."""
    monkeypatch.setattr(names, "MAX_NUMBERS_TRIED", 5)
    full = NameAssigner(exists_on_disk=lambda path: True)
    assert full.assign(H + "x") == RefusedName("x", "5 names like it are taken")
    monkeypatch.setattr(names, "MAX_NAMES", 5)
    namer = NameAssigner()
    given = [namer.assign(f"{H}{number}") for number in range(5)]
    assert given[1] == AssignedName("1")
    assert isinstance(given[2], RefusedName)
    monkeypatch.undo()
    monkeypatch.setattr(names, "MAX_FOLDER_NUMBERS", 2)
    namer = NameAssigner()
    assert namer.assign(H, "a") == AssignedName("a")
    assert isinstance(namer.assign(H, "b", "a"), RefusedName)


@pytest.mark.parametrize(
    ("url", "name"),
    [(H + "a%20b.txt", "a b.txt"), (H, None), (H + "d/?x=y", None), (H + "%20", None), (H + "...", None)],
)
def test_whether_a_url_has_a_name_of_its_own(url: str, name: str | None) -> None:
    """One without is where a Content-Disposition is worth a look."""
    assert url_name(url) == name


SEGMENT = st.text(st.sampled_from("aAé\u0301.%20~-_ :/\\\u202e\0?#"), max_size=8) | st.text(
    st.characters(), max_size=20
)
ENTRIES = st.tuples(
    st.lists(SEGMENT, max_size=4).map(lambda parts: H + "/".join(parts)) | SEGMENT,
    st.none() | SEGMENT | st.sampled_from(["a", "A", "a~2", "x.txt"]),
    st.none() | SEGMENT | st.sampled_from(["a", "A/b"]),
)
TEMPLATES = st.sampled_from(["{name}", "{host}/{path}", "{index:03d}_{name}", "{stem}{ext}/{query}", "{sha:.2}", "x"])
COLLISIONS = st.sampled_from(["rename", "overwrite", "skip", "fail"])


@settings(deadline=None)
@given(st.lists(ENTRIES, max_size=12), TEMPLATES, COLLISIONS, st.sets(st.sampled_from(["a", "x.txt", "index.html"])))
def test_names_never_clash_or_escape(
    entries: list[tuple[str, str | None, str | None]], template: str, collision: Collision, there: set[str]
) -> None:
    """Whatever the list: safe names inside the folder, no two alike, no file in a folder's place, the same again."""
    namer, again = (NameAssigner(NameSettings(template, collision), there.__contains__) for _ in range(2))
    given_now = [namer.assign(*entry) for entry in entries]
    assert given_now == [again.assign(*entry) for entry in entries]
    paths = [one.path for one in given_now if isinstance(one, AssignedName)]
    keys = {fold_name(one) for one in paths}
    assert len(keys) == len(paths)
    for one in paths:
        parts = one.split("/")
        assert len(parts) <= MAX_PATH_SEGMENTS + 1
        assert all(part and safe_name(part) == part and len(part.encode()) <= MAX_NAME_BYTES for part in parts)
        assert not any(fold_name("/".join(parts[:end])) in keys for end in range(1, len(parts)))
        assert collision == "overwrite" or one not in there


def test_many_entries_of_one_name_take_few_steps() -> None:
    """Numbers are not counted from the beginning again: each candidate is looked at once."""
    asked: list[str] = []

    def occupied(path: str) -> bool:
        asked.append(path)
        return False

    namer = NameAssigner(exists_on_disk=occupied)
    found = [path(namer.assign(f"{H}{number}/download")) for number in range(2000)]
    assert found[-1] == "download~2000"
    assert len(asked) == 2000
