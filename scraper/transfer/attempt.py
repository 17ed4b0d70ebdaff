"""One call for one file: what was asked, what has come of it so far, and what is told of it in the end."""

from __future__ import annotations

from dataclasses import replace

from scraper.model import Body, ErrorKind, Failure, Headers, Request, Response
from scraper.politeness.http_date import parse_http_date
from scraper.transfer.checksum import Checksum, checksums_from_headers
from scraper.transfer.entry_state import EntryState
from scraper.transport.adapter import RawResponse

# Bytes of progress that make a failed attempt not count against the retries.
MIN_PROGRESS_BYTES = 1024 * 1024
# Notes of one entry that the manifest tells, the latest ones.
MAX_HISTORY = 8

# Headers in which a server may state checksums: a look at the names is cheaper than a search for each.
_CHECKSUM_FIELDS = frozenset(
    [b"repr-digest", b"digest", b"content-md5", b"x-goog-hash"]
    + [b"x-amz-checksum-" + name for name in (b"sha512", b"sha256", b"sha1", b"md5")]
)


class DownloadAttempt:
    """One call of `fetch`: what was asked, what has come of it so far."""

    __slots__ = (
        "_head_at",
        "_notes",
        "_path",
        "_sent_at",
        "_status",
        "closed_a_gap",
        "headers",
        "held",
        "order",
        "received",
        "request",
        "resumed",
        "started_at",
        "unconditional",
    )

    def __init__(self, request: Request, order: EntryState, started_at: float) -> None:
        self.request, self.order, self.started_at = request, order, started_at
        self.headers = Headers()
        self.received = 0
        self.held = 0.0  # seconds that our own limits on the rate kept it waiting
        self.unconditional = self.resumed = self.closed_a_gap = False
        self._path = order.path
        self._notes: list[str] = []
        self._status: int | None = None
        self._sent_at = self._head_at = 0.0

    def on_response(self, response: RawResponse) -> None:
        """An answer has begun."""
        self.headers, self._status = Headers(response.headers), response.status
        self._sent_at, self._head_at = response.sent_at, response.head_at

    def rename_target(self, path: str) -> None:
        """The file gets another path; from now on it is ours."""
        self.order = self.order._replace(path=path, replace=True)

    def add_history(self, text: str) -> None:
        """Remember something for the manifest."""
        self._notes.append(text)

    def expected_checksums(self, *, partial: bool) -> list[Checksum]:
        """What the file must hash to: by the list, and by the strongest statement of the server."""
        expected = [listed] if (listed := self.order.expected) is not None else []
        if _CHECKSUM_FIELDS.isdisjoint(self.headers.by_name):
            return expected
        return expected + checksums_from_headers(self.headers, partial=partial)[:1]

    def last_modified(self, now: float) -> float | None:
        """When the file was changed last, says the server (epoch seconds)."""
        text = self.headers.get("last-modified")
        return parse_http_date(text, now) if text else None

    def success(self, status: int, now: float, body: Body) -> Response:
        """The outcome for a complete answer."""
        ttfb = self._head_at - self._sent_at
        return Response(
            self._result_request(0), status, self.headers, body, self.started_at, ttfb, now - self.started_at
        )

    def failure(self, kind: ErrorKind, detail: str, now: float, *, permanent: bool) -> Failure:
        """The outcome for anything else. An attempt that has brought a part on is not counted."""
        brought_on = self.resumed and (self.received >= MIN_PROGRESS_BYTES or self.closed_a_gap)
        forgiven = self.request.attempt if brought_on and not permanent else 0
        return Failure(
            self._result_request(forgiven),
            kind,
            detail,
            status=self._status,
            headers=self.headers,
            started_at=self.started_at,
            elapsed=now - self.started_at,
            received=self.received,
            permanent=permanent,
        )

    def _result_request(self, forgiven: int) -> Request:
        """The request with what was found out on the way."""
        if not self._notes and not forgiven and self.order.path == self._path:
            return self.request
        notes = (*self.order.notes, *self._notes)[-MAX_HISTORY:]
        order = self.order._replace(notes=notes, tries=self.order.tries + forgiven)
        attempt = 0 if forgiven else self.request.attempt
        return replace(self.request, label=order.label(), attempt=attempt)
