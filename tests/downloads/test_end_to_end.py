"""Whole lists: nothing lost, nothing fetched twice, a record for every line."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from scraper.downloads.list_counts import MAX_PROBLEMS
from scraper.errors import RunLockedError, SinkError
from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply, Route
from tests.downloads.servers import MIB, ResumableServer, content, read_files, read_manifest, run_download


async def echo(asked: ReceivedRequest) -> Route:
    """Every URL has a body of its own."""
    return Reply(200, f"body of {asked.target}".encode(), {"ETag": f'"{asked.target}"'})


async def test_eight_urls_of_one_name_are_eight_files(tmp_path: Path) -> None:
    """Files of one name get numbers, in the entry of the list."""
    async with LocalServer({"*": echo}) as site:
        await run_download([site.url(f"/{n}/data.tar.gz") for n in range(8)], tmp_path)
    found = read_files(tmp_path)
    assert found["data.tar.gz"] == b"body of /0/data.tar.gz"
    assert {f"data~{n}.tar.gz": f"body of /{n - 1}/data.tar.gz".encode() for n in range(2, 9)}.items() <= found.items()


async def test_a_second_run_asks_for_nothing(tmp_path: Path) -> None:
    """What is complete is neither asked for nor recorded again."""
    async with LocalServer({"*": echo}) as site:
        urls = [site.url(f"/{n}") for n in range(20)]
        await run_download(urls, tmp_path)
        before, asked = (tmp_path / "manifest.jsonl").read_bytes(), len(site.requests)
        summary = await run_download(urls, tmp_path)
        assert (summary.ok, summary.idle, len(site.requests)) == (20, True, asked)
    assert (tmp_path / "manifest.jsonl").read_bytes() == before


async def test_a_list_may_grow(tmp_path: Path) -> None:
    """An entry is known by its URL, not by its line: only the new one is asked for."""
    async with LocalServer({"*": echo}) as site:
        urls = [site.url(f"/{n}.txt") for n in range(3)]
        await run_download(urls, tmp_path)
        await run_download([site.url("/new.txt"), *urls], tmp_path)
        assert [asked.target for asked in site.requests[3:]] == ["/new.txt"]
    assert len(read_manifest(tmp_path)) == 4


async def test_a_file_that_is_gone_is_fetched_again(tmp_path: Path) -> None:
    """A complete file that was deleted or cut since is asked for once more, and its record replaced."""
    async with LocalServer({"*": echo}) as site:
        urls = [site.url("/a"), site.url("/b"), site.url("/c")]
        await run_download(urls, tmp_path)
        (tmp_path / "a").unlink()
        (tmp_path / "b").write_bytes(b"short")
        await run_download(urls, tmp_path)
    assert read_files(tmp_path) == {name: f"body of /{name}".encode() for name in "abc"}
    assert [record["path"] for record in read_manifest(tmp_path)] == ["a", "b", "c"]


async def test_identical_urls_are_one_transfer(tmp_path: Path) -> None:
    """A repeated line is recorded as such, and asked for once."""
    async with LocalServer({"*": echo}) as site:
        await run_download([site.url("/a"), site.url("/b"), site.url("/a")], tmp_path)
        assert len(site.requests) == 2
    assert [(r["line"], r.get("same_as"), r["path"]) for r in read_manifest(tmp_path)] == [
        (1, None, "a"),
        (2, None, "b"),
        (3, 1, "a"),
    ]


async def test_two_urls_that_lead_to_one_are_two_files(tmp_path: Path) -> None:
    """A redirect's target belongs to the entry that was redirected, also when another was redirected there."""
    there = Reply(302, headers={"Location": "/target"})
    async with LocalServer({"/a": there, "/b": there, "/target": Reply(200, b"same")}) as site:
        await run_download([site.url("/a"), site.url("/b"), site.url("/target")], tmp_path)
    assert read_files(tmp_path) == {"a": b"same", "b": b"same", "target": b"same"}


