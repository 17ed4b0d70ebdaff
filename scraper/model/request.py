"""What is fetched: a URL, the request for it, and the lease that permits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal, NamedTuple

from scraper.model.entry_state import EntryState


class Url(NamedTuple):
    """A canonical URL. Made only by `urls.canonicalize`.

    `href` is what is fetched: absolute, no fragment. `key` identifies it among known URLs and is never fetched
    (tracking parameters are removed from it; in a download it is `EntryState.key`). `host` is the key for politeness:
    lower-case host name, with `:port` unless that is the scheme's default. `origin` is `scheme://host[:port]`, the key
    for robots.txt.
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


class Priority(IntEnum):
    """Where the priorities of each kind of request begin; the lowest number is requested first.

    A page's priority is its depth. Each failed attempt adds one. The gaps keep the kinds apart: when the page budget
    is spent, only requests below `SITEMAP` (files), or up to it, are still handed out.
    """

    FILE = -20
    SITEMAP = -10
    PAGE = 0


# The depth of a sitemap among the seeds, and of the sitemaps that it lists: their URLs are seeds, whose depth is 0.
SEED_SITEMAP_DEPTH = -1
# Each queued request stores its own content, so it is small. 64 KiB.
MAX_CONTENT_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Content:
    """What a POST sends: the bytes, at most `MAX_CONTENT_BYTES`, and their media type (empty: no Content-Type)."""

    data: bytes
    type: str = ""


class Hop(NamedTuple):
    """One redirect that was followed: the URL that redirected, and its status."""

    url: str
    status: int


class Attempt(NamedTuple):
    """One attempt that failed and was followed by another.

    `number` counts the attempts of one queue entry from 1. This one began at `started_at` (epoch seconds) and took
    `elapsed` seconds; the next one was due after another `wait` seconds. `status` is that of its response; without a
    response, `error` is an `ErrorKind`. `detail` is a short text, `redirects` how many had been followed.
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
    """One URL to fetch, as it is queued in the frontier.

    `depth` counts links from the seed (`SEED_SITEMAP_DEPTH`: a sitemap of seeds). Lower `priority` goes first
    (`Priority`). `attempt` counts failed attempts so far, and `slowdowns` the responses that only asked for a pause
    (429, 503 with Retry-After); each has a budget of its own. `redirects` led here, oldest first: the URL of the first
    one is what was requested originally. `label` chooses the extraction rules for the page, and `inherited_fields` are
    values (JSON) that its items begin with; both come from the page that led here. `earlier_pages` are digests of
    earlier pages of the list that this is a page of. `sitemap_depth` counts the sitemaps above a sitemap. With
    `content` it is a POST, and
    `url.key` tells it from others to the same URL (`urls.post_identity`); of the `redirects`, the first ones were POSTs
    with the keys in `posted_keys`. `failed_attempts` are the latest of them. `entry` is
    set in downloads: the entry of the list.
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
    earlier_pages: tuple[str, ...] = ()

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

    `id` is the frontier's own number for the queue entry. `host_state` is what the frontier stores about the host (see
    `Frontier.settle`): given with the first lease of a host in a process, None later.
    """

    id: int
    request: Request
    expires: float
    host_state: Mapping[str, str] | None = None
