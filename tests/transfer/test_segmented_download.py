"""Large files over several connections: when, how many, and what is believed of what they bring."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from scraper.downloader import Downloader, DownloadSummary
from scraper.engine.connection_slots import ConnectionSlots
from scraper.events import BytesReceived, Event
from scraper.model import Outcome
from scraper.testing.local_server import LocalServer, Reply
from scraper.transport.settings import SegmentSettings
from tests.downloads.range_server import RangeReply, RangeServer
from tests.downloads.servers import FAST_OPTIONS, KIB, MIB, content, read_files, read_manifest, run_download

BODY, OTHER = content("one", 6 * MIB + 17), content("two", 6 * MIB + 17)
TOTAL = len(BODY)
EAGER = SegmentSettings(
    min_file_bytes=512 * KIB,
    min_segment_bytes=64 * KIB,
    slow_after=0.0,
    check_interval=0.005,
    max_remaining_seconds=0.0,
    min_speedup=0.0,
    save_interval=0.0,
)


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attempt counts as slow at once."""
    monkeypatch.setattr(
        "scraper.downloads.options.SegmentSettings", lambda max_streams: replace(EAGER, max_streams=max_streams)
    )


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> None:
    """After one failure there are no further streams."""
    settings = replace(EAGER, max_failures=1)
    monkeypatch.setattr(
        "scraper.downloads.options.SegmentSettings", lambda max_streams: replace(settings, max_streams=max_streams)
    )


def both_die(number: int, answer: RangeReply) -> RangeReply:
    """The first two answers end after 1 MiB."""
    return replace(answer, die_at=MIB) if number <= 2 else answer


async def run(server: RangeServer, tmp_path: Path, **options: Any) -> tuple[DownloadSummary, dict[str, Any]]:
    async with LocalServer({"/f.bin": server}) as site:
        summary = await run_download([site.url("/f.bin")], tmp_path, **options)
    return summary, read_manifest(tmp_path)[-1]


async def test_a_slow_file_comes_in_segments(tmp_path: Path) -> None:
    """Four streams bring it, each its own range with If-Range; the bytes, their hash and the record are right."""
    server = RangeServer(BODY, open_at=4)
    summary, record = await run(server, tmp_path)
    assert (summary.ok, read_files(tmp_path)) == (1, {"f.bin": BODY})
    assert record["sha256"] == hashlib.sha256(BODY).hexdigest()
    assert record["notes"] == [f"in {len(server.ranges_seen)} segments"]
    assert server.max_at_once == 4
    assert server.ranges_seen[0] is None
    assert server.ranges_seen[1] == f"bytes={TOTAL - TOTAL // 2}-{TOTAL - 1}"
    assert set(server.conditions[1:]) == {'"v1"'}
    assert not list((tmp_path / ".scrape" / "download" / "parts").iterdir())


async def test_a_date_vouches_too(tmp_path: Path) -> None:
    """Without an ETag, a Last-Modified that is old enough is sent in If-Range."""
    server = RangeServer(BODY, etag=None, open_at=2)
    _, record = await run(server, tmp_path)
    assert read_files(tmp_path) == {"f.bin": BODY}
    assert "segments" in record["notes"][0]
    assert set(server.conditions[1:]) == {server.modified}


@pytest.mark.parametrize(
    ("server", "options"),
    [
        (RangeServer(BODY), {"segments": 1}),
        (RangeServer(BODY), {"per_host": 1}),
        (RangeServer(BODY), {"concurrency": 1}),
        (RangeServer(BODY), {"rate": 0.01}),
        (RangeServer(BODY, etag=None, modified=None), {}),
        (RangeServer(BODY, etag='W/"v1"', modified=None), {}),
        (
            RangeServer(
                BODY, alter=lambda _, answer: replace(answer, headers={**answer.headers, "Accept-Ranges": "none"})
            ),
            {},
        ),
        (RangeServer(BODY[: 200 * KIB] + b"x" * 100 * KIB), {}),
    ],
    ids=["--segments 1", "--per-host 1", "--concurrency 1", "--rate", "no validator", "weak", "no ranges", "small"],
)
async def test_when_one_stream_is_all_there_is(tmp_path: Path, server: RangeServer, options: dict[str, Any]) -> None:
    """No second request without leave of every limit, and of the server."""
    server.opened.clear()
    server.head_start = len(server.body)
    _, record = await run(server, tmp_path, **options)
    assert read_files(tmp_path) == {"f.bin": server.body}
    assert server.ranges_seen == [None]
    assert "notes" not in record


