"""The values that cross from room to room. All are frozen; none knows how it came to be or where it goes.

A URL's life in these words: a `Request` waits in the frontier, is leased (`Lease`), fetched to an `Outcome`
(`Page`, `Failure`, `Denied`, `NotModified`), harvested (`Harvest`), judged (`Verdict`) and settled
(`Settlement`); what sinks and users see of it is a `Result`.

`Url`, `Link` and `Lease` are named tuples and not dataclasses: a page brings a hundred links, and a frozen
dataclass costs four times as much to make.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple


class Url(NamedTuple):
    """A canonical URL. Made only by `urls.canonicalise`.

    `href` is what is fetched: absolute, no fragment. `key` is the identity for dedupe and is never fetched
    (tracking parameters are gone from it). `host` is the politeness key: lower-case host name, with `:port`
    when that is not the scheme's default. `origin` is `scheme://host[:port]`, the key for robots.txt.
    """

    href: str
    key: str
    host: str
    origin: str

    @property
    def target(self) -> str:
        """Path and query as sent in a request line; always begins with `/`."""
        return self.href[len(self.origin) :] or "/"


Kind = Literal["page", "file", "sitemap", "robots"]


MAX_CONTENT = 65_536
"""Bytes that one request may send as its content: every URL that waits keeps its own."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a POST sends: the bytes, at most `MAX_CONTENT`, and their media type (empty: none is told)."""

    data: bytes
    type: str = ""


class Hop(NamedTuple):
    """One redirect that was followed: the URL that answered, and with which status."""

    url: str
    status: int


class Try(NamedTuple):
    """One try that failed and was followed by another.

    `number` counts the tries of one entry from 1. It began at `at` (epoch seconds) and took `elapsed` seconds; the next
    one was not to come before `wait` seconds had passed. `status` is that of an answer, `error` the kind of what went
    wrong without one, `detail` a few words more. `hops` is how many redirects had been followed.
    """

    number: int
    at: float
    status: int | None
    error: str | None
    detail: str
    elapsed: float
    wait: float
    hops: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One URL to ask for, as it waits in the frontier.

    `depth` counts links from the seed. Lower `priority` goes first. `attempt` counts failed tries so far and
    `slowdowns` the answers that only asked us to come later (429, 503 with Retry-After); they have budgets of
    their own. `hops` are the redirects that led here, oldest first: the first one's URL is what was asked for. `label`
    chooses the extraction rules for the page, and `carried` are values (as JSON has them) that its items begin with;
    both come from the page that led here. `nesting` counts the sitemaps above a sitemap. With `content` it is a POST,
    and `url.key` tells it from others to its URL (`urls.posting`); of the `hops`, the first were POSTs with the keys in
    `posts`. `tries` are the latest that failed.
    """

    url: Url
    depth: int = 0
    parent: str | None = None
    kind: Kind = "page"
    priority: int = 0
    attempt: int = 0
    slowdowns: int = 0
    hops: tuple[Hop, ...] = ()
    label: str | None = None
    nesting: int = 0
    carried: Mapping[str, Any] | None = None
    content: Content | None = None
    posts: tuple[str, ...] = ()
    tries: tuple[Try, ...] = ()

    @property
    def method(self) -> str:
        """`GET`, or `POST` when there is content to send."""
        return "GET" if self.content is None else "POST"

    @property
    def requested(self) -> str:
        """The URL first asked for, before any redirect."""
        return self.hops[0].url if self.hops else self.url.href


class Lease(NamedTuple):
    """The right to fetch one request, until `expires` (epoch seconds).

    `id` is the frontier's own name for the queue entry. `notes` is what the frontier remembers of the host
    (see `Frontier.settle`); it is given with the first lease of a host in a process and None later.
    """

    id: int
    request: Request
    expires: float
    notes: Mapping[str, str] | None = None


class Headers:
    """Response headers as they came: order and repetition kept, names matched without case.

    Values are latin-1 text. Made from `(name, value)` byte pairs, decoded only when asked for.
    """

    __slots__ = ("_first", "raw")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.raw = raw if isinstance(raw, list) else list(raw)
        self._first: dict[bytes, bytes] | None = None

    def get_all(self, name: str) -> list[str]:
        """Every value sent for `name`, in order."""
        wanted = name.lower().encode("latin-1")
        return [v.decode("latin-1").strip() for k, v in self.raw if k.lower() == wanted]

    def get(self, name: str) -> str | None:
        """The first value sent for `name`, or None."""
        value = self.by_name.get(name.lower().encode("latin-1"))
        return None if value is None else value.decode("latin-1").strip()

    @property
    def by_name(self) -> Mapping[bytes, bytes]:
        """The first value of each name, which is in lower case. Made once: a record asks for half a dozen names."""
        first = self._first
        if first is None:
            first = self._first = {name.lower(): value for name, value in reversed(self.raw)}
        return first

    def __len__(self) -> int:
        return len(self.raw)

    def __repr__(self) -> str:
        return f"Headers({self.raw!r})"


@dataclass(frozen=True, slots=True)
class Body:
    """A response body, decoded from its content-coding: in memory (`data`) or spooled to a file (`path`).

    `size` is its length in bytes, `wire_size` what came over the network before decoding. `digest` names its
    algorithm: `xxh3:<32 hex digits>` or `sha256:<64 hex digits>`.
    """

    size: int
    wire_size: int
    digest: str
    data: bytes | None = None
    path: Path | None = None

    def read(self) -> bytes:
        """The whole body. Blocks on the disk when it was spooled: call it off the event loop then."""
        if self.data is not None:
            return self.data
        return self.path.read_bytes() if self.path is not None else b""

    def discard(self) -> None:
        """Delete what was spooled, if it is still there."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


