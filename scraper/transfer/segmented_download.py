"""Brings one large file over several connections, where one alone is slow and its host has places to spare.

The stream that the transfer began with is the lead. It appends to the part and hashes as it goes, as if it were alone;
most files never see anything else. When it proves slow, the largest share of what is missing is divided in two, and
another stream asks for the second half. What makes that safe:

- **Nothing is divided before the proof.** A segment's answer must be a 206 with exactly its range, the known total and
  the validators of the first answer (`resume.segment_mismatch`). Until then the share it is to take from is left as it
  is, so
  an answer that proves nothing costs nothing: it is closed, and the stream that was there simply goes on.
- **The note speaks of ranges before the first byte lies behind a gap**, and only of bytes whose write has returned.
  From then on it, and not the part's length, says what a later attempt may believe (notes.py).
- **Hashes need bytes in order.** The lead hashes what it writes; once it has ended, what others have written is read
  again behind it, as far as there is no gap.

Segments ask `SlotProvider` before they ask the server, and the answer is never "wait". A stream that fails leaves a
gap: it
is filled by a further stream, or in the place of the last one when that ends well. When the last one fails, so does
the attempt, and the next one asks for the gaps alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial as bound

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

RunStream = Callable[[], Awaitable[Outcome]]
"""Brings a share from beginning to end."""


class _SegmentRejected(httpx.RemoteProtocolError):
    """An answer that is no piece of this file: `answer`, and `why`."""

    def __init__(self, answer: RawResponse, why: str) -> None:
        super().__init__(f"a segment was refused: {why}")
        self.response = answer


@dataclass(frozen=True, slots=True)
class SegmentDependencies:
    """What a file in segments needs of its fetcher. `ask` sends one request for the transfer's URL."""

    settings: SegmentSettings
    slots: SlotProvider
    writer: StreamWriter
    storage: FileStorage
    send: Callable[[RangeRequest], Awaitable[RawResponse]]
    now: Callable[[], float]


