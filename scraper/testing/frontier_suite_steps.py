"""What the suites for frontiers are written with: requests, leases, settlements, and how a store is opened."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scraper.frontier.interface import Frontier, Granted
from scraper.model import Attempt, Content, Done, EntryState, Hop, Lease, Request, RequestKind, Settlement, Url, Verdict
from scraper.urls.post_identity import with_post_key

NOW = 1_000_000.0
"""The instant at which the suite begins (epoch seconds)."""


def make_url(href: str, key: str | None = None) -> Url:
    """A `Url` of an href that is canonical already; `key` where it differs."""
    parts = urlsplit(href)
    return Url(href, href if key is None else key, parts.netloc, f"{parts.scheme}://{parts.netloc}")


def make_request(href: str, priority: int = 0, **fields: Any) -> Request:
    """A request for an href that is canonical already."""
    return Request(make_url(href), priority=priority, **fields)


def make_post(href: str, data: bytes, **fields: Any) -> Request:
    """A POST of `data`, as JSON, to an href that is canonical already."""
    content = Content(data, "application/json")
    return Request(with_post_key(make_url(href), content), content=content, **fields)


def full_request(host: str, kind: RequestKind = "page") -> Request:
    """A request in which no field has its default."""
    url = make_url(f"https://{host}:8443/ä?q=%20", key=f"https://{host}:8443/key")
    content = Content(bytes(range(256)), "application/json")
    return Request(
        with_post_key(url, content),
        depth=3,
        parent="https://parent.example/",
        kind=kind,
        priority=-7,
        attempt=2,
        slowdowns=1,
        redirects=(Hop("https://x.example/", 301), Hop("http://y.example/", 307)),
        label=None if kind == "file" else "a 'label'",
        sitemap_depth=2,
        inherited_fields={"price": "1.50", "tags": ["ä", None]},
        content=content,
        posted_keys=("POST 0 https://x.example/", "POST 0 http://y.example/"),
        failed_attempts=(
            Attempt(7, NOW + 0.25, 503, None, "Retry-After: 1", 0.125, 1.5),
            Attempt(8, NOW, None, "dns", "ä", 9.5, 0.0, 2),
        ),
        entry=EntryState(1, 2, "https://h.example/", "f", mirrors=("https://m.example/",)) if kind == "file" else None,
    )


def make_settlement(lease: Lease, verdict: Verdict | None = None, outcome: str = "ok", **fields: Any) -> Settlement:
    """What became of `lease`: done and counted as `ok` unless told otherwise."""
    return Settlement(lease, Done() if verdict is None else verdict, outcome, **fields)


async def take_leases(frontier: Frontier, count: int = 10, now: float = NOW, below: int | None = None) -> list[Lease]:
    """The leases that are granted, none when the answer is another."""
    answer = await frontier.lease(count, now, below)
    return list(answer.leases) if isinstance(answer, Granted) else []


async def take_hrefs(frontier: Frontier, count: int = 10, now: float = NOW, below: int | None = None) -> list[str]:
    """The URLs of the leases that are granted."""
    return [lease.request.url.href for lease in await take_leases(frontier, count, now, below)]


async def drain_host(frontier: Frontier, host: str, now: float = NOW) -> list[str]:
    """The URLs of one host in the order of asking; each is settled before the next is leased."""
    order = []
    while found := await take_leases(frontier, 1, now):
        order.append(found[0].request.url.href)
        frontier.park(host, now)
        await frontier.settle([make_settlement(found[0])])
    return order


class FrontierSuite:
    """What every suite needs to know."""

    shared = False
    """Whether several processes may be at work on one store: such a store never answers an endless Wait."""

    def open_frontier(self, folder: Path) -> AbstractAsyncContextManager[Any]:
        """Open the store kept in `folder`, making it when it is not there; close it on exit."""
        raise NotImplementedError
