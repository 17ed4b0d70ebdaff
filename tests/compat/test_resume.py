"""Run folders of an earlier version are resumed by this one: nothing is lost, nothing is requested twice."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import scraper
from scraper.downloads.options import DownloadOptions
from scraper.rundir.layout import RunLayout
from tests.compat.recordings import Recording, connect_to, crawl_config, list_of, unpack
from tests.compat.site import (
    FIRST_HOST,
    LARGE_FILES,
    SECOND_HOST,
    SMALL_FILES,
    RecordedSite,
    SeenRequest,
    book_paths,
    cover_paths,
    crawled_paths,
    respond,
)

# robots.txt is requested again when the stored one is older than a day, as that of a recording is.
ROBOTS = "/robots.txt"


def records(content: str | bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def path_of(record: dict[str, Any]) -> str:
    """The path of a record's URL by which it was first requested; with its host when that is the second."""
    url: str = record["requested_url"]
    host, _, path = url.removeprefix("http://").partition("/")
    return f"/{path}" if host.startswith(FIRST_HOST) else f"{SECOND_HOST}/{path}"


def later(site: RecordedSite, recording: Recording) -> list[SeenRequest]:
    """What was requested since the recording, without robots.txt."""
    return [seen for seen in site.requests[len(recording.requests) :] if seen.path != ROBOTS]


def assert_complete(folder: Path) -> None:
    """The crawl has every page, item and file once, in every output."""
    run = RunLayout(folder)
    expected = Counter({*crawled_paths(), f"{SECOND_HOST}/"})
    assert Counter(path_of(record) for record in records(run.pages.read_text())) == expected
    titles = Counter({f"book {path.rpartition('/')[2]}": 1 for path in book_paths()} | {"posted": 1})
    assert Counter(item["title"] for item in records(run.items.read_text())) == titles
    with (folder / "items.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert Counter(row["title"] for row in rows) == titles
    with closing(sqlite3.connect(folder / "items.sqlite")) as db:
        assert Counter(title for (title,) in db.execute("SELECT title FROM items")) == titles
    bodies = {path.name: path.read_bytes() for path in run.files.rglob("*") if path.is_file()}
    assert bodies == {path.rpartition("/")[2]: respond(FIRST_HOST, "GET", path, 0).body for path in cover_paths()}
    assert {skip["reason"] for skip in records(run.skipped.read_text())} == {"robots", "scope"}


async def test_a_killed_crawl_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was committed stays and is not requested again; requests under way, retries and the rest follow."""
    recording = unpack("crawl-killed", tmp_path)
    run = RunLayout(tmp_path)
    committed = records(run.pages.read_bytes()[: recording.checkpoint("pages.jsonl")])
    assert 10 < len(committed) < len(crawled_paths())
    with RecordedSite(requests=recording.requests) as site:
        connect_to(site, recording.port, monkeypatch)
        summary = await scraper.crawl(crawl_config(recording.port, tmp_path))
    assert summary.why == "finished"
    requested = Counter(seen.path for seen in later(site, recording) if seen.host == FIRST_HOST)
    assert not {path_of(record) for record in committed} & requested.keys()
    assert set(requested.values()) == {1}
    assert records(run.pages.read_text())[: len(committed)] == committed
    assert_complete(tmp_path)


async def test_a_finished_crawl_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command again requests nothing."""
    recording = unpack("crawl-finished", tmp_path)
    before = RunLayout(tmp_path).pages.read_bytes()
    with RecordedSite(requests=recording.requests) as site:
        connect_to(site, recording.port, monkeypatch)
        summary = await scraper.crawl(crawl_config(recording.port, tmp_path))
    assert summary.why == "finished"
    assert later(site, recording) == []
    assert RunLayout(tmp_path).pages.read_bytes() == before
    assert_complete(tmp_path)


async def download(
    recording: Recording, paths: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[scraper.DownloadSummary, list[SeenRequest]]:
    """Run the recorded download again; return its summary and what it requested."""
    listed = recording.folder / "list.txt"
    listed.write_text(list_of(recording.port, *paths))
    with RecordedSite(requests=recording.requests) as site:
        connect_to(site, recording.port, monkeypatch)
        summary = await scraper.download(listed, recording.folder, DownloadOptions(backoff=0.01))
    return summary, later(site, recording)


@pytest.mark.parametrize(
    ("name", "large", "gone"),
    [("download-killed", "/large", ["/gone"]), ("download-segments", "/segmented", [])],
    ids=["one stream", "segments"],
)
async def test_a_killed_download_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, large: str, gone: list[str]
) -> None:
    """Complete files are not requested again, and of the large one only the missing ranges are."""
    recording = unpack(name, tmp_path)
    part = (tmp_path / large[1:]).with_suffix(".part")
    assert part.exists()
    summary, requests = await download(recording, [*SMALL_FILES, *gone, large], monkeypatch)
    assert (summary.why, summary.ok, summary.failed) == ("finished", len(SMALL_FILES) + 1, len(gone))
    assert (tmp_path / large[1:]).read_bytes() == LARGE_FILES[large]
    assert not part.exists()
    for path, body in SMALL_FILES.items():
        assert (tmp_path / path[1:]).read_bytes() == body
    assert {request.path for request in requests} <= {large, *gone}
    ranges = [request.range for request in requests if request.path == large]
    assert ranges
    assert all(text.startswith("bytes=") and not text.startswith("bytes=0-") for text in ranges)
    last = {record["url"]: record for record in records(RunLayout(tmp_path).manifest.read_text())}
    assert len(last) == len(SMALL_FILES) + 1 + len(gone)


async def test_a_finished_download_requests_what_failed_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are there are complete; the failed entry is tried again."""
    recording = unpack("download-finished", tmp_path)
    summary, requests = await download(recording, [*SMALL_FILES, "/gone", "/large"], monkeypatch)
    assert (summary.ok, summary.failed) == (len(SMALL_FILES) + 1, 1)
    assert {request.path for request in requests} == {"/gone"}
