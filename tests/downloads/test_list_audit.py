"""Every line of a list has an outcome, or the run ends by a bug that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scraper.downloader import Downloader
from scraper.downloads.list_audit import audit_list
from scraper.downloads.list_counts import ListCounts
from scraper.downloads.manifest import ManifestSink, SessionTotals
from scraper.hooks.interface import Hook
from scraper.model import Request, Result, StopKind
from scraper.testing.local_server import LocalServer, Reply
from tests.downloads.servers import read_manifest, run_download


@pytest.mark.parametrize(
    ("counts", "totals", "waiting", "finished", "said"),
    [
        ({"lines": 6, "requested": 2, "bad_lines": 2, "repeated": 2}, {"done": 1, "failed": 1}, 0, True, ""),
        ({"lines": 3, "requested": 3}, {"done": 1, "skipped": 1, "unchanged": 1}, 0, True, ""),
        ({"lines": 3, "requested": 3}, {"done": 1}, 2, True, ""),
        ({"lines": 3, "requested": 3}, {"done": 1}, 0, False, ""),
        ({"lines": 3, "requested": 3}, {"done": 2}, 0, True, "1 lines have no outcome"),
        ({"lines": 3, "requested": 2}, {"done": 2}, 0, True, "3 lines were read and 2"),
        ({"lines": 1, "requested": 1}, {"done": 2}, 0, False, "1 outcomes too many"),
    ],
)
def test_lines_are_balanced(
    counts: dict[str, Any], totals: dict[str, Any], waiting: int, finished: bool, said: str
) -> None:
    """Lines are requested or recorded at once; requests are recorded or wait, if interrupted perhaps unqueued."""
    _, found = audit_list(ListCounts(**counts), SessionTotals(**totals), waiting, finished=finished)
    assert found.startswith(said)
    assert bool(found) is bool(said)


async def test_a_line_without_an_outcome_ends_the_run_as_a_bug(tmp_path: Path) -> None:
    """It is named, and the next run downloads it."""
    async with LocalServer({"*": Reply(200, b"x")}) as site:
        urls = [site.url(f"/{n}.bin") for n in range(4)]
        with pytest.MonkeyPatch.context() as monkeypatch:
            write = ManifestSink.write

            def broken(self: ManifestSink, result: Result) -> None:
                if result.url != urls[2]:
                    write(self, result)

            monkeypatch.setattr(ManifestSink, "write", broken)
            summary = await run_download(urls, tmp_path)
        assert summary.why == StopKind.BUG
        assert "1 lines have no outcome" in summary.stop.detail
        assert "line 3" in summary.stop.detail
        again = await run_download(urls, tmp_path)
    assert (again.why, again.ok, again.balance["missing"]) == (StopKind.FINISHED, 4, [])


class SkipSecond(Hook):
    """Does not send one of the requests, as long as `on` is true."""

    on = True

    def on_request(self, request: Request) -> Request | None:
        return None if self.on and request.url.target == "/1.bin" else request


async def test_a_line_that_a_hook_skips_has_a_record(tmp_path: Path) -> None:
    """It is skipped and not failed; the next run asks the hook again, and one record is left."""
    hook = SkipSecond()
    async with LocalServer({"*": Reply(200, b"x")}) as site:
        urls = [site.url(f"/{n}.bin") for n in range(3)]

        async def run() -> Any:
            async with Downloader(urls, tmp_path, hooks=[hook]) as downloader:
                return await downloader.run()

        summary = await run()
        assert (summary.why, summary.ok, summary.failed, summary.totals.skipped) == (StopKind.FINISHED, 2, 0, 1)
        (record,) = [record for record in read_manifest(tmp_path) if record["line"] == 2]
        assert (record["skipped"], record["error"], record["error_detail"]) == (True, None, "hooks.on_request")
        assert not (tmp_path / "failed.txt").exists()
        await run()
        assert len(read_manifest(tmp_path)) == 3
        hook.on = False
        assert (await run()).ok == 3
    assert sorted((record["line"], record["path"]) for record in read_manifest(tmp_path)) == [
        (1, "0.bin"),
        (2, "1.bin"),
        (3, "2.bin"),
    ]