class ErrorKind(StrEnum):
    """Why a URL failed: the word in the `error` column of every output."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    NETWORK = "network"
    PROTOCOL = "protocol"
    TRUNCATED = "truncated"
    DECODE = "decode"
    TOO_LARGE = "too_large"
    REDIRECT = "redirect"
    SCHEME = "scheme"
    SCOPE = "scope"
    ROBOTS = "robots"
    ADDRESS = "address"
    HTTP = "http"
    CHECKSUM = "checksum"
    IO = "io"
    PARSE = "parse"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Page:
    """A complete HTTP response, whatever its status. Redirects are pages too: each hop is a fetch of its own.

    `started_at` is epoch seconds; `ttfb` (request sent to headers read) and `elapsed` (to the body's end) are
    seconds.
    """

    request: Request
    status: int
    headers: Headers
    body: Body
    started_at: float = 0.0
    ttfb: float = 0.0
    elapsed: float = 0.0
    http_version: str = "1.1"


@dataclass(frozen=True, slots=True)
class Failure:
    """No complete response came. `detail` is a sentence without secrets; `permanent` says a retry is vain."""

    request: Request
    error: ErrorKind
    detail: str
    status: int | None = None
    headers: Headers = field(default_factory=Headers)
    started_at: float = 0.0
    elapsed: float = 0.0
    received: int = 0
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class Denied:
    """A rule forbade asking: `reason` is an `error` word (`robots`, `address`, `scope` ...), `rule` what decided."""

    request: Request
    reason: ErrorKind
    rule: str


@dataclass(frozen=True, slots=True)
class NotModified:
    """The server answered 304: what we hold is current."""

    request: Request
    headers: Headers
    started_at: float = 0.0
    elapsed: float = 0.0


Outcome = Page | Failure | Denied | NotModified


class OutOfScope(NamedTuple):
    """A URL that will not be asked for: one word why, and the rule that decided, readable by the user."""

    reason: str
    rule: str


class Link(NamedTuple):
    """A link found on a page, canonical, with its fate: `denied` is None when it is in scope.

    `kind` says what to ask for it as. `nofollow` marks links that the page asked robots not to follow.
    """

    url: Url
    denied: OutOfScope | None = None
    kind: Kind = "page"
    nofollow: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One extracted record. `rule` is the index of the extraction rule in the config, from 0."""

    fields: Mapping[str, Any]
    rule: int = 0


@dataclass(frozen=True, slots=True)
class Rejected:
    """A field that could not be read, and why. `kept` says whether there is an item all the same, without it."""

    field: str
    reason: str
    rule: int = 0
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Harvest:
    """What extraction found on a page.

    `links` holds each distinct canonical URL once, in document order. `requests` are what rules ask for, in scope; they
    go before a link to the same page. `noindex` and `nofollow` are the page's
    own directives (meta robots and X-Robots-Tag). `charset` is the encoding the text was read as.
    """

    links: tuple[Link, ...] = ()
    items: tuple[Item, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    canonical: str | None = None
    noindex: bool = False
    nofollow: bool = False
    charset: str | None = None
    problem: str | None = None
    requests: tuple[Request, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """Settled for good: a record has been written."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask again at `at` (epoch seconds), as `request` (attempts counted, or a redirect's target)."""

    at: float
    request: Request


@dataclass(frozen=True, slots=True)
class Drop:
    """Never asked, and will not be: goes to skipped.jsonl with its reason and rule."""

    reason: str
    rule: str


@dataclass(frozen=True, slots=True)
class Release:
    """Give the lease back untouched, as if it had never been taken."""


Verdict = Done | Retry | Drop | Release


class Skip(NamedTuple):
    """A URL seen and not asked for: what a line of skipped.jsonl holds."""

    url: Url
    parent: str | None
    reason: str
    rule: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one lease; the frontier stores all of it in one transaction.

    `outcome` is the word it is counted under: `ok`, `http_404`, or an `ErrorKind`. `wire_size` is bytes.
    """

    lease: Lease
    verdict: Verdict
    outcome: str = ""
    discovered: tuple[Request, ...] = ()
    skipped: tuple[Skip, ...] = ()
    wire_size: int = 0
    items: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """One finished URL, as sinks and `Crawler.results()` see it: request, outcome and what was found."""

    request: Request
    outcome: Page | Failure | NotModified
    harvest: Harvest = field(default_factory=Harvest)
    duplicate_of: str | None = None

    @property
    def url(self) -> str:
        """The URL that answered."""
        return self.request.url.href

    @property
    def status(self) -> int | None:
        """The HTTP status, or None when no response came."""
        if isinstance(self.outcome, NotModified):
            return 304
        return self.outcome.status

    @property
    def error(self) -> ErrorKind | None:
        """Why it failed, or None when the fetch succeeded."""
        if isinstance(self.outcome, Failure):
            return self.outcome.error
        if isinstance(self.outcome, Page) and self.outcome.status >= 400:
            return ErrorKind.HTTP
        return None

    @property
    def items(self) -> tuple[Item, ...]:
        """The extracted records."""
        return self.harvest.items
