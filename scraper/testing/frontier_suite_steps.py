"""What the conformance suites for frontiers share: making requests and settlements, taking leases, opening a store."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scraper.frontier.interface import Frontier, Granted
from scraper.model import Attempt, Content, Done, EntryState, Hop, Lease, Request, RequestKind, Settlement, Url, Verdict
from scraper.urls.post_identity import with_post_key

# The time at which each test begins, in epoch seconds.
NOW = 1_000_000.0


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
        earlier_pages=("0123456789abcdef", "fedcba9876543210"),
    )


def make_settlement(lease: Lease, verdict: Verdict | None = None, outcome: str = "ok", **fields: Any) -> Settlement:
    """A settlement of `lease`: by default done, with the outcome `ok`."""
    return Settlement(lease, Done() if verdict is None else verdict, outcome, **fields)


async def take_leases(frontier: Frontier, count: int = 10, now: float = NOW, below: int | None = None) -> list[Lease]:
    """The leases that are granted; empty if the frontier returns `Wait` or `Drained`."""
    result = await frontier.lease(count, now, below)
    return list(result.leases) if isinstance(result, Granted) else []


async def take_hrefs(frontier: Frontier, count: int = 10, now: float = NOW, below: int | None = None) -> list[str]:
    """The URLs of the leases that are granted."""
    return [lease.request.url.href for lease in await take_leases(frontier, count, now, below)]


async def drain_host(frontier: Frontier, host: str, now: float = NOW) -> list[str]:
    """The URLs of one host in the order they are leased; each is settled before the next is leased."""
    order = []
    while found := await take_leases(frontier, 1, now):
        order.append(found[0].request.url.href)
        frontier.park(host, now)
        await frontier.settle([make_settlement(found[0])])
    return order


class FrontierSuite:
    """Base of the suites: opens the store under test."""

    # Whether several processes may use one store at once. Such a store never returns an endless `Wait`, because another
    # process may add requests.
    shared = False

    def open_frontier(self, folder: Path) -> AbstractAsyncContextManager[Any]:
        """Open the store in `folder`, creating it if it does not exist; close it on exit."""
        raise NotImplementedError
