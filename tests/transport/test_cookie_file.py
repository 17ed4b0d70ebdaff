"""The file that keeps a run's cookies between sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from scraper.transport.cookie_file import SAVE_INTERVAL_SECONDS, CookieFile
from scraper.transport.cookies import CookieJar
from tests.transport.test_cookies import NOW, jar_with, url_of

URL = "https://shop.example/a/b"


async def saved(path: Path, *cookies: str) -> CookieJar:
    """A jar with these cookies, kept at `path`."""
    jar = jar_with(URL, *cookies)
    file = CookieFile(path, jar)
    file.load(NOW)
    await file.save(NOW)
    return jar


def loaded(path: Path, now: float = NOW) -> tuple[CookieJar, str]:
    """The jar of the next session, and what it has to tell."""
    jar = CookieJar()
    return jar, CookieFile(path, jar).load(now)


async def test_cookies_come_back_as_they_were(tmp_path: Path) -> None:
    """Names, bytes, paths, flags, the order in the header; those without an end too, but no expired one."""
    before = await saved(
        tmp_path / "c", "a=\xe9; Path=/", "b=2; Path=/a; Secure; Domain=shop.example", "old=3; Max-Age=5"
    )
    after, problem = loaded(tmp_path / "c", NOW + 6)
    url = url_of(URL)
    assert problem == ""
    assert after.cookie_header(url, NOW + 6) == before.cookie_header(url, NOW + 6) == b"b=2; a=\xe9"
    assert after.cookie_header(url_of("http://shop.example/a/"), NOW + 6) is None
    assert len(after) == 2


async def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    """Mode 0600, also when a part of an earlier write was left behind readable."""
    (tmp_path / "c.part").write_text("left")
    await saved(tmp_path / "c", "a=1")
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'[{"name": 1}]', b"{}x", b'[{"name": "secret"}]'])
def test_a_damaged_file_is_told_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    """The run goes on without cookies and says that they are lost."""
    (tmp_path / "c").write_bytes(content)
    jar, problem = loaded(tmp_path / "c")
    assert "cookies of earlier sessions are lost" in problem
    assert "secret" not in problem
    assert len(jar) == 0


async def test_changes_are_written_at_most_once_a_second(tmp_path: Path) -> None:
    """The first at once, also without a cookie; a jar that has not changed is never written."""
    jar = CookieJar()
    file = CookieFile(tmp_path / "c", jar)
    file.load(NOW)
    assert file.is_due(NOW)
    await file.save(NOW)
    assert (tmp_path / "c").read_bytes() == b"[]"
    assert not file.is_due(NOW + 10)
    jar.store(url_of(URL), [(b"Set-Cookie", b"a=1")], NOW)
    assert not file.is_due(NOW + SAVE_INTERVAL_SECONDS / 2)
    assert file.is_due(NOW + SAVE_INTERVAL_SECONDS)
    await file.save(NOW + SAVE_INTERVAL_SECONDS)
    assert len(loaded(tmp_path / "c")[0]) == 1


async def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """`OSError`, for the fetcher to tell; it is not tried again with every response."""
    file = CookieFile(tmp_path / "gone" / "c", jar_with(URL, "a=1"))
    file.load(NOW)
    with pytest.raises(OSError, match="gone"):
        await file.save(NOW)
    assert not file.is_due(NOW)
