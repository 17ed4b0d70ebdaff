"""manifest: the record of one entry of a list."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from scraper.downloads.journal import EntryStatus, Journal, JournalRow
from scraper.downloads.manifest import MAX_HEADER_CHARS, ManifestSink, download_record
from scraper.model import Body, EntryState, ErrorKind, Failure, Headers, Request, Response, Result, Url
from scraper.sinks.records import to_json
from scraper.structures.compact_map import hash_key

URL = "https://h.example/a.bin"
ENTRY = EntryState(7, 9, URL, "sub/a.bin", uncounted_attempts=1, history=("adopt", "began again"), checksum="md5:00")
REQUEST = Request(
    Url(URL, "entry 7", "h.example", "https://h.example"), kind="file", attempt=2, slowdowns=1, entry=ENTRY
)
BODY = Body(10, 10, "sha256:" + "ab" * 32)
HEADERS = [
    (b"ETag", b' "x\xe9" '),
    (b"etag", b'"second"'),
    (b"LAST-MODIFIED", b"Sun, 06 Nov 2022 08:49:37 GMT"),
    (b"Content-Type", b"t" * (MAX_HEADER_CHARS + 1)),
]
COMMON = b'"attempts":5,"fetched_at":"2023-11-14T22:13:20.123Z","elapsed_ms":12.3,'


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        pytest.param(
            Response(REQUEST, 200, Headers(HEADERS), BODY, 1_700_000_000.1239, 0.01, 0.0123),
            b'{"line":9,"path":"sub/a.bin","url":"https://h.example/a.bin","status":200,"error":null,"error_detail":null,'
            b'"bytes":10,"sha256":"' + b"ab" * 32 + '","etag":"\\"xé\\"",'.encode()
            + b'"last_modified":"Sun, 06 Nov 2022 08:49:37 GMT","content_type":"' + b"t" * MAX_HEADER_CHARS + b'",'
            + COMMON + b'"checksum":"md5:00","notes":["began again"]}\n',
            id="file",
        ),
        pytest.param(
            Response(REQUEST, 404, Headers([(b"Content-Encoding", b" br ")]), BODY, 1_700_000_000.1239, 0.01, 0.0123),
            b'{"line":9,"path":null,"url":"https://h.example/a.bin","status":404,"error":"http",'
            b'"error_detail":"HTTP 404",'
            b'"bytes":10,"sha256":"' + b"ab" * 32 + b'","etag":null,"last_modified":null,"content_type":null,'
            + COMMON + b'"checksum":"md5:00","content_encoding":"br","notes":["began again"]}\n',
            id="not there",
        ),
        pytest.param(
            Failure(REQUEST, ErrorKind.DNS, "no such host", started_at=1_700_000_000.1239, elapsed=0.0123),
            b'{"line":9,"path":null,"url":"https://h.example/a.bin","status":null,"error":"dns",'
            b'"error_detail":"no such host","bytes":0,"sha256":null,"etag":null,"last_modified":null,'
            b'"content_type":null,' + COMMON + b'"checksum":"md5:00","notes":["began again"]}\n',
            id="failure",
        ),
    ],
)  # fmt: skip
def test_a_record_to_the_byte(outcome: Response | Failure, line: bytes) -> None:
    """Every field is there, in its entry; of a header its first value, without the blanks around it."""
    assert to_json(download_record(Result(REQUEST, outcome), ENTRY)) == line


async def test_what_comes_during_a_flush_is_written_by_the_next(tmp_path: Path) -> None:
    """The list is read beside the recorder: a line noted while a flush is on its way is written once, not lost."""
    with closing(Journal(tmp_path / "journal.sqlite")) as journal:
        sink = ManifestSink(tmp_path, journal)
        await sink.open()
        rows = [JournalRow(n, hash_key(str(n)), n, EntryStatus.NO_FILE, None, None, b"%d\n" % n) for n in range(1, 41)]
        journal.add(rows)
        for some in (rows[:10], rows[10:20], rows[20:30]):
            for row in some:
                sink.add_row(row)
            flushes = [asyncio.create_task(sink.flush()) for _ in range(2)]
            await asyncio.sleep(0)
            sink.add_row(rows[29 + some[-1].number // 10])
            await asyncio.gather(*flushes)
            assert journal.manifest_length == (tmp_path / "manifest.jsonl").stat().st_size
        await sink.aclose()
        records = (tmp_path / "manifest.jsonl").read_bytes().splitlines(keepends=True)
        recorded = {row.record for row in journal.find([row.key for row in rows]).values()}
        assert sorted(records) == sorted(set(records))
        assert set(records) == recorded
        assert len(records) == 33
