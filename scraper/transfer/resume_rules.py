"""How an interrupted download is continued or started again: the rules, without I/O.

A file made of two versions is worse than no file, and many programs make one: they send `Range` and append what comes.
Here a part file is continued only when something proves that the rest belongs to it:

- The part has a strong ETag, or a Last-Modified at least `STRONG_DATE_SECONDS` older than the Date of its response (RFC
  9110 8.8.2.2). It is sent in `If-Range`. The 206 must begin where the part ends, with the same total and validators.
- Without such a validator, or at another origin, the last `OVERLAP_BYTES` of the part are requested again and compared.

What other responses mean:

    200, same ETag           The server ignores Range, or ignores it beside If-Range: one request without If-Range.
    200, another ETag        The file has changed. This response has the new version: store it from its start.
      and the same length    Some CDNs make a new ETag for each response. A second request finds out: if it brings a
                             third ETag, ETags say nothing here, and length and overlap decide.
    206 that does not match  Delete the part, request the whole file.
    416                      The part is complete if it is as long as the file; else delete it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from scraper.model import Headers
from scraper.politeness.http_date import parse_http_date
from scraper.transfer.byte_ranges import ByteRange

# Bytes of the part that are requested again and compared when no validator identifies its version.
OVERLAP_BYTES = 64 * 1024
# Last-Modified has a resolution of one second: a file that was written twice in that second has one date for two
# versions. A date this many seconds before Date is strong (RFC 9110 8.8.2.2).
STRONG_DATE_SECONDS = 60.0
# The probe for ETags that change with each response costs a request: not for parts smaller than this.
MIN_PROBE_BYTES = 1024 * 1024

_CONTENT_RANGE = re.compile(r"bytes\s+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.IGNORECASE)
_UNSATISFIED_RANGE = re.compile(r"bytes\s+\*/([0-9]{1,18})", re.IGNORECASE)
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')


class Validators(NamedTuple):
    """What a response says about the version of the file it sends (RFC 9110 8.8).

    `etag` is a strong ETag. `last_modified` is the field as sent; `is_strong_date`: it identifies a version. `total` is
    the length of the file in bytes.
    """

    etag: str | None = None
    last_modified: str | None = None
    is_strong_date: bool = False
    total: int | None = None

    @property
    def for_if_range(self) -> str | None:
        """The validator for If-Range; None when there is no strong one."""
        return self.etag or (self.last_modified if self.is_strong_date else None)


@dataclass(frozen=True, slots=True)
class PartState:
    """What is present of an unfinished file: its first `size` bytes, from `origin`, of the version `validators`.

    `ranges` are all ranges that are present of a file that was downloaded in segments, with the first `size` bytes;
    None for a file that one stream has downloaded.
    """

    origin: str
    validators: Validators
    size: int
    ranges: tuple[ByteRange, ...] | None = None

    @property
    def first_gap_stop(self) -> int | None:
        """Where the first gap ends; None when nothing is present behind it."""
        return self.ranges[1].start if self.ranges is not None and len(self.ranges) > 1 else None


# What a request is to find out: "without_if_range": does the server support Range at all? "etag_rotation": does it make
# a new ETag for each response?
Probe = Literal["", "without_if_range", "etag_rotation"]


class RangeRequest(NamedTuple):
    """A request for the bytes from `offset` up to, not including, `stop`; None is the end of the file.

    The first `overlap` bytes are present already and will be compared. `if_range` is the validator to send. `probe` is
    what the request is to find out, `seen_etag` the ETag of the response that led to it. With all defaults it requests
    the whole file, without Range.
    """

    offset: int = 0
    overlap: int = 0
    if_range: str | None = None
    probe: Probe = ""
    seen_etag: str | None = None
    stop: int | None = None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The fields Range and If-Range (RFC 9110 14.2, 13.1.5)."""
        if not self.has_range:
            return []
        value = b"bytes=%d-" % self.offset if self.stop is None else b"bytes=%d-%d" % (self.offset, self.stop - 1)
        fields = [(b"Range", value)]
        if self.if_range is not None:
            fields.append((b"If-Range", self.if_range.encode("latin-1", "replace")))
        return fields

    @property
    def has_range(self) -> bool:
        """Whether Range is sent."""
        return self.offset > 0 or self.overlap > 0 or self.stop is not None