async def test_failures_are_recorded_and_a_list_of_their_own(tmp_path: Path) -> None:
    """failed.txt holds what failed, with its options, and is read again; a later success empties it."""
    routes: dict[str, Route] = {"/bad": [Reply(404), Reply(200, b"now")], "/good": Reply(200, b"good")}
    listed = tmp_path / "list.txt"
    out = tmp_path / "out"
    async with LocalServer(routes) as site:
        listed.write_text(f"{site.url('/good')}\n{site.url('/bad')}\n  out=named.txt\nnot a url\n")
        summary = await run_download(listed, out)
        assert (summary.ok, summary.failed) == (1, 2)
        records = read_manifest(out)
        assert [(r["line"], r["status"], r["error"]) for r in records] == [
            (1, 200, None),
            (2, 404, "http"),
            (4, None, "parse"),
        ]
        remark = "# line 4: not an absolute URL: not a url\n"
        assert (out / "failed.txt").read_text() == f"{site.url('/bad')}\n  out=named.txt\n{remark}"
        again = await run_download(out / "failed.txt", out)
        assert (again.ok, again.failed) == (1, 0)
    assert read_files(out) == {"good": b"good", "named.txt": b"now"}
    assert not (out / "failed.txt").exists()
    assert [(r["line"], r["error"]) for r in read_manifest(out)] == [(1, None), (1, None), (4, "parse")]


async def test_bad_lines_are_comments_in_the_list_of_failures(tmp_path: Path) -> None:
    """failed.txt says about them what is wrong, in print and without end, and is a list that holds nothing then."""
    listed, out = tmp_path / "list.txt", tmp_path / "out"
    nasty = ["ftp://h/\x1b[31mred", "\u202egnp.exe", "http://u:secret@h/", "x" * 5000]
    listed.write_text("\n".join([*nasty, *["no url"] * (MAX_PROBLEMS + 6)]))
    summary = await run_download(listed, out)
    assert summary.failed == MAX_PROBLEMS + 10
    text = (out / "failed.txt").read_text()
    assert "secret" not in text
    assert all(line.startswith("# ") and line.isprintable() and len(line) < 700 for line in text.splitlines())
    assert text.startswith("# line 1: ftp")
    assert text.endswith("# and 10 more lines without a download: manifest.jsonl has a record of each\n")
    again = await run_download(out / "failed.txt", out)
    assert (again.counts.lines, again.failed) == (0, 0)
    assert not (out / "failed.txt").exists()


async def test_a_list_that_grows_takes_no_name_from_those_that_wait(tmp_path: Path) -> None:
    """A new line gets another name than an old one that has failed so far, wherever in the list it stands."""
    routes: dict[str, Route] = {"/1/data": [Reply(404), Reply(200, b"one")], "/2/data": Reply(200, b"two")}
    async with LocalServer(routes) as site:
        await run_download([site.url("/1/data")], tmp_path)
        await run_download([site.url("/2/data")], tmp_path)
        await run_download([site.url("/2/data"), site.url("/1/data")], tmp_path)
    assert read_files(tmp_path) == {"data": b"one", "data~2": b"two"}


async def test_refresh_asks_conditionally(tmp_path: Path) -> None:
    """With refresh a complete file is asked for with its validators: 304 leaves it, 200 replaces it."""
    same, new = ResumableServer(b"same"), ResumableServer(b"old")
    async with LocalServer({"/same": same, "/new": new}) as site:
        urls = [site.url("/same"), site.url("/new")]
        await run_download(urls, tmp_path)
        new.body, new.etag, new.modified = b"newer", '"v2"', "Mon, 07 Nov 2022 06:00:00 GMT"
        summary = await run_download(urls, tmp_path, refresh=True)
        assert (summary.totals.unchanged, summary.totals.done) == (1, 1)
        asked = [request.headers.get("if-none-match") for request in site.requests]
        assert asked == [None, None, '"v1"', '"v1"']
    assert read_files(tmp_path) == {"same": b"same", "new": b"newer"}
    assert [record["bytes"] for record in read_manifest(tmp_path)] == [4, 5]


@pytest.mark.parametrize("size", [10, 2 * MIB], ids=["small", "large"])
async def test_a_checksum_that_differs_never_takes_the_name(tmp_path: Path, size: int) -> None:
    """What does not match is quarantined as .bad, recorded as an integrity failure."""
    body = content("x", size)
    listed = tmp_path / "list.txt"
    async with LocalServer({"*": Reply(200, body)}) as site:
        listed.write_text(
            f"{site.url('/good')}\n  checksum=sha-256={hashlib.sha256(body).hexdigest()}\n"
            f"{site.url('/evil')}\n  checksum=sha-256={'0' * 64}\n"
        )
        summary = await run_download(listed, tmp_path / "out")
    assert (summary.ok, summary.mismatched) == (1, 1)
    assert read_files(tmp_path / "out") == {"good": body, "evil.bad": body}
    assert read_manifest(tmp_path / "out")[1]["error"] == "checksum"


