"""A large run made of records alone, as hostile as a web can be."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u202e"
START = 1_700_000_000


def write_run(folder: Path, pages: int, hosts: int = 40, start: int = START) -> None:
    """Write the record files, summary and state folder of a run of `pages` pages at about 50 a second."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "pages.jsonl").open("wb") as file:
        for n in range(pages):
            file.write(orjson.dumps(_page(n, hosts, start)) + b"\n")
    with (folder / "items.jsonl").open("wb") as file:
        for n in range(pages // 3):
            item = {
                "url": f"https://h{n % hosts}.example/{n}",
                "title": f"{n} {EVIL}",
                "price": "19.90",
                "tags": ["a", EVIL],
            }
            file.write(orjson.dumps(item) + b"\n")
    with (folder / "skipped.jsonl").open("wb") as file:
        for n in range(pages // 2):
            reason, rule = ("robots", f"robots.txt line {n % 900}: Disallow: /{EVIL}") if n % 3 else ("scope", EVIL)
            file.write(orjson.dumps({"url": f"javascript:{EVIL}{n}", "reason": reason, "rule": rule}) + b"\n")


def _page(n: int, hosts: int, start: int) -> dict[str, object]:
    failed = n % 17 == 0
    kind = ("timeout", "dns", "http", "truncated")[n % 4]
    wave = 1 + (n // 5_000) % 4
    return {
        "url": f"https://h{n * n % hosts}.example/section-{n % 97}/{n}?q={EVIL}"
        if n % 500 == 0
        else f"https://h{n * n % hosts}.example/s/{n}",
        "kind": "page",
        "status": None if failed and kind != "http" else 503 if failed else 200,
        "error": kind if failed else None,
        "depth": n % 9,
        "fetched_at": datetime.fromtimestamp(start + n / 50 * wave, UTC).isoformat(timespec="milliseconds"),
        "content_type": "text/html; charset=utf-8" if n % 5 else f"x/{EVIL}",
        "bytes": 1_000 + n * 7919 % 90_000,
        "attempts": 1,
        "elapsed_ms": 20 + n * n % 700 + (3_000 if n % 211 == 0 else 0),
        "redirects": [],
    }
