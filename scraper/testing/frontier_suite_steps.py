"""What the suites for frontiers are written with: requests, leases, settlements, and how a store is opened."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from scraper.frontier.interface import Frontier, Granted, Ledger
from scraper.model import Content, Done, Hop, Kind, Lease, Request, Settlement, Try, Url, Verdict
from scraper.urls.post_identity import posted

NOW = 1_000_000.0
"""The instant at which the suite begins (epoch seconds)."""


class LedgerFrontier(Frontier, Ledger, Protocol):
    """A frontier that answers the ledger's questions too."""


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
    return Request(posted(make_url(href), content), content=content, **fields)


def rich_request(host: str, kind: Kind = "page") -> Request:
    """A request in which no field has its default."""
    url = make_url(f"https://{host}:8443/ä?q=%20", key=f"https://{host}:8443/key")
    content = Content(bytes(range(256)), "application/json")
    return Request(
        posted(url, content),
        depth=3,
        parent="https://parent.example/",
        kind=kind,
        priority=-7,
        attempt=2,
        slowdowns=1,
        hops=(Hop("https://x.example/", 301), Hop("http://y.example/", 307)),
        label="a 'label'",
        nesting=2,
        carried={"price": "1.50", "tags": ["ä", None]},
        content=content,
        posts=("POST 0 https://x.example/", "POST 0 http://y.example/"),
        tries=(Try(7, NOW + 0.25, 503, None, "Retry-After: 1", 0.125, 1.5), Try(8, NOW, None, "dns", "ä", 9.5, 0.0, 2)),
    )


def settled(lease: Lease, verdict: Verdict | None = None, outcome: str = "ok", **fields: Any) -> Settlement:
    """What became of `lease`: done and counted as `ok` unless told otherwise."""
    return Settlement(lease, Done() if verdict is None else verdict, outcome, **fields)


async def leases(frontier: Frontier, count: int = 10, now: float = NOW, below: int | None = None) -> list[Lease]:
    """The leases that are granted, none when the answer is another."""
    answer = await frontier.lease(count, now, below)
    return list(answer.leases) if isinstance(answer, Granted) else []


async def hrefs(frontier: Frontier, count: int = 10, now: float = NOW, below: int | None = None) -> list[str]:
    """The URLs of the leases that are granted."""
    return [lease.request.url.href for lease in await leases(frontier, count, now, below)]


async def drain_host(frontier: Frontier, host: str, now: float = NOW) -> list[str]:
    """The URLs of one host in the order of asking; each is settled before the next is leased."""
    order = []
    while found := await leases(frontier, 1, now):
        order.append(found[0].request.url.href)
        frontier.park(host, now)
        await frontier.settle([settled(found[0])])
    return order


class OpensFrontier:
    """What every suite needs to know."""

    shared = False
    """Whether several processes may be at work on one store: such a store never answers an endless Wait."""

    def open_frontier(self, folder: Path) -> AbstractAsyncContextManager[Any]:
        """Open the store kept in `folder`, making it when it is not there; close it on exit."""
        raise NotImplementedError
