"""Brings one large file over several connections, where one alone is slow and its host has places to spare.

The stream that the transfer began with is the lead. It appends to the part and hashes as it goes, as if it were alone;
most files never see anything else. When it proves slow, the largest share of what is missing is divided in two, and
another stream asks for the second half. What makes that safe:

- **Nothing is divided before the proof.** A segment's answer must be a 206 with exactly its range, the known total and
  the validators of the first answer (`resume.disproof`). Until then the share it is to take from is left as it is, so
  an answer that proves nothing costs nothing: it is closed, and the stream that was there simply goes on.
- **The note speaks of ranges before the first byte lies behind a gap**, and only of bytes whose write has returned.
  From then on it, and not the part's length, says what a later attempt may believe (notes.py).
- **Hashes need bytes in order.** The lead hashes what it writes; once it has ended, what others have written is read
  again behind it, as far as there is no gap.

Segments ask `Places` before they ask the server, and the answer is never "wait". A stream that fails leaves a gap: it
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
from scraper.fetch.error_mapping import failure_of
from scraper.fetch.interface import Places
from scraper.model import Body, ErrorKind, Failure, Headers, Outcome, Page
from scraper.transfer.attempt import Transfer
from scraper.transfer.byte_ranges import LARGEST, Share, Task, next_task
from scraper.transfer.file_requests import let_go
from scraper.transfer.file_storage import FileTrouble, Storage
from scraper.transfer.resume_rules import Ask, disproof
from scraper.transfer.segment_map import Holdings
from scraper.transfer.speed_monitor import Pulse
from scraper.transfer.stream_writer import Pouring, Write
from scraper.transport.adapter import LeanAnswer
from scraper.transport.errors import Truncated
from scraper.transport.settings import SegmentSettings

Stream = Callable[[], Awaitable[Outcome]]
"""Brings a share from beginning to end."""


class _Refused(httpx.RemoteProtocolError):
    """An answer that is no piece of this file: `answer`, and `why`."""

    def __init__(self, answer: LeanAnswer, why: str) -> None:
        super().__init__(f"a segment was refused: {why}")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class SegmentTools:
    """What a file in segments needs of its fetcher. `ask` sends one request for the transfer's URL."""

    settings: SegmentSettings
    places: Places
    pouring: Pouring
    storage: Storage
    ask: Callable[[Ask], Awaitable[LeanAnswer]]
    now: Callable[[], float]


