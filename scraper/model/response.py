"""How a request can end: with a response, a failure, a refusal by one of our rules, or 304 Not Modified."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from scraper.model.request import Request

# RFC 9110 15.4: the redirects that are followed. 300 and 304 are none of them.
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


class FieldList(list[tuple[bytes, bytes]]):
    """Header fields in the order they came.

    `by_name` is the first value of each name, in lower case. It exists after `index_by_name` and is made once: HTTP/1.1
    framing and `Headers` both use it.
    """

    __slots__ = ("by_name",)

    by_name: Mapping[bytes, bytes]

    def index_by_name(self) -> Mapping[bytes, bytes]:
        """Make and return `by_name`; no field may be added afterwards."""
        self.by_name = first = {name.lower(): value for name, value in reversed(self)}
        return first


class Headers:
    """Response headers: order and repetition are kept, names match in any case.

    Made from `(name, value)` byte pairs; values are decoded as latin-1 when they are read.
    """

    __slots__ = ("_first", "raw")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.raw = raw if isinstance(raw, list) else list(raw)
        self._first = raw.by_name if isinstance(raw, FieldList) else None

    def get_all(self, name: str) -> list[str]:
        """Every value sent for `name`, in order."""
        wanted = name.lower().encode("latin-1")
        if wanted not in self.by_name:
            return []
        return [v.decode("latin-1").strip() for k, v in self.raw if k.lower() == wanted]

    def get(self, name: str) -> str | None:
        """The first value sent for `name`, or None."""
        value = self.by_name.get(name.lower().encode("latin-1"))
        return None if value is None else value.decode("latin-1").strip()

    @property
    def by_name(self) -> Mapping[bytes, bytes]:
        """The first value of each name, which is in lower case. Made once: a record reads half a dozen of them."""
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

    @classmethod
    def from_bytes(cls, data: bytes) -> Body:
        """A body in memory that came without a content-coding: what a fetcher of one's own answers with."""
        import xxhash

        return cls(len(data), len(data), f"xxh3:{xxhash.xxh3_128_hexdigest(data)}", data)

    def read(self) -> bytes:
        """The whole body. Reads the disk if it was spooled: call it in a thread then."""
        if self.data is not None:
            return self.data
        return self.path.read_bytes() if self.path is not None else b""

    def discard(self) -> None:
        """Delete the spool file, if there is one."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


class ErrorKind(StrEnum):
    """Why a URL failed: the `error` column of every output."""

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
    TRAP = "trap"
    ADDRESS = "address"
    HTTP = "http"
    CHECKSUM = "checksum"
    IO = "io"
    PARSE = "parse"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Response:
    """A complete HTTP response of any status. A redirect is one too: its target is a fetch of its own.

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
    """No complete response came. `detail` is a sentence without secrets; `permanent`: another attempt is useless.

    `received` is bytes of the body that came before it failed.
    """

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
    """A rule forbade the request: `reason` is one of `robots`, `address`, `scope` ..., `rule` what decided."""

    request: Request
    reason: ErrorKind
    rule: str


@dataclass(frozen=True, slots=True)
class NotModified:
    """The server responded 304: what is on disk is current (RFC 9110 section 15.4.5)."""

    request: Request
    headers: Headers
    started_at: float = 0.0
    elapsed: float = 0.0


Outcome = Response | Failure | Denied | NotModified
