"""Resumption against real servers that die, change, lie and ignore what they are asked."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from scraper.testing.local_server import LocalServer
from tests.downloads.servers import KIB, MIB, ResumableServer, content, read_files, read_manifest, run_download

V1, V2 = content("one", 3 * MIB), content("two", 3 * MIB)
HALF = len(V1) // 2


def change_at(request: int, body: bytes, etag: str | None) -> object:
    """From its `request`-th request on (from 1) the server has another entity."""
    count = itertools.count(1)

    def on_request(server: ResumableServer, _: object) -> None:
        if next(count) == request:
            server.body, server.etag = body, etag

    return on_request


async def run(
    server: ResumableServer, tmp_path: Path, **options: object
) -> tuple[dict[str, bytes], list[dict[str, object]]]:
    async with LocalServer({"/f.bin": server}) as site:
        await run_download([site.url("/f.bin")], tmp_path, **options)
    return read_files(tmp_path), read_manifest(tmp_path)


async def test_a_transfer_that_died_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Within one run, only the missing bytes are asked for, with the validator in If-Range."""
    server = ResumableServer(V1, die_at=[HALF])
    found, records = await run(server, tmp_path)
    assert found == {"f.bin": V1}
    assert server.ranges_seen == [None, f"bytes={HALF}-"]
    assert records[0]["notes"] == [f"resumed at {HALF}"]


async def test_progress_forgives_attempts(tmp_path: Path) -> None:
    """A server that dies after every MiB is asked as often as it takes, beyond the number of retries."""
    body = content("long", 6 * MIB)
    server = ResumableServer(body, die_at=[MIB + 1] * 5)
    found, records = await run(server, tmp_path, retries=1)
    assert found == {"f.bin": body}
    assert records[0]["attempts"] == 6


@pytest.mark.parametrize("etag", ['"v2"', None], ids=["other etag", "no etag any more"])
async def test_a_changed_entity_is_never_spliced(tmp_path: Path, etag: str | None) -> None:
    """When the file changes between two attempts, all of it is the new one."""
    changed = V2[:-5]
    server = ResumableServer(V1, modified=None, die_at=[HALF], on_request=change_at(2, changed, etag))  # type: ignore[arg-type]
    found, _ = await run(server, tmp_path)
    assert found == {"f.bin": changed}


async def test_a_changed_entity_of_the_same_length_is_never_spliced(tmp_path: Path) -> None:
    """A new ETag with the same length is probed for; when it stays, the entity is taken anew."""
    server = ResumableServer(V1, die_at=[HALF], on_request=change_at(2, V2, '"v2"'))  # type: ignore[arg-type]
    found, records = await run(server, tmp_path)
    assert found == {"f.bin": V2}
    assert "changed" in str(records[0]["notes"])


async def test_a_server_that_ignores_range_is_taken_from_its_start(tmp_path: Path) -> None:
    """A 200 to a range with the same ETag: a plain range is tried once, then the 200 is the file."""
    server = ResumableServer(V1, ranges=False, die_at=[HALF])
    found, _ = await run(server, tmp_path)
    assert found == {"f.bin": V1}
    assert server.ranges_seen == [None, f"bytes={HALF}-", f"bytes={HALF}-"]


async def test_a_server_that_dislikes_if_range_still_resumes(tmp_path: Path) -> None:
    """Some servers answer 200 when If-Range carries an ETag: a plain Range with the same ETag in the 206 will do."""
    server = ResumableServer(V1, if_range=False, die_at=[HALF])
    found, records = await run(server, tmp_path)
    assert found == {"f.bin": V1}
    assert f"resumed at {HALF}" in records[0]["notes"]  # type: ignore[operator]


async def test_etags_that_change_with_every_request_are_seen_through(tmp_path: Path) -> None:
    """Token CDNs: two probes show that the ETag means nothing, length and overlap decide."""
    server = ResumableServer(V1, modified=None, etags=(f'"{n}"' for n in itertools.count()), die_at=[HALF])
    server.etags = iter(server.etags)  # type: ignore[arg-type]
    found, records = await run(server, tmp_path)
    assert found == {"f.bin": V1}
    assert f"resumed at {HALF}" in records[0]["notes"]  # type: ignore[operator]