class Segments:
    """The streams of one file, of which `held` is here already: use it once."""

    def __init__(self, transfer: Transfer, held: Holdings, tools: SegmentTools) -> None:
        self._transfer, self._held = transfer, held
        self._tools, self._settings, self._places = tools, tools.settings, tools.places
        self._host = transfer.request.url.host
        self._coding = transfer.headers.get("content-encoding")
        self._shares: dict[asyncio.Task[None], Share] = {}
        self._opening: asyncio.Task[None] | None = None
        self._claims = 0
        self._streams = 0
        self._lead: Share | None = None
        self._last: Outcome | None = None
        self._error: Exception | None = None
        self._fatal: Exception | None = None
        self._failures = 0
        self._alone = False
        self._changed = asyncio.Event()
        self._pulse = Pulse(tools.settings, transfer, tools.now())

    async def bring(self, answer: LeanAnswer, ask: Ask) -> None:
        """Bring all that is missing; `answer` is the first one, to `ask`, and proven to belong to the part.

        Raises what the last stream has raised, `Truncated` when a gap must wait for another attempt, and as
        `Storage.translated`. What came is kept and noted, however it ends.
        """
        lead = Share(ask.offset, self._held.total if ask.stop is None else ask.stop)
        lead.end = LARGEST if answer.length is None else ask.offset + answer.length
        done = False
        try:
            async with asyncio.TaskGroup() as group:
                self._lead = lead
                self._begin(group, bound(self._pour, answer, lead, self._held.part.append), lead)
                error = await self._watch(group, ask)
                for task in (*self._shares, *([self._opening] if self._opening else ())):
                    task.cancel()
            if error is not None:
                raise error
            done = True
        finally:
            while self._claims:
                self._give_back(_given_up(self._transfer, self._tools.now()))
            if self._held.ranged and not done:
                with suppress(SinkError, FileTrouble):  # the older note stays: it claims less, and nothing wrong
                    await self._held.note(())
        if self._streams > 1:
            self._transfer.note(f"in {self._streams} segments")

    # -- watching

    async def _watch(self, group: asyncio.TaskGroup, first: Ask) -> Exception | None:
        """Look after the streams until the file is whole (None), or until it cannot become so in this attempt."""
        now = self._tools.now
        due = now() + self._settings.slow_after
        while True:
            self._changed.clear()
            if self._fatal is not None:
                return self._fatal
            try:
                if not self._shares and self._opening is None:
                    if not self._held.have.missing(self._held.total):
                        await self._held.hash_all()
                        return None
                    if (error := self._go_on(group, first)) is not None:
                        return error
                elif now() >= due:
                    await self._look(group, first)
                    due = now() + self._settings.again_after
            except (SinkError, FileTrouble) as error:
                return error
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - now())):
                    await self._changed.wait()

    def _go_on(self, group: asyncio.TaskGroup, first: Ask) -> Exception | None:
        """Nobody is at work and something is missing: fill the first gap in the place of who ended last.

        Return why that cannot be.
        """
        if self._error is not None:
            if isinstance(self._error, _Refused) and self._error.answer.status >= 400:
                self._transfer.head(self._error.answer)  # what the server asks of us goes with the failure
            return self._error
        assert self._last is not None, "somebody was at work"
        task = next_task(self._held.have, self._held.total, (), self._settings.least)
        assert task is not None, "what is missing is a gap"
        if not self._places.turn(self._host, self._last):
            have, total = self._held.have.size, self._held.total
            return Truncated(f"{have} bytes are here of {total}: the rest must wait for its turn")
        self._open(group, task, first)
        return None

    async def _look(self, group: asyncio.TaskGroup, first: Ask) -> None:
        """Hash and note what has come, and decide whether there should be more streams, or fewer."""
        if self._lead not in self._shares.values():
            self._held.add(self._shares.values())
            await self._held.hash_some()
        if self._held.ranged:
            await self._held.note(self._shares.values(), self._settings.note_after)
        if self._claims and len(self._shares) > 1 and self._places.wanted(self._host):
            share = list(self._shares.values())[-1]
            share.stop = share.at  # the next piece ends it; others will fill the gap
        elif self._worth_another():
            task = next_task(self._held.have, self._held.total, self._shares.values(), self._settings.least)
            if task is not None and self._places.claim(self._host):
                self._claims += 1
                self._pulse.add(self._tools.now())
                self._open(group, task, first)

    def _worth_another(self) -> bool:
        settings, now = self._settings, self._tools.now()
        if self._alone or self._opening is not None or not 0 < len(self._shares) < settings.most:
            return False
        left = self._held.left(self._shares.values())
        if left < settings.smallest or self._failures >= settings.failures:
            return False
        # The file is whole when the largest share is, however soon the others end.
        last = max(share.left for share in self._shares.values()) * len(self._shares)
        if not self._pulse.is_slow(max(left, last), len(self._shares), now):
            return False
        self._alone = not self._pulse.gained(now)
        return not self._alone

    # -- streams

    def _begin(self, group: asyncio.TaskGroup, stream: Stream, share: Share | None = None) -> None:
        task = group.create_task(self._work(stream))
        if share is None:
            self._opening = task
        else:
            self._streams += 1
            self._shares[task] = share

    def _open(self, group: asyncio.TaskGroup, task: Task, first: Ask) -> None:
        # If-Range goes with a segment just when it went with the first request, or nothing but the whole was asked for.
        validator = first.if_range if first.ranged else self._held.version.validator
        ask = Ask(task.range.start, if_range=validator, stop=task.range.stop)
        self._begin(group, bound(self._segment, ask, task.parent))

    async def _work(self, stream: Stream) -> None:
        """One stream from beginning to end, whatever that is."""
        me = asyncio.current_task()
        assert me is not None
        error: Exception | None = None
        ended: Outcome | None = None
        try:
            ended = await stream()
        except (SinkError, FileTrouble) as trouble:
            self._fatal = trouble
        except Exception as trouble:  # noqa: BLE001  kept, and raised when nobody is left who could mend it
            error = trouble
            self._failures += 1
        finally:
            if self._opening is me:
                self._opening = None
            if (share := self._shares.pop(me, None)) is not None:
                self._held.add((share,))
                self._transfer.closed_a_gap |= share.written == share.stop
            self._error = error
            self._last = ended or self._outcome_of(error)
            if self._claims:
                self._give_back(self._last)
            self._pulse.ended(self._tools.now())
            self._changed.set()

    async def _segment(self, ask: Ask, parent: Share | None) -> Outcome:
        """Ask for a range, and bring it if the answer proves to be a piece of this file."""
        answer = await self._tools.ask(ask)
        try:
            headers = Headers(answer.headers)
            why = disproof(ask, self._held.version, self._coding, answer.status, headers)
            if not why and parent is not None and parent.at > ask.offset:
                why = "it came too late"
            if why:
                self._alone = True
                self._transfer.note(f"not in segments: {why}")
                raise _Refused(answer, why)
            share = self._take_over(ask, parent, answer.length)
            if not self._held.ranged:
                await self._held.note(self._shares.values())
            return await self._pour(answer, share, self._held.part.write_at)
        finally:
            if (closing := answer.close()) is not None:
                await let_go(closing)

    def _take_over(self, ask: Ask, parent: Share | None, length: int | None) -> Share:
        assert ask.stop is not None, "segments are bounded"
        share = Share(ask.offset, ask.stop)
        share.end = LARGEST if length is None else ask.offset + length
        if parent is not None:
            parent.stop = min(parent.stop, ask.offset)
        me, self._opening = self._opening, None
        assert me is not None, "this task is opening"
        self._shares[me] = share
        self._streams += 1
        self._pulse.begun(self._tools.now())
        return share

    async def _pour(self, answer: LeanAnswer, share: Share, write: Write) -> Outcome:
        await self._tools.pouring.pour(self._transfer, answer, share, write, b"", self._held.total)
        if share.at < share.stop:
            raise Truncated(f"{share.at - share.start} bytes came of {share.stop - share.start}")
        return self._page(answer, share.at - share.start)

    def _page(self, answer: LeanAnswer, size: int) -> Page:
        body = Body(size, size, "sha256:", b"")
        return Page(self._transfer.request, answer.status, Headers(answer.headers), body, self._transfer.started_at)

    def _outcome_of(self, error: Exception | None) -> Outcome:
        now = self._tools.now()
        if error is None:
            return _given_up(self._transfer, now)
        if isinstance(error, _Refused):
            return self._page(error.answer, 0)
        trouble = failure_of(error)
        return self._transfer.failure(trouble.kind, trouble.detail, now, permanent=trouble.permanent)

    def _give_back(self, outcome: Outcome) -> None:
        self._claims -= 1
        self._places.release(self._host, outcome)


def _given_up(transfer: Transfer, now: float) -> Failure:
    return transfer.failure(ErrorKind.OTHER, "given up", now, permanent=True)
