"""Downloads one large file over several connections, when one is slow and its host allows more.

The stream of the first response is the first segment. It appends to the part file and hashes as it goes; most files
never need more. When it is slow, the largest active segment is split in two, and another stream requests the second
half. Three rules make that safe:

1. Nothing is split before the proof. The response for a segment must be a 206 with exactly the range, the total length
   and the validators of the first response (`segment_mismatch`). Until then the segment to be split stays as it is, so
   a response that does not match is closed and costs nothing.
2. The metadata name ranges before the first byte is written behind a gap, and only bytes whose write has returned. From
   then on a later attempt believes them and not the length of the part (part_metadata.py).
3. Hashes need the bytes in order. The first segment hashes what it writes. After it has ended, what the other streams
   have written is read back, as far as there is no gap.

A stream needs a slot of its host (`SlotProvider`), which is given or refused at once, never waited for. A stream that
fails leaves a gap. Another stream fills it, or the last one to end, in its own slot. When the last stream fails, the
attempt fails, and the next attempt requests only the gaps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import httpx

from scraper.errors import SinkError
from scraper.fetch.error_mapping import classify_error
from scraper.fetch.interface import SlotProvider
from scraper.fetch.response_body import close_quietly
from scraper.model import Body, ErrorKind, Failure, Headers, Outcome, Response
from scraper.transfer.attempt import DownloadAttempt
from scraper.transfer.byte_ranges import MAX_OFFSET, Segment, SegmentSpec, next_segment
from scraper.transfer.file_storage import FileStorage, FileWriteError
from scraper.transfer.resume_rules import RangeRequest, segment_mismatch
from scraper.transfer.segment_map import SegmentMap
from scraper.transfer.stream_writer import StreamWriter, WriteAtOffset
from scraper.transfer.throughput import ThroughputMonitor
from scraper.transport.adapter import RawResponse
from scraper.transport.errors import TruncatedResponse
from scraper.transport.settings import SegmentSettings

# Downloads one segment from its request to its last byte.
RunStream = Callable[[], Awaitable[Outcome]]


class _SegmentRejected(httpx.RemoteProtocolError):
    """The response does not belong to this file, or is none that can be used."""

    def __init__(self, response: RawResponse, reason: str) -> None:
        super().__init__(f"a segment was rejected: {reason}")
        self.response = response


@dataclass(frozen=True, slots=True)
class SegmentDependencies:
    """What a segmented download needs from its fetcher. `send` sends one request for the attempt's URL."""

    settings: SegmentSettings
    slots: SlotProvider
    writer: StreamWriter
    storage: FileStorage
    send: Callable[[RangeRequest], Awaitable[RawResponse]]
    now: Callable[[], float]