async def test_without_a_validator_the_overlap_decides(tmp_path: Path) -> None:
    """No ETag, no Last-Modified: the last 64 KiB are asked for again and compared."""
    server = ResumableServer(V1, etag=None, modified=None, die_at=[HALF])
    found, _ = await run(server, tmp_path)
    assert found == {"f.bin": V1}
    assert server.ranges_seen[1] == f"bytes={HALF - 64 * KIB}-"


async def test_without_a_validator_another_entity_is_found_out(tmp_path: Path) -> None:
    """When the overlap differs, the part is dropped and the whole is asked for."""
    server = ResumableServer(V1, etag=None, modified=None, die_at=[HALF], on_request=change_at(2, V2, None))  # type: ignore[arg-type]
    found, _ = await run(server, tmp_path)
    assert found == {"f.bin": V2}


@pytest.mark.parametrize(
    "wrong",
    [f"bytes 0-{len(V1) - 1}/{len(V1)}", f"bytes {HALF}-{len(V1)}/{len(V1) + 1}", "bytes", "items 1-2/3"],
    ids=["start", "total", "no numbers", "unit"],
)
async def test_a_wrong_206_is_never_appended(tmp_path: Path, wrong: str) -> None:
    """A 206 that does not begin where it was asked to, or states another total, is dropped with the part."""
    server = ResumableServer(V1, die_at=[HALF], wrong_206=wrong)
    found, _ = await run(server, tmp_path)
    assert found == {"f.bin": V1}


async def test_a_length_that_lies_is_no_file(tmp_path: Path) -> None:
    """A body shorter than its Content-Length is a failure, and nothing has the final name."""
    server = ResumableServer(V1[:MIB], ranges=False, declared=2 * MIB, die_at=[MIB] * 9)
    found, records = await run(server, tmp_path, retries=1)
    assert "f.bin" not in found
    assert records[0]["error"] == "truncated"


@pytest.mark.parametrize("size", [HALF, len(V1)], ids=["half", "all"])
async def test_a_second_run_asks_for_what_is_missing(tmp_path: Path, size: int) -> None:
    """What an earlier run left is kept: the next one asks for the rest, or learns by a 416 that it is whole."""
    server = ResumableServer(V1, die_at=[HALF])
    async with LocalServer({"/f.bin": server}) as site:
        await run_download([site.url("/f.bin")], tmp_path, retries=0)
        part = tmp_path / "f.bin.part"
        assert part.read_bytes() == V1[:HALF]
        part.write_bytes(V1[:size])
        summary = await run_download([site.url("/f.bin")], tmp_path, retries=0)
    assert (summary.ok, summary.failed) == (1, 0)
    assert read_files(tmp_path) == {"f.bin": V1}
    assert server.ranges_seen == [None, f"bytes={size}-"]
    assert not (tmp_path / "failed.txt").exists()


async def test_a_part_longer_than_the_file_is_dropped(tmp_path: Path) -> None:
    """The file has become shorter than its part: it is asked for anew."""
    server = ResumableServer(V1, die_at=[HALF])
    async with LocalServer({"/f.bin": server}) as site:
        await run_download([site.url("/f.bin")], tmp_path, retries=0)
        server.body, server.etag = V2[:MIB], '"v2"'
        await run_download([site.url("/f.bin")], tmp_path, retries=0)
    assert read_files(tmp_path) == {"f.bin": V2[:MIB]}


async def test_a_part_without_our_note_is_not_trusted(tmp_path: Path) -> None:
    """A foreign part is replaced, never continued."""
    (tmp_path / "f.bin.part").write_bytes(V2[:HALF])
    found, _ = await run(ResumableServer(V1), tmp_path)
    assert found == {"f.bin": V1}
