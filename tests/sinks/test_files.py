from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from scraper.errors import SinkError
from scraper.model import Body, Response, Result
from scraper.sinks.files import FilesSink
from scraper.sinks.records import page_record
from scraper.testing.fakes import make_headers, make_request, make_response

URL = "https://h.example/docs/plan.pdf"


def fetched(url: str, content: bytes = b"content", status: int = 200, spooled: Path | None = None) -> Result:
    request = make_request(url, kind="file")
    if spooled is None:
        return Result(request, make_response(request, content, status))
    spooled.write_bytes(content)
    body = Body(len(content), len(content), "xxh3:0", path=spooled)
    return Result(request, Response(request, status, make_headers({}), body))


async def store(folder: Path, *results: Result) -> None:
    sink = FilesSink(folder)
    await sink.open(None)
    for result in results:
        sink.write(result)
    await sink.aclose()
    await sink.aclose()


def files(folder: Path) -> dict[str, bytes]:
    root = folder / "files"
    return {str(path.relative_to(folder)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


async def test_a_file_lies_where_its_record_says(tmp_path: Path) -> None:
    """The path in pages.jsonl leads to the body, from memory or from the spool."""
    kept = fetched(URL, b"in memory")
    spooled = fetched("https://h.example/docs/Big.pdf", b"spooled", spooled=tmp_path / "spool")
    await store(tmp_path, kept, spooled)
    assert files(tmp_path) == {page_record(kept)["path"]: b"in memory", page_record(spooled)["path"]: b"spooled"}
    assert not (tmp_path / "spool").exists()


async def test_only_files_that_came_are_stored(tmp_path: Path) -> None:
    """Pages, error statuses and failures leave no file; a spooled error body is deleted."""
    page = Result(make_request(URL), make_response(URL, "page"))
    await store(tmp_path, page, fetched(URL, b"sorry", 404, tmp_path / "spool"))
    assert files(tmp_path) == {}
    assert not (tmp_path / "spool").exists()


async def test_a_repeat_replaces(tmp_path: Path) -> None:
    """The same URL again is the same file, with the newer content, and no leftover beside it."""
    await store(tmp_path, fetched(URL, b"old and long"))
    (tmp_path / "files/h.example/docs/plan.pdf.part").write_bytes(b"left by a kill")
    await store(tmp_path, fetched(URL, b"new"), fetched(URL, b"newest"))
    assert files(tmp_path) == {"files/h.example/docs/plan.pdf": b"newest"}


async def test_a_result_handed_over_twice_is_stored_once(tmp_path: Path) -> None:
    """When the spooled body has already been moved, nothing more is to do."""
    result = fetched(URL, b"spooled", spooled=tmp_path / "spool")
    await store(tmp_path, result, result)
    assert files(tmp_path) == {"files/h.example/docs/plan.pdf": b"spooled"}


async def test_what_could_not_be_written_is_kept_for_the_next_flush(tmp_path: Path) -> None:
    """After the obstacle is gone the same flush succeeds, and nothing was dropped."""
    sink = FilesSink(tmp_path)
    await sink.open(None)
    obstacle = tmp_path / "files/h.example"
    obstacle.write_bytes(b"in the way")
    sink.write(fetched(URL, b"one"))
    sink.write(fetched("https://h.example/two.pdf", b"two"))
    with pytest.raises(SinkError, match=r"files/h\.example is a symbolic link or not a folder"):
        await sink.flush()
    obstacle.unlink()
    await sink.flush()
    await sink.aclose()
    assert sorted(files(tmp_path).values()) == [b"one", b"two"]


async def test_a_lost_spool_file_is_an_error(tmp_path: Path) -> None:
    """A body that is nowhere is never recorded as stored."""
    result = fetched(URL, b"spooled", spooled=tmp_path / "spool")
    (tmp_path / "spool").unlink()
    with pytest.raises(SinkError, match=r"plan\.pdf cannot be written"):
        await store(tmp_path, result)


async def test_a_spool_on_another_file_system_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When renaming crosses file systems the body is copied, and the spool file deleted."""
    replace = os.replace

    def elsewhere(src: str, dst: str, **fds: int) -> None:
        if "src_dir_fd" not in fds:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        replace(src, dst, **fds)

    result = fetched(URL, b"spooled", spooled=tmp_path / "spool")
    monkeypatch.setattr(os, "replace", elsewhere)
    await store(tmp_path, result)
    assert files(tmp_path) == {"files/h.example/docs/plan.pdf": b"spooled"}
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize("link", ["files", "files/h.example", "files/h.example/docs"])
async def test_no_file_goes_through_a_symbolic_link(tmp_path: Path, link: str) -> None:
    """A link on the way ends the run with its name; nothing is written behind it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    out = tmp_path / "out"
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(outside)
    with pytest.raises(SinkError, match=f"{link} is a symbolic link"):
        await store(out, fetched(URL))
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["plan.pdf", "plan.pdf.part"])
async def test_a_link_in_the_files_place_is_replaced_not_followed(tmp_path: Path, name: str) -> None:
    """A link under the final or the partial name loses its place; its target stays as it was."""
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    folder = tmp_path / "files/h.example/docs"
    folder.mkdir(parents=True)
    (folder / name).symlink_to(target)
    await store(tmp_path, fetched(URL, b"content"))
    assert target.read_bytes() == b"precious"
    assert [path.name for path in folder.iterdir()] == ["plan.pdf"]
    assert (folder / "plan.pdf").read_bytes() == b"content"


async def test_a_folder_in_the_files_place_is_an_error(tmp_path: Path) -> None:
    """What is in the way is named and left alone, and no partial file stays."""
    (tmp_path / "files/h.example/docs/plan.pdf").mkdir(parents=True)
    with pytest.raises(SinkError, match=r"plan\.pdf cannot be written: a folder has its name"):
        await store(tmp_path, fetched(URL))
    assert files(tmp_path) == {}


async def test_a_file_and_a_folder_of_one_name_live_side_by_side(tmp_path: Path) -> None:
    """/a and /a/b are both stored, in either order."""
    urls = ["https://h.example/a", "https://h.example/a/b", "https://h.example/x.y/z.txt", "https://h.example/x.y"]
    await store(tmp_path / "one", *(fetched(url, url.encode()) for url in urls))
    await store(tmp_path / "two", *(fetched(url, url.encode()) for url in reversed(urls)))
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert sorted(files(tmp_path / "one").values()) == sorted(url.encode() for url in urls)


async def test_a_relative_folder_is_made_durable_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fsync the folder of a path that is relative is synced, too, and is not looked for below itself."""
    monkeypatch.chdir(tmp_path)
    sink = FilesSink(Path("out/run"), fsync=True)
    await sink.open(None)
    sink.write(fetched(URL, b"content"))
    await sink.aclose()
    assert list(files(tmp_path / "out/run").values()) == [b"content"]