async def test_a_mirror_is_turned_to(tmp_path: Path) -> None:
    """When a URL fails or brings wrong bytes, the entry's next mirror is asked."""
    good = hashlib.sha256(b"right").hexdigest()
    listed = tmp_path / "list.txt"
    async with LocalServer(
        {"/wrong": Reply(200, b"wrong"), "/gone": Reply(404), "/right": Reply(200, b"right")}
    ) as site:
        urls = "\t".join(site.url(path) for path in ("/wrong", "/gone", "/right"))
        listed.write_text(f"{urls}\n  out=f\n  checksum=sha-256={good}\n")
        summary = await run_download(listed, tmp_path / "out")
    assert (summary.ok, summary.failed) == (1, 0)
    assert (tmp_path / "out" / "f").read_bytes() == b"right"
    record = read_manifest(tmp_path / "out")[0]
    assert (record["final_url"], record["attempts"]) == (site.url("/right"), 3)


@pytest.mark.parametrize("header", ["Repr-Digest", "Content-MD5"], ids=["RFC 9530", "RFC 1864"])
async def test_a_checksum_that_the_server_states_is_kept_to(tmp_path: Path, header: str) -> None:
    """A server's own statement about its bytes is checked like one of the list."""
    value = "sha-256=:" + "A" * 43 + "=:" if header == "Repr-Digest" else "A" * 22 + "=="
    async with LocalServer({"/f": Reply(200, b"other", {header: value})}) as site:
        summary = await run_download([site.url("/f")], tmp_path)
    assert summary.mismatched == 1


async def test_checksums_of_a_file_are_kept_to(tmp_path: Path) -> None:
    """SHA256SUMS names files by the end of their path."""
    sums = tmp_path / "SHA256SUMS"
    sums.write_text(f"{hashlib.sha256(b'a').hexdigest()}  pool/a.deb\n{'0' * 64}  pool/b.deb\n")
    async with LocalServer({"/pool/a.deb": Reply(200, b"a"), "/pool/b.deb": Reply(200, b"b")}) as site:
        summary = await run_download(
            [site.url("/pool/a.deb"), site.url("/pool/b.deb")], tmp_path / "out", checksums=sums
        )
    assert (summary.ok, summary.mismatched) == (1, 1)


async def test_raw_bytes_are_kept(tmp_path: Path) -> None:
    """Files are asked for without a content-coding, and what comes in one all the same is stored as it came."""
    async with LocalServer({"/a.tar.gz": Reply(200, b"\x1f\x8braw", {"Content-Encoding": "gzip"})}) as site:
        await run_download([site.url("/a.tar.gz")], tmp_path)
        assert site.requests[0].headers.get("accept-encoding") == "identity"
    assert read_files(tmp_path) == {"a.tar.gz": b"\x1f\x8braw"}


async def test_the_time_of_a_file_is_the_servers(tmp_path: Path) -> None:
    """mtime comes from Last-Modified, for small and for large files."""
    async with LocalServer({"/s": ResumableServer(b"s"), "/l": ResumableServer(content("l", MIB))}) as site:
        await run_download([site.url("/s"), site.url("/l")], tmp_path)
    assert {(tmp_path / name).stat().st_mtime for name in "sl"} == {1667714400.0}


async def test_headers_do_not_follow_a_redirect_elsewhere(tmp_path: Path) -> None:
    """The user's headers go to the hosts that the list names, and to no other."""
    async with LocalServer({"/f": Reply(200, b"x")}) as other:
        there = Reply(302, headers={"Location": other.url("/f")})
        async with LocalServer({"/f": there}) as site:
            await run_download([site.url("/f")], tmp_path, headers={"Authorization": "secret"}, allow_private=True)
            assert site.requests[0].headers.get("authorization") == "secret"
        assert other.requests[0].headers.get("authorization") is None


async def test_a_redirect_into_a_private_network_is_refused(tmp_path: Path) -> None:
    """A listed URL may be private; what it redirects to may not, unless that is allowed."""
    async with LocalServer({"/f": Reply(200, b"x")}) as other:
        async with LocalServer({"/f": Reply(302, headers={"Location": other.url("/f")})}) as site:
            await run_download([site.url("/f")], tmp_path)
        assert other.requests == []
    assert read_manifest(tmp_path)[0]["error"] == "address"


async def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """max_bytes holds for announced and for unannounced lengths."""
    routes: dict[str, Route] = {"/a": Reply(200, b"x" * 2000), "/b": Reply(200, [b"x" * 1000] * 2, chunked=True)}
    async with LocalServer(routes) as site:
        await run_download([site.url("/a"), site.url("/b")], tmp_path, max_bytes=1500)
    assert [record["error"] for record in read_manifest(tmp_path)] == ["too_large", "too_large"]
    assert read_files(tmp_path) == {}


