"""How an interrupted transfer goes on, or begins anew: the rules, without I/O.

A file that is spliced from two versions is worse than none, and most tools make one: they send `ByteRange` and append
whatever comes. Here a part is continued only when something proves that the rest belongs to it:

- A strong ETag, or a Last-Modified at least `STRONG_DATE_SECONDS` seconds older than the answer's Date (RFC 9110
8.8.2.2), is sent
  in `If-Range`; the 206 must begin where the part ends and state the same total and the same validators.
- Without such a validator, or at another origin, the last `OVERLAP_BYTES` bytes of the part are asked for again and
compared.

Answers that are no proof, and what then:

    200, same ETag           the server ignores Range, or dislikes If-Range: a plain Range is tried once
    200, other ETag          the entity has changed, and this answer is the new one: it is taken from its start.
      and same length        some CDNs make an ETag for every request. When a second probe brings a third ETag that is
                             what we see, and length and overlap decide
    206, wrong in any way    the part is dropped and the whole is asked for
    416                      the part is whole if it is as long as the entity is said to be, else it is dropped
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from scraper.model import Headers
from scraper.politeness.http_date import parse_http_date
from scraper.transfer.byte_ranges import ByteRange

# Bytes of the part that are asked for again where no validator vouches for it.
OVERLAP_BYTES = 64 * 1024
# Seconds that a Last-Modified must lie before Date to tell versions apart: its clock ticks in seconds.
STRONG_DATE_SECONDS = 60.0
# Bytes of a part that are worth a probe for ETags that change with every request.
MIN_PROBE_BYTES = 1024 * 1024

_CONTENT_RANGE = re.compile(r"bytes\s+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.IGNORECASE)
_UNSATISFIED_RANGE = re.compile(r"bytes\s+\*/([0-9]{1,18})", re.IGNORECASE)
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')


class Validators(NamedTuple):
    """What an answer said about the version of the entity it sent. `etag` is a strong one, `total` is bytes.

    `settled`: `modified` (Last-Modified as sent) is old enough to tell versions apart.
    """

    etag: str | None = None
    last_modified: str | None = None
    is_strong_date: bool = False
    total: int | None = None

    @property
    def for_if_range(self) -> str | None:
        """What can be sent in If-Range; None when nothing tells versions apart."""
        return self.etag or (self.last_modified if self.is_strong_date else None)


@dataclass(frozen=True, slots=True)
class PartState:
    """The first `size` bytes of a file that came from `origin` as `version`.

    `ranges` is all that is here of a file that was fetched in segments, the first `size` bytes included; None when
    nothing else can be here.
    """

    origin: str
    validators: Validators
    size: int
    ranges: tuple[ByteRange, ...] | None = None

    @property
    def first_gap_stop(self) -> int | None:
        """Where the first gap ends; None when the entity's end is its end."""
        return self.ranges[1].start if self.ranges is not None and len(self.ranges) > 1 else None


Probe = Literal["", "plain", "shifting"]