class SegmentedDownload:
    """The streams of one file, of which `held` is here already: use it once."""

    def __init__(self, transfer: DownloadAttempt, held: SegmentMap, tools: SegmentDependencies) -> None:
        self._transfer, self._map = transfer, held
        self._tools, self._settings, self._slots = tools, tools.settings, tools.slots
        self._host = transfer.request.url.host
        self._coding = transfer.headers.get("content-encoding")
        self._active: dict[asyncio.Task[None], Segment] = {}
        self._pending: asyncio.Task[None] | None = None
        self._slots_held = 0
        self._stream_count = 0
        self._first_segment: Segment | None = None
        self._last_outcome: Outcome | None = None
        self._last_error: Exception | None = None
        self._fatal_error: Exception | None = None
        self._failures = 0
        self._no_more_segments = False
        self._changed = asyncio.Event()
        self._throughput = ThroughputMonitor(tools.settings, transfer, tools.now())

    async def run(self, response: RawResponse, request: RangeRequest) -> None:
        """Bring all that is missing; `answer` is the first one, to `ask`, and proven to belong to the part.

        Raises what the last stream has raised, `TruncatedResponse` when a gap must wait for another attempt, and as
        `Storage.translated`. What came is kept and noted, however it ends.
        """
        lead = Segment(request.offset, self._map.total if request.stop is None else request.stop)
        lead.end = MAX_OFFSET if response.content_length is None else request.offset + response.content_length
        done = False
        try:
            async with asyncio.TaskGroup() as group:
                self._first_segment = lead
                self._spawn(group, bound(self._write_body, response, lead, self._map.part.append), lead)
                error = await self._supervise(group, request)
                for task in (*self._active, *([self._pending] if self._pending else ())):
                    task.cancel()
            if error is not None:
                raise error
            done = True
        finally:
            while self._slots_held:
                self._release_slot(_canceled_outcome(self._transfer, self._tools.now()))
            if self._map.saves_ranges and not done:
                with suppress(SinkError, FileWriteError):  # the older note stays: it claims less, and nothing wrong
                    await self._map.save(())
        if self._stream_count > 1:
            self._transfer.add_history(f"in {self._stream_count} segments")

    # -- watching

    async def _supervise(self, group: asyncio.TaskGroup, first: RangeRequest) -> Exception | None:
        """Look after the streams until the file is whole (None), or until it cannot become so in this attempt."""
        now = self._tools.now
        due = now() + self._settings.slow_after
        while True:
            self._changed.clear()
            if self._fatal_error is not None:
                return self._fatal_error
            try:
                if not self._active and self._pending is None:
                    if not self._map.present.missing(self._map.total):
                        await self._map.hash_rest()
                        return None
                    if (error := self._fill_gap(group, first)) is not None:
                        return error
                elif now() >= due:
                    await self._rebalance(group, first)
                    due = now() + self._settings.check_interval
            except (SinkError, FileWriteError) as error:
                return error
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - now())):
                    await self._changed.wait()

    def _fill_gap(self, group: asyncio.TaskGroup, first: RangeRequest) -> Exception | None:
        """Nobody is at work and something is missing: fill the first gap in the place of who ended last.

        Return why that cannot be.
        """
        if self._last_error is not None:
            if isinstance(self._last_error, _SegmentRejected) and self._last_error.response.status >= 400:
                self._transfer.on_response(
                    self._last_error.response
                )  # what the server asks of us goes with the failure
            return self._last_error
        assert self._last_outcome is not None, "somebody was at work"
        task = next_segment(self._map.present, self._map.total, (), self._settings.min_segment_bytes)
        assert task is not None, "what is missing is a gap"
        if not self._slots.renew(self._host, self._last_outcome):
            have, total = self._map.present.size, self._map.total
            return TruncatedResponse(f"{have} bytes are here of {total}: the rest must wait for its turn")
        self._start_segment(group, task, first)
        return None

    async def _rebalance(self, group: asyncio.TaskGroup, first: RangeRequest) -> None:
        """Hash and note what has come, and decide whether there should be more streams, or fewer."""
        if self._first_segment not in self._active.values():
            self._map.add_written(self._active.values())
            await self._map.hash_available()
        if self._map.saves_ranges:
            await self._map.save(self._active.values(), self._settings.save_interval)
        if self._slots_held and len(self._active) > 1 and self._slots.contended(self._host):
            share = list(self._active.values())[-1]
            share.stop = share.at  # the next piece ends it; others will fill the gap
        elif self._should_add_segment():
            task = next_segment(
                self._map.present, self._map.total, self._active.values(), self._settings.min_segment_bytes
            )
            if task is not None and self._slots.acquire(self._host):
                self._slots_held += 1
                self._throughput.segment_requested(self._tools.now())
                self._start_segment(group, task, first)

    def _should_add_segment(self) -> bool:
        settings, now = self._settings, self._tools.now()
        if self._no_more_segments or self._pending is not None or not 0 < len(self._active) < settings.max_streams:
            return False
        left = self._map.remaining(self._active.values())
        if left < settings.min_file_bytes or self._failures >= settings.max_failures:
            return False
        # The file is whole when the largest share is, however soon the others end.
        last = max(share.remaining for share in self._active.values()) * len(self._active)
        if not self._throughput.is_slow(max(left, last), len(self._active), now):
            return False
        self._no_more_segments = not self._throughput.last_segment_helped(now)
        return not self._no_more_segments

    # -- streams

    def _spawn(self, group: asyncio.TaskGroup, stream: RunStream, share: Segment | None = None) -> None:
        task = group.create_task(self._run_stream(stream))
        if share is None:
            self._pending = task
        else:
            self._stream_count += 1
            self._active[task] = share

    def _start_segment(self, group: asyncio.TaskGroup, task: SegmentSpec, first: RangeRequest) -> None:
        # If-Range goes with a segment just when it went with the first request, or nothing but the whole was asked for.
        validator = first.if_range if first.has_range else self._map.validators.for_if_range
        ask = RangeRequest(task.range.start, if_range=validator, stop=task.range.stop)
        self._spawn(group, bound(self._download_segment, ask, task.split_from))

    async def _run_stream(self, stream: RunStream) -> None:
        """One stream from beginning to end, whatever that is."""
        me = asyncio.current_task()
        assert me is not None
        error: Exception | None = None
        ended: Outcome | None = None
        try:
            ended = await stream()
        except (SinkError, FileWriteError) as trouble:
            self._fatal_error = trouble
        except Exception as trouble:  # noqa: BLE001  kept, and raised when nobody is left who could mend it
            error = trouble
            self._failures += 1
        finally:
            if self._pending is me:
                self._pending = None
            if (share := self._active.pop(me, None)) is not None:
                self._map.add_written((share,))
                self._transfer.closed_a_gap |= share.written == share.stop
            self._last_error = error
            self._last_outcome = ended or self._outcome_of(error)
            if self._slots_held:
                self._release_slot(self._last_outcome)
            self._throughput.segment_ended(self._tools.now())
            self._changed.set()

    async def _download_segment(self, ask: RangeRequest, parent: Segment | None) -> Outcome:
        """Ask for a range, and bring it if the answer proves to be a piece of this file."""
        answer = await self._tools.send(ask)
        try:
            headers = Headers(answer.headers)
            why = segment_mismatch(ask, self._map.validators, self._coding, answer.status, headers)
            if not why and parent is not None and parent.at > ask.offset:
                why = "it came too late"
            if why:
                self._no_more_segments = True
                self._transfer.add_history(f"not in segments: {why}")
                raise _SegmentRejected(answer, why)
            share = self._register_segment(ask, parent, answer.content_length)
            if not self._map.saves_ranges:
                await self._map.save(self._active.values())
            return await self._write_body(answer, share, self._map.part.write_at)
        finally:
            if (closing := answer.close()) is not None:
                await close_quietly(closing)

    def _register_segment(self, ask: RangeRequest, parent: Segment | None, length: int | None) -> Segment:
        assert ask.stop is not None, "segments are bounded"
        share = Segment(ask.offset, ask.stop)
        share.end = MAX_OFFSET if length is None else ask.offset + length
        if parent is not None:
            parent.stop = min(parent.stop, ask.offset)
        me, self._pending = self._pending, None
        assert me is not None, "this task is opening"
        self._active[me] = share
        self._stream_count += 1
        self._throughput.segment_started(self._tools.now())
        return share

    async def _write_body(self, answer: RawResponse, share: Segment, write: WriteAtOffset) -> Outcome:
        await self._tools.writer.write_body(self._transfer, answer, share, write, b"", self._map.total)
        if share.at < share.stop:
            raise TruncatedResponse(f"{share.at - share.start} bytes came of {share.stop - share.start}")
        return self._success(answer, share.at - share.start)

    def _success(self, answer: RawResponse, size: int) -> Response:
        body = Body(size, size, "sha256:", b"")
        return Response(self._transfer.request, answer.status, Headers(answer.headers), body, self._transfer.started_at)

    def _outcome_of(self, error: Exception | None) -> Outcome:
        now = self._tools.now()
        if error is None:
            return _canceled_outcome(self._transfer, now)
        if isinstance(error, _SegmentRejected):
            return self._success(error.response, 0)
        trouble = classify_error(error)
        return self._transfer.failure(trouble.kind, trouble.detail, now, permanent=trouble.permanent)

    def _release_slot(self, outcome: Outcome) -> None:
        self._slots_held -= 1
        self._slots.release(self._host, outcome)


def _canceled_outcome(transfer: DownloadAttempt, now: float) -> Failure:
    return transfer.failure(ErrorKind.OTHER, "given up", now, permanent=True)