async def test_no_file_goes_through_a_planted_link(tmp_path: Path) -> None:
    """A symbolic link below the output folder is never followed, be it a folder, a part or the file."""
    out, outside = tmp_path / "out", tmp_path / "outside"
    out.mkdir()
    outside.mkdir()
    (outside / "victim").write_bytes(b"untouched")
    (out / "127.0.0.1").symlink_to(outside)
    (out / "a.part").symlink_to(outside / "victim")
    async with LocalServer({"*": echo}) as site:
        await run_download([site.url("/a")], out)
        summary = await run_download([site.url("/sub/b")], out, name="127.0.0.1/{name}")
        assert summary.failed == 1
    assert {p.name for p in outside.iterdir()} == {"victim"}
    assert (outside / "victim").read_bytes() == b"untouched"
    assert (out / "a").read_bytes() == b"body of /a"


async def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    """A file that was there before is neither overwritten nor taken for ours; `fresh` deletes only what is ours."""
    (tmp_path / "a").write_bytes(b"mine")
    async with LocalServer({"*": echo}) as site:
        await run_download([site.url("/a"), site.url("/b")], tmp_path)
        assert read_files(tmp_path) == {"a": b"mine", "a~2": b"body of /a", "b": b"body of /b"}
        (tmp_path / "b").write_bytes(b"edited by hand")
        await run_download([site.url("/a")], tmp_path, fresh=True)
    assert read_files(tmp_path) == {"a": b"mine", "a~2": b"body of /a", "b": b"edited by hand"}


async def test_collision_skip_leaves_out_and_fail_fails(tmp_path: Path) -> None:
    """`skip` is no failure, `fail` is one, `overwrite` replaces what was there."""
    async with LocalServer({"*": echo}) as site:
        for policy, ok, failed in (("skip", 0, 0), ("fail", 0, 1), ("overwrite", 1, 0)):
            out = tmp_path / policy
            out.mkdir()
            (out / "a").write_bytes(b"mine")
            summary = await run_download([site.url("/a")], out, collision=policy)
            assert (policy, summary.ok, summary.failed) == (policy, ok, failed)
    assert (tmp_path / "overwrite" / "a").read_bytes() == b"body of /a"


async def test_a_folder_that_cannot_be_written_is_found_before_any_request(tmp_path: Path) -> None:
    """No request is sent when there is no place for its answer."""
    (tmp_path / "file").write_bytes(b"")
    async with LocalServer({"*": echo}) as site:
        for place in (tmp_path / "file", Path("/proc/nowhere")):
            with pytest.raises(SinkError):
                await run_download([site.url("/a")], place)
        assert site.requests == []


async def test_two_runs_on_one_folder(tmp_path: Path) -> None:
    """The second is refused and names the first."""
    async with LocalServer({"*": echo}) as site:

        async def second(_: ReceivedRequest) -> Route:
            with pytest.raises(RunLockedError, match=str(os.getpid())):
                await run_download([site.url("/b")], tmp_path)
            return Reply(200, b"first")

        site.routes = {"/a": second}
        await run_download([site.url("/a")], tmp_path)
    assert read_files(tmp_path) == {"a": b"first"}


async def test_a_limit_on_the_rate_is_kept_to(tmp_path: Path) -> None:
    """1 MiB at 2 MiB a second takes about half a second."""
    async with LocalServer({"/f": ResumableServer(content("f", MIB))}) as site:
        summary = await run_download([site.url("/f")], tmp_path, limit_rate=2 * MIB)
    assert summary.ok == 1
    assert 350 <= read_manifest(tmp_path)[0]["elapsed_ms"] < 5000


async def test_the_servers_name_counts_where_the_url_has_none(tmp_path: Path) -> None:
    """Content-Disposition names a file whose URL ends in a slash; names of URLs and lists are not replaced."""
    body = content("x", MIB)
    says = {"Content-Disposition": "attachment; filename=plain.txt; filename*=UTF-8''na%C3%AFve.txt", "ETag": '"1"'}
    async with LocalServer({"*": Reply(200, body, says)}) as site:
        urls = [site.url("/a/"), site.url("/b/?id=2"), site.url("/c/named.bin")]
        await run_download(urls, tmp_path)
        assert read_files(tmp_path) == {"naïve.txt": body, "naïve~2.txt": body, "named.bin": body}
        assert (await run_download(urls, tmp_path)).idle