class SegmentedDownload:
    """The streams of one file. `segment_map` says what is present already. Use it once."""

    def __init__(self, attempt: DownloadAttempt, segment_map: SegmentMap, needs: SegmentDependencies) -> None:
        self._attempt, self._map = attempt, segment_map
        self._needs, self._settings, self._slots = needs, needs.settings, needs.slots
        self._host = attempt.request.url.host
        self._coding = attempt.headers.get("content-encoding")
        # Streams whose body arrives, the one that was started last at the end.
        self._active: dict[asyncio.Task[None], Segment] = {}
        # The stream whose response has not been checked yet: one at most.
        self._pending: asyncio.Task[None] | None = None
        self._slots_held = 0
        self._stream_count = 0
        self._first_segment: Segment | None = None
        # How the stream that ended last ended. The error is None when it ended well.
        self._last_outcome: Outcome | None = None
        self._last_error: Exception | None = None
        # An error of the disk: no other stream can do better.
        self._fatal_error: Exception | None = None
        self._failures = 0
        self._no_more_segments = False
        self._changed = asyncio.Event()
        self._throughput = ThroughputMonitor(needs.settings, attempt, needs.now())

    async def run(self, response: RawResponse, request: RangeRequest) -> None:
        """Download everything that is missing. `response` is the first one, to `request`, and belongs to the part.

        Raises the error of the last stream; `TruncatedResponse` when a gap has to wait for another attempt; `SinkError`
        and `FileWriteError` for disk errors. What has arrived is kept and saved in every case.
        """
        first = Segment(request.offset, self._map.total if request.stop is None else request.stop)
        if response.content_length is None:
            first.body_end = MAX_OFFSET
        else:
            first.body_end = request.offset + response.content_length
        done = False
        try:
            async with asyncio.TaskGroup() as group:
                self._first_segment = first
                self._spawn(group, partial(self._write_body, response, first, self._map.part.append), first)
                error = await self._supervise(group, request)
                for task in (*self._active, *([self._pending] if self._pending else ())):
                    task.cancel()
            if error is not None:
                raise error
            done = True
        finally:
            while self._slots_held:
                self._release_slot(_canceled_outcome(self._attempt, self._needs.now()))
            if self._map.saves_ranges and not done:
                # If this fails, the metadata before it stay. They claim fewer bytes and nothing wrong.
                with suppress(SinkError, FileWriteError):
                    await self._map.save(())
        if self._stream_count > 1:
            self._attempt.add_history(f"in {self._stream_count} segments")

    # -- supervision

    async def _supervise(self, group: asyncio.TaskGroup, first: RangeRequest) -> Exception | None:
        """Return None when the file is complete, or the error for which this attempt cannot complete it."""
        now = self._needs.now
        next_check = now() + self._settings.slow_after
        while True:
            self._changed.clear()
            if self._fatal_error is not None:
                return self._fatal_error
            # Three cases:
            # 1. No stream is left: the file is complete, or one more stream fills the first gap.
            # 2. Streams are at work and a check is due: hash, save, add a stream or end one.
            # 3. Otherwise wait until a stream ends or the next check is due.
            try:
                if not self._active and self._pending is None:
                    if not self._map.present.missing(self._map.total):
                        await self._map.hash_rest()
                        return None
                    if (error := self._fill_gap(group, first)) is not None:
                        return error
                elif now() >= next_check:
                    await self._rebalance(group, first)
                    next_check = now() + self._settings.check_interval
            except (SinkError, FileWriteError) as error:
                return error
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, next_check - now())):
                    await self._changed.wait()

    def _fill_gap(self, group: asyncio.TaskGroup, first: RangeRequest) -> Exception | None:
        """Start a stream for the first gap, in the slot of the one that ended last; return why that is not possible."""
        if self._last_error is not None:
            if isinstance(self._last_error, _SegmentRejected) and self._last_error.response.status >= 400:
                # A 429 or 503 may carry Retry-After: the failure must have its header fields.
                self._attempt.on_response(self._last_error.response)
            return self._last_error
        assert self._last_outcome is not None, "a stream has ended"
        spec = next_segment(self._map.present, self._map.total, (), self._settings.min_segment_bytes)
        assert spec is not None, "what is missing is a gap"
        if not self._slots.renew(self._host, self._last_outcome):
            present, total = self._map.present.size, self._map.total
            return TruncatedResponse(f"{present} of {total} bytes are present; the host allows no request now")
        self._start_segment(group, spec, first)
        return None

    async def _rebalance(self, group: asyncio.TaskGroup, first: RangeRequest) -> None:
        """Hash and save what has arrived; then add a stream, end one, or do neither."""
        if self._first_segment not in self._active.values():
            self._map.add_written(self._active.values())
            await self._map.hash_available()
        if self._map.saves_ranges:
            await self._map.save(self._active.values(), self._settings.save_interval)
        if self._slots_held and len(self._active) > 1 and self._slots.contended(self._host):
            # Other requests of this host wait: free a slot. The stream ends at its next bytes, others fill the gap.
            newest = list(self._active.values())[-1]
            newest.stop = newest.position
        elif self._should_add_segment():
            spec = next_segment(
                self._map.present, self._map.total, self._active.values(), self._settings.min_segment_bytes
            )
            if spec is not None and self._slots.acquire(self._host):
                self._slots_held += 1
                self._throughput.segment_requested(self._needs.now())
                self._start_segment(group, spec, first)

    def _should_add_segment(self) -> bool:
        settings, now = self._settings, self._needs.now()
        if self._no_more_segments or self._pending is not None or not 0 < len(self._active) < settings.max_streams:
            return False
        remaining = self._map.remaining(self._active.values())
        if remaining < settings.min_file_bytes or self._failures >= settings.max_failures:
            return False
        # The file is complete when its largest segment is, however soon the others end.
        by_largest = max(segment.remaining for segment in self._active.values()) * len(self._active)
        if not self._throughput.is_slow(max(remaining, by_largest), len(self._active), now):
            return False
        self._no_more_segments = not self._throughput.last_segment_helped(now)
        return not self._no_more_segments

    # -- streams

    def _spawn(self, group: asyncio.TaskGroup, stream: RunStream, segment: Segment | None = None) -> None:
        """Start a task for `stream`. Without `segment` its response has to be checked first."""
        task = group.create_task(self._run_stream(stream))
        if segment is None:
            self._pending = task
        else:
            self._stream_count += 1
            self._active[task] = segment

    def _start_segment(self, group: asyncio.TaskGroup, spec: SegmentSpec, first: RangeRequest) -> None:
        # The first request may have left If-Range out because this server ignores ranges with it (see resume_rules.py):
        # then segments leave it out, too. The first response proves nothing about that if it was for the whole file.
        validator = first.if_range if first.has_range else self._map.validators.for_if_range
        request = RangeRequest(spec.range.start, if_range=validator, stop=spec.range.stop)
        self._spawn(group, partial(self._download_segment, request, spec.split_from))

    async def _run_stream(self, stream: RunStream) -> None:
        """The task of one stream: records how it ended and wakes `_supervise`. Raises only cancellation."""
        me = asyncio.current_task()
        assert me is not None
        failure: Exception | None = None
        ended: Outcome | None = None
        try:
            ended = await stream()
        except (SinkError, FileWriteError) as error:
            self._fatal_error = error
        except Exception as error:  # noqa: BLE001  kept: `_fill_gap` returns it when no other stream can help
            failure = error
            self._failures += 1
        finally:
            if self._pending is me:
                self._pending = None
            if (segment := self._active.pop(me, None)) is not None:
                self._map.add_written((segment,))
                self._attempt.filled_gap |= segment.written == segment.stop
            self._last_error = failure
            self._last_outcome = ended or self._outcome_of(failure)
            if self._slots_held:
                self._release_slot(self._last_outcome)
            self._throughput.segment_ended(self._needs.now())
            self._changed.set()

    async def _download_segment(self, request: RangeRequest, split_from: Segment | None) -> Outcome:
        """Request a range, and download it if the response belongs to this file."""
        response = await self._needs.send(request)
        try:
            headers = Headers(response.headers)
            reason = segment_mismatch(request, self._map.validators, self._coding, response.status, headers)
            if not reason and split_from is not None and split_from.position > request.offset:
                reason = "the other stream has reached its range"
            if reason:
                self._no_more_segments = True
                self._attempt.add_history(f"not in segments: {reason}")
                raise _SegmentRejected(response, reason)
            segment = self._register_segment(request, split_from, response.content_length)
            if not self._map.saves_ranges:
                # Rule 2: before a byte is written behind a gap.
                await self._map.save(self._active.values())
            return await self._write_body(response, segment, self._map.part.write_at)
        finally:
            if (closing := response.close()) is not None:
                await close_quietly(closing)

    def _register_segment(self, request: RangeRequest, split_from: Segment | None, length: int | None) -> Segment:
        """The proof is there: shorten the segment that is split, and count this stream as active."""
        assert request.stop is not None, "segments are bounded"
        segment = Segment(request.offset, request.stop)
        segment.body_end = MAX_OFFSET if length is None else request.offset + length
        if split_from is not None:
            split_from.stop = min(split_from.stop, request.offset)
        me, self._pending = self._pending, None
        assert me is not None, "called in the pending task"
        self._active[me] = segment
        self._stream_count += 1
        self._throughput.segment_started(self._needs.now())
        return segment

    async def _write_body(self, response: RawResponse, segment: Segment, write: WriteAtOffset) -> Outcome:
        await self._needs.writer.write_body(self._attempt, response, segment, write, b"", self._map.total)
        if segment.position < segment.stop:
            received, expected = segment.position - segment.start, segment.stop - segment.start
            raise TruncatedResponse(f"{received} of {expected} bytes were received")
        return self._success(response, segment.position - segment.start)

    def _success(self, response: RawResponse, size: int) -> Response:
        """An outcome for the host's gate alone; the file's outcome is made by the fetcher."""
        body = Body(size, size, "sha256:", b"")
        return Response(
            self._attempt.request, response.status, Headers(response.headers), body, self._attempt.started_at
        )

    def _outcome_of(self, error: Exception | None) -> Outcome:
        now = self._needs.now()
        if error is None:
            return _canceled_outcome(self._attempt, now)
        if isinstance(error, _SegmentRejected):
            return self._success(error.response, 0)
        kind, detail, permanent = classify_error(error)
        return self._attempt.failure(kind, detail, now, permanent=permanent)

    def _release_slot(self, outcome: Outcome) -> None:
        self._slots_held -= 1
        self._slots.release(self._host, outcome)


def _canceled_outcome(attempt: DownloadAttempt, now: float) -> Failure:
    return attempt.failure(ErrorKind.OTHER, "canceled", now, permanent=True)
