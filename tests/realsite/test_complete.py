"""A crawl of a real site finds every page that links reach, each once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.realsite.conftest import ServedSite
from tests.realsite.walk import walk

CONFIG = """
name: docs
seeds: ["{url}"]
scope: {{mode: host}}
limits: {{concurrency: 32}}
politeness: {{per_host: {{rate: unlimited, concurrency: 32}}}}
sitemaps: off
network: {{allow_private: true}}
extract: [{{fields: {{title: title, links: {{links: in_scope}}}}}}]
output: {{folder: "{out}"}}
"""


@pytest.mark.realsite
def test_every_reachable_page_is_fetched_once(served: ServedSite, tmp_path: Path) -> None:
    """The URLs with a good record equal those of an independent walk over the files, and the server saw each once."""
    config, out = tmp_path / "docs.yaml", tmp_path / "out"
    config.write_text(CONFIG.format(url=served.url, out=out))
    run = subprocess.run(
        [sys.executable, "-m", "scraper", "crawl", str(config), "--progress", "none"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    records = [json.loads(line) for line in (out / "pages.jsonl").read_text().splitlines()]
    good = [record["url"] for record in records if record["error"] is None]
    expected = walk(served.root, served.url)
    assert set(good) == expected
    assert max(Counter(record["url"] for record in records).values()) == 1
    assert max(Counter(served.requested_paths()).values()) == 1
    items = [json.loads(line)["url"] for line in (out / "items.jsonl").read_text().splitlines()]
    pages = {url for url in expected if urlsplit(url).path.endswith((".html", "/"))}
    assert sorted(items) == sorted(pages)
