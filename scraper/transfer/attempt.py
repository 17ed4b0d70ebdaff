"""One attempt to download one file: what was requested, what has arrived so far, and the outcome it ends with."""

from __future__ import annotations

from dataclasses import replace

from scraper.model import Body, EntryState, ErrorKind, Failure, Headers, Request, Response
from scraper.politeness.http_date import parse_http_date
from scraper.transfer.checksum import Checksum, checksums_from_headers, parse_checksum
from scraper.transport.adapter import RawResponse

# A failed attempt that resumed a file and received this many bytes does not count against the retries.
MIN_PROGRESS_BYTES = 1024 * 1024
# Texts about one entry that its manifest record holds: the latest ones.
MAX_HISTORY = 8

# Fields in which a server may state checksums. Most responses have none: one look at the names replaces nine searches.
_CHECKSUM_FIELDS = frozenset(
    [b"repr-digest", b"digest", b"content-md5", b"x-goog-hash"]
    + [b"x-amz-checksum-" + name for name in (b"sha512", b"sha256", b"sha1", b"md5")]
)


class DownloadAttempt:
    """One call of `FileFetcher.fetch`, which may send several requests. Changed by whoever works on the file."""

    __slots__ = (
        "_head_at",
        "_history",
        "_original_path",
        "_sent_at",
        "_status",
        "entry",
        "filled_gap",
        "headers",
        "received",
        "request",
        "resumed",
        "started_at",
        "throttled_for",
        "unconditional",
    )

    def __init__(self, request: Request, entry: EntryState, started_at: float) -> None:
        self.request, self.entry, self.started_at = request, entry, started_at
        self.headers = Headers()
        # Bytes of body that arrived, over all connections.
        self.received = 0
        # Seconds that our own bandwidth limits made it wait.
        self.throttled_for = 0.0
        self.unconditional = self.resumed = self.filled_gap = False
        self._original_path = entry.path
        self._history: list[str] = []
        self._status: int | None = None
        self._sent_at = self._head_at = 0.0

    def on_response(self, response: RawResponse) -> None:
        """The head of a response has arrived: later outcomes carry its status and header fields."""
        self.headers, self._status = Headers(response.headers), response.status
        self._sent_at, self._head_at = response.sent_at, response.head_at

    def rename_target(self, path: str) -> None:
        """Store the file at `path` instead. The path was reserved for this entry, so a file there may be replaced."""
        self.entry = self.entry._replace(path=path, may_replace=True)

    def add_history(self, text: str) -> None:
        """Record something that happened, for the manifest."""
        self._history.append(text)

    def expected_checksums(self, *, partial: bool) -> list[Checksum]:
        """What the file must hash to: the checksum of the list, then the strongest one that the server states.

        `partial`: the response is a 206.
        """
        expected = []
        if self.entry.checksum and (listed := parse_checksum(self.entry.checksum)) is not None:
            expected.append(listed)
        if _CHECKSUM_FIELDS.isdisjoint(self.headers.by_name):
            return expected
        return expected + checksums_from_headers(self.headers, partial=partial)[:1]

    def last_modified(self, now: float) -> float | None:
        """The server's Last-Modified in epoch seconds; None without a valid one."""
        text = self.headers.get("last-modified")
        return parse_http_date(text, now) if text else None

    def success(self, status: int, now: float, body: Body) -> Response:
        """The outcome for a response that came completely, whatever its status."""
        ttfb = self._head_at - self._sent_at
        return Response(
            self._result_request(0), status, self.headers, body, self.started_at, ttfb, now - self.started_at
        )

    def failure(self, kind: ErrorKind, detail: str, now: float, *, permanent: bool) -> Failure:
        """The outcome for everything else. `permanent`: a retry would fail in the same way."""
        # A file of many GB over a bad line needs more attempts than the retry limit allows. An attempt that made
        # progress therefore resets the count; its number moves to `uncounted_attempts`, for the manifest.
        made_progress = self.resumed and (self.received >= MIN_PROGRESS_BYTES or self.filled_gap)
        uncounted = self.request.attempt if made_progress and not permanent else 0
        return Failure(
            self._result_request(uncounted),
            kind,
            detail,
            status=self._status,
            headers=self.headers,
            started_at=self.started_at,
            elapsed=now - self.started_at,
            received=self.received,
            permanent=permanent,
        )

    def _result_request(self, uncounted: int) -> Request:
        """The request with an entry that knows what happened, so that a retry starts from there."""
        if not self._history and not uncounted and self.entry.path == self._original_path:
            return self.request
        entry = self.entry._replace(
            history=(*self.entry.history, *self._history)[-MAX_HISTORY:],
            uncounted_attempts=self.entry.uncounted_attempts + uncounted,
        )
        return replace(self.request, entry=entry, attempt=0 if uncounted else self.request.attempt)
