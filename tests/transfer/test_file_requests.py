"""Cookies of a download: what a server sets it gets back, and nobody else does."""

from __future__ import annotations

from pathlib import Path

from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply, Route
from tests.downloads.servers import read_files, run_download

BODY = b"the file"


async def gate(asked: ReceivedRequest) -> Route:
    """Lets only those in who bring back the cookie that a redirect has set."""
    if asked.headers.get("cookie") == "session=1":
        return Reply(200, BODY)
    return Reply(302, headers={"Location": asked.target, "Set-Cookie": "session=1; Path=/"})


async def test_a_session_that_a_redirect_sets_is_kept(tmp_path: Path) -> None:
    """A server that sets a cookie and sends back to the same address hands the file out then."""
    async with LocalServer({"*": gate}) as site:
        summary = await run_download([site.url(f"/{name}") for name in "abc"], tmp_path, concurrency=1, per_host=1)
        assert len(site.requests) == 4, "one redirect for the whole session"
    assert (summary.ok, read_files(tmp_path)) == (3, dict.fromkeys("abc", BODY))


async def test_a_session_that_the_first_answer_sets_is_kept(tmp_path: Path) -> None:
    """Also an answer without a redirect sets cookies, an error among them, and a retry brings them."""

    async def counted(asked: ReceivedRequest) -> Route:
        if asked.headers.get("cookie") == "seen=yes":
            return Reply(200, BODY)
        return Reply(500, headers={"Set-Cookie": "seen=yes"})

    async with LocalServer({"/f": counted}) as site:
        summary = await run_download([site.url("/f")], tmp_path, retries=1)
    assert summary.ok == 1


async def test_cookies_stay_with_their_host(tmp_path: Path) -> None:
    """Another host gets no cookie, and a cookie of the user's own goes along with the server's."""
    async with LocalServer({"/f": Reply(200, BODY)}) as other:
        there = Reply(302, headers={"Location": other.url("/f"), "Set-Cookie": "session=1"})
        async with LocalServer({"/a": there, "/b": Reply(200, BODY)}) as site:
            urls = [site.url("/a"), site.url("/b")]
            await run_download(urls, tmp_path, headers={"Cookie": "mine=2"}, per_host=1, allow_private=True)
            sent = [asked.headers.get("cookie") or "" for asked in site.requests]
        assert [asked.headers.get("cookie") for asked in other.requests] == [None]
        assert sorted(sent) == ["mine=2", "mine=2; session=1"]