@pytest.mark.parametrize("option", ["limit_rate", "limit_rate_per_host"])
async def test_our_own_limit_is_no_slowness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    """A attempt that --limit-rate holds back is not divided: more streams would not be faster."""
    settings = replace(EAGER, slow_after=0.1)
    monkeypatch.setattr(
        "scraper.downloads.options.SegmentSettings", lambda max_streams: replace(settings, max_streams=max_streams)
    )
    server = RangeServer(BODY[: 2 * MIB], head_start=2 * MIB)
    await run(server, tmp_path, **{option: 6 * MIB})
    assert read_files(tmp_path) == {"f.bin": BODY[: 2 * MIB]}
    assert server.ranges_seen == [None]


def lie_to_segments(**changes: Any) -> Any:
    def alter(number: int, answer: RangeReply) -> RangeReply:
        if number == 1:
            return answer
        headers = {**answer.headers, **changes.get("headers", {})}
        return replace(answer, **{**changes, "headers": {k: v for k, v in headers.items() if v is not None}})

    return alter


@pytest.mark.parametrize(
    "alter",
    [
        lie_to_segments(status=200, body=BODY),
        lie_to_segments(status=200, body=OTHER, headers={"ETag": '"v2"', "Content-Range": None}),
        lie_to_segments(status=416, body=b"", headers={"Content-Range": f"bytes */{TOTAL}"}),
        lie_to_segments(status=404, body=b"no"),
        lie_to_segments(status=503, body=b"", headers={"Retry-After": "1000"}),
        lie_to_segments(headers={"ETag": '"v2"'}),
        lie_to_segments(headers={"ETag": None}),
        lie_to_segments(headers={"Last-Modified": "Sun, 06 Nov 2022 07:00:00 GMT"}),
        lie_to_segments(headers={"Content-Range": None}),
        lie_to_segments(headers={"Content-Range": f"bytes 0-{TOTAL - 1}/{TOTAL}"}),
        lie_to_segments(headers={"Content-Range": f"bytes {TOTAL - TOTAL // 2}-{TOTAL - 2}/{TOTAL}"}),
        lie_to_segments(headers={"Content-Range": f"bytes {TOTAL - TOTAL // 2}-{TOTAL - 1}/{TOTAL + 1}"}),
        lie_to_segments(headers={"Content-Range": f"bytes {TOTAL - TOTAL // 2}-{TOTAL - 1}/*"}),
        lie_to_segments(headers={"Content-Encoding": "gzip"}),
    ],
    ids=[
        "200", "200 changed", "416", "404", "503", "other etag", "no etag", "other date", "no range", "other range",
        "other end", "other total", "unknown total", "coding",
    ],
)  # fmt: skip
async def test_a_segment_that_proves_nothing_is_dropped(tmp_path: Path, alter: Any) -> None:
    """One wrong answer, and the stream that is there goes on alone; nothing of it is in the file."""
    server = RangeServer(BODY, open_at=2, alter=alter)
    summary, record = await run(server, tmp_path)
    assert (summary.ok, read_files(tmp_path)) == (1, {"f.bin": BODY})
    assert len(server.ranges_seen) == 2
    assert record["attempts"] == 1
    assert record["last_modified"] == server.modified
    assert "not in segments" in record["notes"][0]


async def test_the_entity_changes_between_segments(tmp_path: Path) -> None:
    """Two segments bring the old version, the third would bring the new one: all of the file is the old one."""

    def alter(number: int, answer: RangeReply) -> RangeReply:
        if number == 3:
            server.body, server.etag = OTHER, '"v2"'
        return replace(answer, status=200, body=OTHER, headers={"ETag": '"v2"'}) if number >= 3 else answer

    server = RangeServer(BODY, open_at=3, alter=alter)
    await run(server, tmp_path)
    assert read_files(tmp_path) == {"f.bin": BODY}


async def test_a_new_etag_for_every_request(tmp_path: Path) -> None:
    """ETags that mean nothing prove nothing: the file comes in one stream."""
    server = RangeServer(BODY, open_at=2, alter=lambda n, a: replace(a, headers={**a.headers, "ETag": f'"{n}"'}))
    await run(server, tmp_path)
    assert read_files(tmp_path) == {"f.bin": BODY}
    assert len(server.ranges_seen) == 2


