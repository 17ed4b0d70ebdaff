"""Every file in configs/ does what it says, as it is shipped: only the seeds are those of a site on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

import scraper
from scraper.config.reading.load import load_config
from scraper.testing.local_server import LocalServer, Reply

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
HTML = {"Content-Type": "text/html"}
PAGE = (
    b"<title>T</title><link rel=stylesheet href=/s/x.css><img class=cover src=/s/x.png><main><h1>H</h1>"
    b"<a href=/manual/b>b</a><a href=/manual/x.pdf>pdf</a></main>"
)
ROUTES = {
    "/manual/": Reply(200, PAGE, HTML),
    "/manual/b": Reply(200, PAGE, HTML),
    "/manual/x.pdf": Reply(200, b"%PDF-1.4", {"Content-Type": "application/pdf"}),
    "/s/x.css": Reply(200, b"b {}", {"Content-Type": "text/css"}),
    "/s/x.png": Reply(200, b"\x89PNG", {"Content-Type": "image/png"}),
}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
async def test_a_shipped_config_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first run, into the relative folder of the file, ends finished; a second one has nothing to do."""
    monkeypatch.chdir(tmp_path)
    for name in ("API_TOKEN", "PRESS_USER", "PRESS_PASS"):
        monkeypatch.setenv(name, "x")
    async with LocalServer(ROUTES) as site:
        overrides = [f"seeds=[{site.url('/manual/')}]", "politeness.per_host.rate=unlimited"]
        first = await scraper.crawl(load_config(path, overrides))
        second = await scraper.crawl(load_config(path, overrides))
    assert (first.why, first.ok) == ("finished", second.ok)
    assert first.ok >= 2
    assert second.idle
    assert first.folder.is_relative_to("out")
    if load_config(path, overrides).files.css:
        assert list(first.folder.glob("files/*/s/x.png"))