WHOLE_FILE = RangeRequest()


class Continue(NamedTuple):
    """The body begins at `RangeRequest.offset` of the file; its first `overlap` bytes are to be compared."""


class Restart(NamedTuple):
    """The body is the whole file: store it from its start. `reason` is empty when there was no part to continue."""

    reason: str = ""


class RetryWith(NamedTuple):
    """Close the response and send `request` instead. `delete_part`: the part cannot be continued, for `reason`."""

    request: RangeRequest
    delete_part: bool
    reason: str


class PartComplete(NamedTuple):
    """The part is the whole file already."""


Decision = Continue | Restart | RetryWith | PartComplete


def validators_of(headers: Headers, total: int | None, now: float) -> Validators:
    """The validators of a response to a file of `total` bytes; `now` (epoch seconds) replaces a missing Date."""
    etag, modified = headers.get("etag"), headers.get("last-modified")
    changed = parse_http_date(modified, now) if modified else None
    sent = parse_http_date(headers.get("date") or "", now) or now
    is_strong = changed is not None and sent - changed >= STRONG_DATE_SECONDS
    strong_etag = etag if etag and _STRONG_ETAG.fullmatch(etag) else None
    return Validators(strong_etag, modified if changed is not None else None, is_strong, total)


def plan_request(state: PartState | None, origin: str) -> RangeRequest:
    """The request for what is missing of `state`, to be sent to `origin`."""
    if state is None or state.size <= 0:
        return WHOLE_FILE
    total, validator = state.validators.total, state.validators.for_if_range
    if total is not None and state.size > total:
        return WHOLE_FILE
    # Mirrors make their own ETags: a validator means nothing at another origin.
    if validator is not None and origin == state.origin:
        return RangeRequest(state.size, if_range=validator, stop=state.first_gap_stop)
    return _overlap_request(state)


def _overlap_request(state: PartState, probe: Probe = "", seen_etag: str | None = None) -> RangeRequest:
    overlap = min(OVERLAP_BYTES, state.size)
    return RangeRequest(state.size - overlap, overlap, None, probe, seen_etag)


def evaluate_response(
    request: RangeRequest, state: PartState | None, status: int, headers: Headers, length: int | None
) -> Decision:
    """What to do with a response of `status` 200, 206 or 416 to `request`; `length` is its Content-Length."""
    if state is None or not request.has_range:
        if status == 200:
            return Restart()
        return RetryWith(WHOLE_FILE, True, f"status {status} in response to a request without Range")
    if status == 416:
        return _evaluate_416(request, state, headers)
    if status == 206:
        return _evaluate_206(request, state, headers)
    return _evaluate_200(request, state, headers, length)


def _evaluate_206(request: RangeRequest, state: PartState, headers: Headers) -> Decision:
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range") or "")
    if found is None:
        return RetryWith(WHOLE_FILE, True, "206 without a usable Content-Range")
    # 1. The range must be the one that was requested.
    start, end, total = int(found[1]), int(found[2]), None if found[3] == "*" else int(found[3])
    known = state.validators.total
    if start != request.offset or end < start or (total is not None and end >= total):
        return RetryWith(WHOLE_FILE, True, "206 with another range than requested")
    # 2. The file must have the same length.
    if (known is not None and total != known) or (known is None and total is not None and total < state.size):
        return RetryWith(WHOLE_FILE, True, "changed: its length is different now")
    # 3. The validators must be the same, unless the overlap decides.
    etag, known_etag = headers.get("etag"), state.validators.etag
    if request.probe == "etag_rotation":
        # Two responses with the same ETag: it does not rotate, so the file has changed.
        if etag != request.seen_etag:
            return Continue()
        return RetryWith(WHOLE_FILE, True, "changed: its ETag is different now")
    if request.probe == "without_if_range" and known_etag is not None and etag != known_etag:
        return RetryWith(WHOLE_FILE, True, "changed: its ETag is different now")
    if etag is not None and known_etag is not None and etag != known_etag and not request.overlap:
        return RetryWith(WHOLE_FILE, True, "changed: its ETag is different now")
    if (known_etag is None or etag is None) and _last_modified_differs(state, headers) and not request.overlap:
        return RetryWith(WHOLE_FILE, True, "changed: its Last-Modified is different now")
    return Continue()