class RangeRequest(NamedTuple):
    """How to ask: from byte `offset` on (0 for the whole, without Range), of which the first `overlap` are ours.

    `if_range` is the validator to send. `probe` says what this request is to find out, `seen` is the ETag of the
    answer that raised the question. `stop` is the first byte that is not wanted any more, None for all the rest.
    """

    offset: int = 0
    overlap: int = 0
    if_range: str | None = None
    probe: Probe = ""
    seen_etag: str | None = None
    stop: int | None = None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The header fields that say so."""
        if not self.has_range:
            return []
        wanted = b"bytes=%d-" % self.offset if self.stop is None else b"bytes=%d-%d" % (self.offset, self.stop - 1)
        fields = [(b"Range", wanted)]
        if self.if_range is not None:
            fields.append((b"If-Range", self.if_range.encode("latin-1", "replace")))
        return fields

    @property
    def has_range(self) -> bool:
        """Whether a part of the entity is asked for."""
        return self.offset > 0 or self.overlap > 0 or self.stop is not None


WHOLE_FILE = RangeRequest()


class Continue(NamedTuple):
    """The answer goes on from `Ask.offset`; its first `Ask.overlap` bytes are to be compared."""


class Restart(NamedTuple):
    """The answer is the whole entity: take it from its start. `why` is empty when there was nothing to resume."""

    reason: str = ""


class RetryWith(NamedTuple):
    """Close the answer and ask as `ask` says. `drop`: the part is of no use (`why`)."""

    request: RangeRequest
    delete_part: bool
    reason: str


class PartComplete(NamedTuple):
    """The part is the whole entity."""


Decision = Continue | Restart | RetryWith | PartComplete


def validators_of(headers: Headers, total: int | None, now: float) -> Validators:
    """The version that an answer belongs to; `now` (epoch seconds) stands in for a missing Date."""
    etag, modified = headers.get("etag"), headers.get("last-modified")
    changed = parse_http_date(modified, now) if modified else None
    sent = parse_http_date(headers.get("date") or "", now) or now
    settled = changed is not None and sent - changed >= STRONG_DATE_SECONDS
    strong = etag if etag and _STRONG_ETAG.fullmatch(etag) else None
    return Validators(strong, modified if changed is not None else None, settled, total)


def plan_request(partial: PartState | None, origin: str) -> RangeRequest:
    """How to ask `origin` for what is missing of `partial`."""
    if partial is None or partial.size <= 0:
        return WHOLE_FILE
    version = partial.validators
    if version.total is not None and partial.size > version.total:
        return WHOLE_FILE
    validator = version.for_if_range
    if validator is not None and origin == partial.origin:
        return RangeRequest(partial.size, if_range=validator, stop=partial.first_gap_stop)
    return _overlap_request(partial)


def _overlap_request(partial: PartState, probe: Probe = "", seen: str | None = None) -> RangeRequest:
    overlap = min(OVERLAP_BYTES, partial.size)
    return RangeRequest(partial.size - overlap, overlap, None, probe, seen)


def evaluate_response(
    request: RangeRequest, partial: PartState | None, status: int, headers: Headers, length: int | None
) -> Decision:
    """What an answer of `status` 200, 206 or 416 to `ask` means; `length` is its Content-Length."""
    if partial is None or not request.has_range:
        return (
            Restart()
            if status == 200
            else RetryWith(WHOLE_FILE, True, f"the server answered {status} to a plain request")
        )
    if status == 416:
        return _evaluate_416(request, partial, headers)
    if status == 206:
        return _evaluate_206(request, partial, headers)
    return _evaluate_200(request, partial, headers, length)


def _evaluate_206(ask: RangeRequest, partial: PartState, headers: Headers) -> Decision:
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range") or "")
    if found is None:
        return RetryWith(WHOLE_FILE, True, "206 without a usable Content-Range")
    start, end, total = int(found[1]), int(found[2]), None if found[3] == "*" else int(found[3])
    known = partial.validators.total
    if start != ask.offset or end < start or (total is not None and end >= total):
        return RetryWith(WHOLE_FILE, True, "206 with another range than asked for")
    if (known is not None and total != known) or (known is None and total is not None and total < partial.size):
        return RetryWith(WHOLE_FILE, True, "changed: its length is another now")
    etag, ours = headers.get("etag"), partial.validators.etag
    if ask.probe == "shifting":
        # Two requests a moment apart: equal ETags mean that the entity did change, and this is the new one.
        return Continue() if etag != ask.seen_etag else RetryWith(WHOLE_FILE, True, "changed: its ETag is another now")
    if ask.probe == "plain" and ours is not None and etag != ours:
        return RetryWith(WHOLE_FILE, True, "changed: its ETag is another now")
    if etag is not None and ours is not None and etag != ours and not ask.overlap:
        return RetryWith(WHOLE_FILE, True, "changed: its ETag is another now")
    if (ours is None or etag is None) and _last_modified_differs(partial, headers) and not ask.overlap:
        return RetryWith(WHOLE_FILE, True, "changed: its Last-Modified is another now")
    return Continue()


def _evaluate_200(ask: RangeRequest, partial: PartState, headers: Headers, length: int | None) -> Decision:
    etag, ours = headers.get("etag"), partial.validators.etag
    if ask.probe or ask.if_range is None:
        return Restart("the server does not resume")
    same = etag == ours if ours is not None else not _last_modified_differs(partial, headers)
    if same:
        plain = RangeRequest(partial.size, 0, None, "plain", etag, partial.first_gap_stop)
        return RetryWith(plain, False, "the server ignored Range with If-Range")
    may_shift = (
        ours is not None
        and etag is not None
        and length is not None
        and length == partial.validators.total
        and partial.size >= MIN_PROBE_BYTES
        and not _last_modified_differs(partial, headers)
    )
    if may_shift:
        return RetryWith(_overlap_request(partial, "shifting", etag), False, "another ETag with the same length")
    return Restart("changed: its ETag or Last-Modified is another now")


def _evaluate_416(ask: RangeRequest, partial: PartState, headers: Headers) -> Decision:
    found = _UNSATISFIED_RANGE.fullmatch(headers.get("content-range") or "")
    etag, ours = headers.get("etag"), partial.validators.etag
    is_end = found is not None and int(found[1]) == partial.size == ask.offset
    contradicted = etag is not None and ours is not None and etag != ours
    # A server whose version is another ignores Range (RFC 9110 13.1.5), so a 416 to If-Range vouches for the part.
    vouched = ask.if_range is not None or (ours is not None and etag == ours)
    if is_end and vouched and not contradicted and partial.first_gap_stop is None:
        return PartComplete()
    return RetryWith(WHOLE_FILE, True, "changed: the part is longer than what the server has now")


def segment_mismatch(
    request: RangeRequest, validators: Validators, coding: str | None, status: int, headers: Headers
) -> str:
    """Why an answer to the bounded range `ask` is no piece of `version`; empty when it is one.

    Stricter than `judge`: the other pieces are on their way, so nothing is lost by refusing one. `coding` is the
    Content-Encoding that the others came with.
    """
    if status != 206:
        return f"a range was answered with {status}"
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range") or "")
    if found is None or found[3] == "*":
        return "206 without a usable Content-Range"
    if (int(found[1]), int(found[2]) + 1, int(found[3])) != (request.offset, request.stop, validators.total):
        return "206 with another range than asked for"
    etag, modified = headers.get("etag"), headers.get("last-modified")
    if etag != validators.etag and (validators.etag is not None or _STRONG_ETAG.fullmatch(etag or "")):
        return "its ETag is another"
    # RFC 9110 15.3.7: beside an ETag, a 206 need not repeat Last-Modified.
    if validators.last_modified not in (None, modified) and (validators.etag is None or modified is not None):
        return "its Last-Modified is another"
    if headers.get("content-encoding") != coding:
        return "its Content-Encoding is another"
    return ""


def _last_modified_differs(partial: PartState, headers: Headers) -> bool:
    now, then = headers.get("last-modified"), partial.validators.last_modified
    return now is not None and then is not None and now != then