@pytest.mark.parametrize("dying", [{2}, {1}, {1, 2}, {2, 3}], ids=["segment", "lead", "both", "two segments"])
async def test_a_stream_that_dies_leaves_a_gap_that_is_filled(tmp_path: Path, dying: set[int]) -> None:
    """Whoever dies half-way, the bytes it brought are kept and the others are asked for; none comes twice."""

    def alter(number: int, answer: RangeReply) -> RangeReply:
        return replace(answer, die_at=MIB // 2 + 5) if number in dying else answer

    server = RangeServer(BODY, open_at=3, alter=alter)
    summary, _ = await run(server, tmp_path)
    assert (summary.ok, read_files(tmp_path)) == (1, {"f.bin": BODY})


@pytest.mark.usefixtures("fragile")
async def test_all_die_and_a_retry_asks_for_the_gaps_alone(tmp_path: Path) -> None:
    """With every stream of the first attempt dead, later ones ask for nothing that is here."""
    server = RangeServer(BODY, open_at=2, alter=both_die)
    summary, record = await run(server, tmp_path, segments=2)
    assert (summary.ok, read_files(tmp_path)) == (1, {"f.bin": BODY})
    assert server.ranges_seen[2].startswith(f"bytes={MIB}-")  # type: ignore[union-attr]
    assert None not in server.ranges_seen[1:]
    assert server.sent_bytes <= TOTAL + 2 * MIB
    assert record["attempts"] == 2
    assert f"resumed at {MIB}" in record["notes"]


@pytest.mark.usefixtures("fragile")
async def test_a_later_run_asks_for_the_gaps_alone(tmp_path: Path) -> None:
    """What two dead streams brought is believed as far as it was noted; the gaps are asked for one after the other."""

    server = RangeServer(BODY, open_at=2, alter=both_die)
    async with LocalServer({"/f.bin": server}) as site:
        await run_download([site.url("/f.bin")], tmp_path, segments=2, retries=0)
        assert [path.name for path in tmp_path.glob("f.bin*")] == ["f.bin.part"]
        half = TOTAL - TOTAL // 2
        server.ranges_seen.clear()
        server.alter = lambda _, answer: answer
        await run_download([site.url("/f.bin")], tmp_path, segments=1, retries=0)
    assert read_files(tmp_path) == {"f.bin": BODY}
    assert server.ranges_seen == [f"bytes={MIB}-{half - 1}", f"bytes={half + MIB}-{TOTAL - 1}"]


@pytest.mark.usefixtures("fragile")
async def test_gaps_of_another_version_are_never_filled(tmp_path: Path) -> None:
    """The file has changed between two runs: all of it is the new one."""

    server = RangeServer(BODY, open_at=2, alter=both_die)
    async with LocalServer({"/f.bin": server}) as site:
        await run_download([site.url("/f.bin")], tmp_path, segments=2, retries=0)
        server.body, server.etag, server.alter = OTHER, '"v2"', lambda _, answer: answer
        await run_download([site.url("/f.bin")], tmp_path, segments=2)
    assert read_files(tmp_path) == {"f.bin": OTHER}


@pytest.mark.parametrize("spoil", ["longer", "shorter", "ranges", "junk", "entry"])
@pytest.mark.usefixtures("fragile")
async def test_a_note_that_cannot_be_is_not_believed(tmp_path: Path, spoil: str) -> None:
    """When part and note do not fit each other, the file is asked for anew."""

    server = RangeServer(BODY, open_at=2, alter=both_die)
    async with LocalServer({"/f.bin": server}) as site:
        await run_download([site.url("/f.bin")], tmp_path, segments=2, retries=0)
        (note,) = (tmp_path / ".scrape" / "download" / "parts").glob("*.json")
        stated = orjson.loads(note.read_bytes())
        part = tmp_path / "f.bin.part"
        match spoil:
            case "longer":
                part.write_bytes(OTHER + b"more")
            case "shorter":
                part.write_bytes(part.read_bytes()[: 2 * MIB])
            case "ranges":
                note.write_bytes(orjson.dumps({**stated, "ranges": [[0, TOTAL + 1]]}))
            case "junk":
                note.write_bytes(orjson.dumps({**stated, "ranges": "all"}))
            case "entry":
                note.write_bytes(orjson.dumps({**stated, "ranges": [[9, 12], [3, 5]]}))
        server.ranges_seen.clear()
        server.alter = lambda _, answer: answer
        await run_download([site.url("/f.bin")], tmp_path, segments=1)
    assert read_files(tmp_path) == {"f.bin": BODY}
    assert server.ranges_seen == [None]


@pytest.mark.usefixtures("fragile")
async def test_what_lies_behind_the_first_gap_is_dropped_when_nothing_vouches_for_it(tmp_path: Path) -> None:
    """The server has lost its validators: the overlap vouches for the first range alone, and the rest comes again."""

    server = RangeServer(BODY, open_at=2, alter=both_die)
    async with LocalServer({"/f.bin": server}) as site:
        await run_download([site.url("/f.bin")], tmp_path, segments=2, retries=0)
        (note,) = (tmp_path / ".scrape" / "download" / "parts").glob("*.json")
        note.write_bytes(orjson.dumps({**orjson.loads(note.read_bytes()), "etag": None, "modified": None}))
        server.ranges_seen.clear()
        server.etag = server.modified = None
        server.alter = lambda _, answer: replace(answer, die_at=MIB)
        await run_download([site.url("/f.bin")], tmp_path, segments=2, retries=0)
        assert (tmp_path / "f.bin.part").read_bytes() == BODY[: 2 * MIB - 64 * KIB]
        assert "ranges" not in orjson.loads(note.read_bytes())
        server.alter = lambda _, answer: answer
        await run_download([site.url("/f.bin")], tmp_path, segments=2)
    assert read_files(tmp_path) == {"f.bin": BODY}
    assert server.ranges_seen == [f"bytes={MIB - 64 * KIB}-", f"bytes={2 * MIB - 128 * KIB}-"]


async def test_a_checksum_is_of_the_whole(tmp_path: Path) -> None:
    """A file in segments that does not match its checksum gets no final name."""
    sums = tmp_path / "SHA256SUMS"
    sums.write_text(f"{hashlib.sha256(OTHER).hexdigest()}  f.bin\n")
    server = RangeServer(BODY, open_at=4)
    summary, record = await run(server, tmp_path / "out", checksums=sums)
    assert summary.mismatched == 1
    assert set(read_files(tmp_path / "out")) == {"f.bin.bad"}
    assert record["error"] == "checksum"


async def test_the_host_is_never_asked_more_often_than_it_may(tmp_path: Path) -> None:
    """Segments and whole files together stay within --per-host, and all of them arrive."""
    server = RangeServer(BODY, open_at=3)
    other = RangeServer(OTHER, open_at=1)

    async def counted(asked: Any) -> Any:
        return await (server if asked.target == "/f.bin" else other)(asked)

    async with LocalServer({"*": counted}) as site:
        count = _Count(server, other)
        urls = [site.url("/f.bin"), *(site.url(f"/o{n}.bin") for n in range(3))]
        await run_download(urls, tmp_path, per_host=3)
    assert len(read_files(tmp_path)) == 4
    assert count.most <= 3


class _Count:
    """The largest number of answers that two servers had under way together."""

    def __init__(self, *servers: RangeServer) -> None:
        self.most = 0
        for server in servers:
            send = server._send

            async def counted(answer: RangeReply, writer: Any, send: Any = send) -> None:
                self.most = max(self.most, sum(v.at_once for v in servers) + 1)
                await send(answer, writer)

            server._send = counted  # type: ignore[method-assign]


async def test_files_that_wait_go_first(tmp_path: Path) -> None:
    """No segment is asked for while another file of the host waits for its turn."""
    server = RangeServer(BODY, open_at=10**6)
    entry: list[str] = []

    async def small(asked: Any) -> Reply:
        entry.append(asked.target)
        if len(entry) == 20:
            server.open_at = 0
            server.opened.set()
        return Reply(200, b"small")

    async def large(asked: Any) -> Any:
        entry.append(asked.headers.get("range") or "whole")
        return await server(asked)

    async with LocalServer({"/f.bin": large, "*": small}) as site:
        urls = [site.url("/f.bin"), *(site.url(f"/s{n}") for n in range(20))]
        await run_download(urls, tmp_path, per_host=2)
    assert len(read_files(tmp_path)) == 21
    ranges = [n for n, what in enumerate(entry) if what.startswith("bytes=")]
    assert all(n > entry.index("/s18") for n in ranges)


async def test_progress_tells_of_every_byte(tmp_path: Path) -> None:
    """The events of all segments together add up to the file, and name its size."""
    told: list[BytesReceived] = []

    def watch(event: Event) -> None:
        if isinstance(event, BytesReceived):
            told.append(event)

    server = RangeServer(BODY, open_at=2)
    async with (
        LocalServer({"/f.bin": server}) as site,
        Downloader([site.url("/f.bin")], tmp_path, replace(FAST_OPTIONS, segments=2), listeners=[watch]) as downloader,
    ):
        await downloader.run()
    assert sum(event.size for event in told) > TOTAL - 2 * MIB
    assert sum(event.size for event in told) <= TOTAL
    assert {event.total for event in told} == {TOTAL}


async def test_a_segment_makes_way_for_a_file_that_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends where it is and its place is free at once; the lead goes on behind it when its own share is done."""
    asked_when_free: list[int] = []
    give_back = ConnectionSlots.release

    def release(places: ConnectionSlots, host: str, outcome: Outcome) -> None:
        asked_when_free.append(len(server.ranges_seen))
        give_back(places, host, outcome)

    def wanted(*_: object) -> bool:
        if len(server.ranges_seen) > 1:
            server.opened.set()
        return len(server.ranges_seen) > 1

    server = RangeServer(BODY, open_at=10**6)
    monkeypatch.setattr(ConnectionSlots, "contended", wanted)
    monkeypatch.setattr(ConnectionSlots, "release", release)
    await run(server, tmp_path)
    assert read_files(tmp_path) == {"f.bin": BODY}
    assert asked_when_free == [2]
    assert len(server.ranges_seen) == 3
    begin = int(str(server.ranges_seen[2]).removeprefix("bytes=").split("-")[0])
    assert TOTAL - TOTAL // 2 < begin < TOTAL
