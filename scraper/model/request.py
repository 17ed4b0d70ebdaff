"""What is asked for: an address, the request for it, and the lease to fetch it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from scraper.model.entry_state import EntryState


class Url(NamedTuple):
    """A canonical URL. Made only by `urls.canonicalize`.

    `href` is what is fetched: absolute, no fragment. `key` is the identity for dedupe and is never fetched (tracking
    parameters are gone from it; in a download it is `EntryState.key`). `host` is the politeness key: lower-case host
    name, with `:port` when that is not the scheme's default. `origin` is `scheme://host[:port]`, the key for
    robots.txt.
    """

    href: str
    key: str
    host: str
    origin: str

    @property
    def target(self) -> str:
        """Path and query as sent in a request line; always begins with `/`."""
        return self.href[len(self.origin) :] or "/"


RequestKind = Literal["page", "file", "sitemap", "robots"]


MAX_CONTENT_BYTES = 65_536
"""Bytes that one request may send as its content: every URL that waits keeps its own."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a POST sends: the bytes, at most `MAX_CONTENT_BYTES`, and their media type (empty: none is told)."""

    data: bytes
    type: str = ""


class Hop(NamedTuple):
    """One redirect that was followed: the URL that answered, and with which status."""

    url: str
    status: int


class Attempt(NamedTuple):
    """One try that failed and was followed by another.

    `number` counts the tries of one entry from 1. It began at `at` (epoch seconds) and took `elapsed` seconds; the next
    one was not to come before `wait` seconds had passed. `status` is that of an answer, `error` the kind of what went
    wrong without one, `detail` a few words more. `hops` is how many redirects had been followed.
    """

    number: int
    started_at: float
    status: int | None
    error: str | None
    detail: str
    elapsed: float
    wait: float
    redirects: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One URL to ask for, as it waits in the frontier.

    `depth` counts links from the seed. Lower `priority` goes first. `attempt` counts failed tries so far and
    `slowdowns` the answers that only asked us to come later (429, 503 with Retry-After); they have budgets of
    their own. `hops` are the redirects that led here, oldest first: the first one's URL is what was asked for. `label`
    chooses the extraction rules for the page, and `carried` are values (as JSON has them) that its items begin with;
    both come from the page that led here. `nesting` counts the sitemaps above a sitemap. With `content` it is a POST,
    and `url.key` tells it from others to its URL (`urls.posting`); of the `hops`, the first were POSTs with the keys in
    `posts`. `tries` are the latest that failed. `entry` is set in downloads: the entry of the list that is requested.
    """

    url: Url
    depth: int = 0
    parent: str | None = None
    kind: RequestKind = "page"
    priority: int = 0
    attempt: int = 0
    slowdowns: int = 0
    redirects: tuple[Hop, ...] = ()
    label: str | None = None
    sitemap_depth: int = 0
    inherited_fields: Mapping[str, Any] | None = None
    content: Content | None = None
    posted_keys: tuple[str, ...] = ()
    failed_attempts: tuple[Attempt, ...] = ()
    entry: EntryState | None = None

    @property
    def method(self) -> str:
        """`GET`, or `POST` when there is content to send."""
        return "GET" if self.content is None else "POST"

    @property
    def requested(self) -> str:
        """The URL first asked for, before any redirect."""
        return self.redirects[0].url if self.redirects else self.url.href


def entry_of(request: Request) -> EntryState:
    """The list entry that `request` downloads. Raises `ValueError` for a request of a crawl."""
    if request.entry is None:
        raise ValueError(f"{request.url.href}: the request belongs to no entry of a list")
    return request.entry


class Lease(NamedTuple):
    """The right to fetch one request, until `expires` (epoch seconds).

    `id` is the frontier's own name for the queue entry. `notes` is what the frontier remembers of the host
    (see `Frontier.settle`); it is given with the first lease of a host in a process and None later.
    """

    id: int
    request: Request
    expires: float
    host_state: Mapping[str, str] | None = None
