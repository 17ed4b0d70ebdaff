"""`scrape crawl --retry-failed`: what an earlier session recorded as failed is queued again.

pages.jsonl is what tells which URLs failed. Their records stay, and each gets another one: the last record of a URL is
the one that counts. What the frontier counted under the failures is taken off again, in the transaction that queues
them, so a kill neither loses a URL nor counts it twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from scraper.errors import FrontierError
from scraper.frontier.sqlite.messages import FailedPage
from scraper.frontier.sqlite.statements import FrontierDatabase
from scraper.model import Priority, Request, Url
from scraper.sinks.jsonl import PagesSink
from scraper.urls.canonicalize import KeyRules, canonicalize

_PRIORITIES = {"page": Priority.PAGE, "file": Priority.FILE, "sitemap": Priority.SITEMAP}


class Requeued(NamedTuple):
    """How many failed URLs are queued again, and how many are not because they were posted to."""

    queued: int
    posts: int

    def sentences(self) -> Iterator[str]:
        """What the user should know."""
        yield f"--retry-failed: {self.queued} failed URLs are asked for again; the last record of a URL counts"
        if self.posts:
            yield f"--retry-failed: {self.posts} failed POSTs are not repeated: their records lack the whole body"


def requeue_failed(folder: Path, frontier_file: Path, keys: KeyRules) -> Requeued:
    """Queue what failed in the run in `folder`, while nobody has its frontier open. Blocks.

    Raises `FrontierError` when pages.jsonl or the frontier cannot be read.
    """
    failed, posts = _read_failed(folder / PagesSink.name, keys)
    if not failed:
        return Requeued(0, posts)
    with closing(FrontierDatabase(frontier_file, "process")) as database:
        return Requeued(database.requeue_failed(failed), posts)


def _read_failed(path: Path, keys: KeyRules) -> tuple[dict[str, FailedPage], int]:
    """The URLs whose last record is a failure, by key; and how many more there are that were posted to."""
    failed: dict[str, FailedPage] = {}
    posts: set[str] = set()
    if not path.exists():
        return {}, 0
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    record = orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue  # the end of a file whose writer was killed
                _take(record, keys, failed, posts)
    except OSError as error:
        raise FrontierError(f"{path} cannot be read: {error.strerror or error}") from error
    return failed, len(posts)


def _take(record: dict[str, Any], keys: KeyRules, failed: dict[str, FailedPage], posts: set[str]) -> None:
    url = canonicalize(record["requested_url"], None, keys)
    target = canonicalize(record["url"], None, keys)
    if not (isinstance(url, Url) and isinstance(target, Url)):
        return
    if "method" in record or any("method" in hop for hop in record["redirects"]):
        if record["error"] is not None:
            posts.add(f"{record['url']} {record.get('body')}")
        return
    failed.pop(url.key, None)
    if record["error"] is None:
        return
    kind = record["kind"]
    request = Request(
        url,
        depth=record["depth"],
        parent=record["parent"],
        kind=kind,
        priority=_PRIORITIES[kind],
        label=record.get("label"),
        inherited_fields=record.get("carried"),
    )
    hops = [canonicalize(hop["url"], None, keys) for hop in record["redirects"][1:]]
    later = [hop for hop in (*hops, target) if isinstance(hop, Url) and hop.key != url.key]
    failed[url.key] = FailedPage(request, _code(record), target.host, tuple(later))


def _code(record: dict[str, Any]) -> str:
    """What the failure was counted under: see `engine.outcomes.settled_code`."""
    code = f"http_{record['status']}" if record["error"] == "http" else record["error"]
    if record["kind"] == "sitemap" and code in ("http_404", "http_410"):
        code = "none"
    return str(code) if record["kind"] == "page" else f"{record['kind']}_{code}"