def _evaluate_200(request: RangeRequest, state: PartState, headers: Headers, length: int | None) -> Decision:
    etag, known_etag = headers.get("etag"), state.validators.etag
    if request.probe or request.if_range is None:
        return Restart("the server does not support ranges")
    same = etag == known_etag if known_etag is not None else not _last_modified_differs(state, headers)
    if same:
        without_if_range = RangeRequest(state.size, 0, None, "without_if_range", etag, state.first_gap_stop)
        return RetryWith(without_if_range, False, "the server ignored Range with If-Range")
    may_rotate = (
        known_etag is not None
        and etag is not None
        and length is not None
        and length == state.validators.total
        and state.size >= MIN_PROBE_BYTES
        and not _last_modified_differs(state, headers)
    )
    if may_rotate:
        return RetryWith(_overlap_request(state, "etag_rotation", etag), False, "another ETag with the same length")
    return Restart("changed: its ETag or Last-Modified is different now")


def _evaluate_416(request: RangeRequest, state: PartState, headers: Headers) -> Decision:
    found = _UNSATISFIED_RANGE.fullmatch(headers.get("content-range") or "")
    etag, known_etag = headers.get("etag"), state.validators.etag
    is_end = found is not None and int(found[1]) == state.size == request.offset
    contradicted = etag is not None and known_etag is not None and etag != known_etag
    # When If-Range does not match, a server ignores Range (RFC 9110 13.1.5). So a 416 means that it did match.
    confirmed = request.if_range is not None or (known_etag is not None and etag == known_etag)
    if is_end and confirmed and not contradicted and state.first_gap_stop is None:
        return PartComplete()
    return RetryWith(WHOLE_FILE, True, "changed: the part is longer than the file at the server")


def segment_mismatch(
    request: RangeRequest, validators: Validators, coding: str | None, status: int, headers: Headers
) -> str:
    """Why the response to a bounded range does not belong to the version `validators`; empty when it does.

    Stricter than `evaluate_response`: the other segments go on, so a rejected one costs nothing. `coding` is the
    Content-Encoding of the first response.
    """
    if status != 206:
        return f"status {status} in response to a range request"
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range") or "")
    if found is None or found[3] == "*":
        return "206 without a usable Content-Range"
    if (int(found[1]), int(found[2]) + 1, int(found[3])) != (request.offset, request.stop, validators.total):
        return "206 with another range than requested"
    etag, modified = headers.get("etag"), headers.get("last-modified")
    if etag != validators.etag and (validators.etag is not None or _STRONG_ETAG.fullmatch(etag or "")):
        return "its ETag is different"
    # RFC 9110 15.3.7: beside an ETag, a 206 need not repeat Last-Modified.
    if validators.last_modified not in (None, modified) and (validators.etag is None or modified is not None):
        return "its Last-Modified is different"
    if headers.get("content-encoding") != coding:
        return "its Content-Encoding is different"
    return ""


def _last_modified_differs(state: PartState, headers: Headers) -> bool:
    now, then = headers.get("last-modified"), state.validators.last_modified
    return now is not None and then is not None and now != then
