"""One connection to one origin: the asyncio protocol beneath every request.

How a connection lives
----------------------
It is made connected (`dial.py`), and from then on it is in one of three states:

    IDLE   waits in the pool. Whatever happens now ends it: bytes nobody asked for, the peer's goodbye, the end of its
           keep-alive time. It tells its keeper (`died`), so the pool never has to look whether it still lives.
    BUSY   carries one exchange. It ends in one of two ways: the answer is complete, or the exchange has failed.
           Either way the keeper is told once (`freed`) and finds out from `usable` whether to keep the connection.
    CLOSED for good. `gone` follows when the operating system has let go of the socket.

A BUSY connection reads the answer in steps, and `_step` is the method that takes the next bytes:

    _read_head    gather until the empty line; 1xx heads are counted and passed over; then one of
    _read_length  a body of known size: counting is all there is to do, no parser sees these bytes
    _read_chunks  llhttp undoes the chunks (`framing.Chunks`)
    _read_to_end  a body that ends with the connection
    _refuse       IDLE and CLOSED: bytes that belong to no answer

A connection is used again only if both sides said so, the request was sent whole, the answer ended exactly where its
framing says, and no byte came after. A single surplus byte closes it: it would be read as the beginning of the next
answer, and a server (or whoever stands between) could choose what the next request gets to see.

Time: a connection has one timer for all its waits (`patience.py`), also for its keep-alive time in the pool.

Everything here runs in callbacks of the event loop, one at a time: there is nothing to lock. An exchange may end
while its task has not yet run; the connection may then already carry another one. So whoever comes late names the
exchange meant (`abandon`, `resume`), and is ignored when it is over.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from enum import Enum
from typing import Protocol, cast

import httpx

from scraper.fetch.exchange import Exchange
from scraper.fetch.faults import DeadlinePassed, Stale, Truncated
from scraper.fetch.framing import NO_BODY, Chunks, Head, find_head, read_head
from scraper.fetch.limits import Timeouts, TransportSettings
from scraper.fetch.patience import Patience

# What a server promises in `Keep-Alive: timeout` counts from its side of the network: seconds to stay on the safe side.
KEEP_ALIVE_MARGIN = 1.0
_BEGINNING = b"HTTP/1."


class State(Enum):
    """Where a connection is in its life."""

    IDLE = "idle"
    BUSY = "busy"
    CLOSED = "closed"


class Keeper(Protocol):
    """Who has to know what becomes of a connection."""

    def freed(self, connection: Connection) -> None:
        """Its exchange is over; `usable` says whether it can carry another."""
        ...

    def died(self, connection: Connection) -> None:
        """It closed while it was idle."""
        ...

    def gone(self, connection: Connection) -> None:
        """Its socket is closed."""
        ...


class Connection(asyncio.Protocol):
    """An HTTP/1.1 connection. `origin` (`scheme://host[:port]`) is what the pool keeps it under."""

    __slots__ = (
        "_chunks",
        "_deadline",
        "_drained",
        "_exchange",
        "_interim",
        "_keep_alive",
        "_keeper",
        "_left",
        "_loop",
        "_patience",
        "_paused",
        "_peername",
        "_pending",
        "_persistent",
        "_sending",
        "_settings",
        "_step",
        "_timeouts",
        "_transport",
        "_writing_paused",
        "origin",
        "served",
        "state",
    )

    def __init__(self, origin: str, settings: TransportSettings, keeper: Keeper) -> None:
        self.origin = origin
        self.served = 0
        self.state = State.BUSY
        self._settings = settings
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._peername: object = None
        self._exchange: Exchange | None = None
        self._step: Callable[[bytes], None] = self._refuse
        self._pending = bytearray()
        self._left = 0
        self._interim = 0
        self._chunks: Chunks | None = None
        self._persistent = False
        self._keep_alive = settings.keep_alive
        self._paused = self._writing_paused = self._sending = False
        self._drained: asyncio.Future[None] | None = None
        self._timeouts = settings.timeouts
        self._deadline = math.inf
        self._patience = Patience(self._loop, self._patience_ended)

    @property
    def usable(self) -> bool:
        """Whether it can carry an exchange now."""
        return self.state is State.IDLE

    @property
    def connected(self) -> bool:
        """Whether the keeper will still be told that it is `gone`."""
        return self._transport is not None

    # -- one exchange

    def begin(
        self, exchange: Exchange, head: bytes, timeouts: Timeouts, deadline: float, *, whole: bool = True
    ) -> None:
        """Send a request head and take the answer into `exchange`; `deadline` is an instant of the loop's clock.

        When the request is not `whole` with its head, `send` and `finish_sending` follow.
        """
        self._exchange = exchange
        if self.state is State.CLOSED or self._transport is None:
            self._fail(Stale("the connection closed before the request was sent"))
            return
        self.state = State.BUSY
        self._step = self._read_head
        self._interim = 0
        self._timeouts = timeouts
        self._deadline = deadline
        self._sending = not whole
        exchange.begin(self, self._loop.time())
        self._await_reading()
        self._transport.write(head)

    async def send(self, exchange: Exchange, pieces: list[bytes]) -> None:
        """Send body bytes; return when the buffer has room for more, or the exchange is over before that.

        `finish_sending` must follow the last of them: until then a complete answer closes the connection.
        """
        for piece in pieces:
            if self._exchange is not exchange or self._transport is None:
                return
            self._transport.write(piece)
            if self._writing_paused:
                self._be_patient(self._timeouts.write)
                self._drained = self._loop.create_future()
                await self._drained

    def finish_sending(self) -> None:
        """The request is complete: from now on the wait is for the answer."""
        self._sending = False
        if self._exchange is not None:
            self._await_reading()

    def resume(self, exchange: Exchange) -> None:
        """Read on, if reading was paused for `exchange`."""
        if self._paused and self._exchange is exchange and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
            self._await_reading()

    def abandon(self, exchange: Exchange) -> None:
        """Close, if `exchange` is still on its way."""
        if self._exchange is exchange:
            self._end_exchange()
            self._shut()
            self._keeper.freed(self)

    def close(self) -> None:
        """Close without telling the keeper. What is on its way fails."""
        exchange = self._end_exchange()
        self._shut()
        if exchange is not None:
            exchange.on_error(httpx.ReadError("the connection was closed from this side"))

    def property_of(self, name: str) -> object:
        """What the transport knows under `name`."""
        if name == "peername":
            return self._peername
        return self._transport.get_extra_info(name) if self._transport is not None else None

    # -- the event loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands (with TLS: after the handshake)."""
        self._transport = cast("asyncio.Transport", transport)
        self._peername = transport.get_extra_info("peername")

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        read = self._timeouts.read
        if read is not None and not self._sending and not self._paused:
            due = self._loop.time() + read
            self._patience.due = due if due < self._deadline else self._deadline
        self._step(data)

    def eof_received(self) -> None:
        """The peer has said all it had to say: nothing can follow, so the transport closes (None says so)."""
        self._lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._lost(exc)
        self._transport = None
        self._keeper.gone(self)

    def pause_writing(self) -> None:
        """The send buffer is full."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """The send buffer has room again."""
        self._writing_paused = False
        self._wake_sender()

    # -- the answer, step by step

    def _refuse(self, data: bytes) -> None:
        if self.state is State.IDLE:
            self._shut()
            self._keeper.died(self)

    def _read_head(self, data: bytes) -> None:
        pending = self._pending
        while True:
            if pending:
                start = max(0, len(pending) - 3)
                pending += data
                end = find_head(pending, start)
                whole: bytes | bytearray = pending
            else:
                end = find_head(data)
                whole = data
            if end < 0 or end > self._settings.max_head:
                self._gather_head(whole)
                return
            raw, data = bytes(whole[:end]), bytes(whole[end:])
            pending.clear()
            try:
                head = read_head(raw, self._settings.max_headers)
                if head.status >= 200:
                    self._begin_body(head, data)
                    return
                self._pass_over(head)
            except httpx.RemoteProtocolError as exc:
                self._fail(exc)
                return
            if not data:
                return

    def _gather_head(self, data: bytes | bytearray) -> None:
        if not data.startswith(_BEGINNING[: len(data)]):
            self._fail(httpx.RemoteProtocolError(f"not an HTTP/1.1 response: it begins with {bytes(data[:24])!r}"))
        elif len(data) > self._settings.max_head:
            self._fail(httpx.RemoteProtocolError(f"a response head of more than {self._settings.max_head} bytes"))
        elif data is not self._pending:
            self._pending += data

    def _pass_over(self, head: Head) -> None:
        """An interim answer (RFC 9110 15.2): the final one is still to come."""
        self._interim += 1
        if head.status == 101:
            raise httpx.RemoteProtocolError("the server switched protocols without being asked")
        if self._interim > self._settings.max_interim:
            raise httpx.RemoteProtocolError(f"more than {self._settings.max_interim} interim responses")

    def _begin_body(self, head: Head, data: bytes) -> None:
        """Choose how the body ends (RFC 9112 6.3) and take what has come of it."""
        exchange = self._exchange
        assert exchange is not None, "only a busy connection reads a head"
        self._persistent = head.persistent
        if head.idle is not None:
            promised = max(head.idle - KEEP_ALIVE_MARGIN, head.idle / 2)
            self._keep_alive = min(self._settings.keep_alive, promised)
        length = head.length
        if exchange.method == "HEAD" or head.status in NO_BODY:
            length = 0
        elif head.chunked:
            length = None
            self._chunks = Chunks()
            self._step = self._read_chunks
        elif length is None:
            self._persistent = False
            self._step = self._read_to_end
        exchange.on_head(head, length, self._loop.time())
        if length is not None:
            self._left = length
            self._step = self._read_length
            self._read_length(data)
        elif data:
            self._step(data)

    def _read_length(self, data: bytes) -> None:
        left = self._left
        if len(data) > left:
            self._persistent = False
            data = data[:left]
        self._left = left = left - len(data)
        self._take(data, ended=not left)

    def _read_chunks(self, data: bytes) -> None:
        chunks = self._chunks
        assert chunks is not None, "set together with this step"
        try:
            body = chunks.feed(data)
        except httpx.RemoteProtocolError as exc:
            self._fail(exc)
            return
        if chunks.done:
            if chunks.trailing:
                self._persistent = False
            if self._exchange is not None:
                self._exchange.trailers = chunks.trailers
        self._take(body, ended=chunks.done)

    def _read_to_end(self, data: bytes) -> None:
        self._take(data, ended=False)

    def _take(self, body: bytes, *, ended: bool) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        full = False
        if body:
            try:
                full = exchange.on_body(body)
            except httpx.RemoteProtocolError as exc:
                self._fail(exc)
                return
        if ended:
            self._complete(exchange)
        elif full and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
            self._be_patient(None)

    # -- how an exchange ends

    def _complete(self, exchange: Exchange) -> None:
        reusable = self._persistent and not self._sending
        self._end_exchange()
        if reusable:
            if self._paused and self._transport is not None:
                self._paused = False
                self._transport.resume_reading()
            self.state = State.IDLE
            self.served += 1
            self._deadline = math.inf
            self._timeouts = _AT_REST
            self._be_patient(self._keep_alive)
        else:
            self._shut()
        exchange.on_end()
        self._keeper.freed(self)

    def _fail(self, error: Exception) -> None:
        exchange = self._end_exchange()
        self._shut()
        if exchange is not None:
            exchange.on_error(error)
            self._keeper.freed(self)

    def _lost(self, exc: Exception | None) -> None:
        """Nothing more will come: decide what that means for what is on its way."""
        if self.state is State.IDLE:
            self._shut()
            self._keeper.died(self)
            return
        exchange = self._exchange
        if exchange is None:
            self._shut()
        elif self._step == self._read_to_end and exc is None:
            self._complete(exchange)
        elif self._step == self._read_head and not self._pending and not self._interim:
            if self.served:
                self._fail(Stale("the server closed a kept-alive connection without answering"))
            elif exc is None:
                self._fail(httpx.RemoteProtocolError("the server closed the connection without answering"))
            else:
                self._fail(httpx.ReadError(f"the connection broke before an answer came: {exc}"))
        elif exc is not None:
            self._fail(httpx.ReadError(f"the connection broke within the response: {exc}"))
        elif self._step == self._read_head:
            self._fail(Truncated("truncated: the connection ended within the response head"))
        elif self._chunks is not None:
            self._fail(Truncated("truncated: the connection ended within a chunked body"))
        else:
            self._fail(Truncated(f"truncated: {self._left} bytes of the body are missing"))

    def _end_exchange(self) -> Exchange | None:
        exchange, self._exchange = self._exchange, None
        self._step = self._refuse
        self._chunks = None
        self._pending.clear()
        self._wake_sender()
        return exchange

    def _shut(self) -> None:
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self._patience.end()
        if self._transport is not None:
            self._transport.abort()

    def _wake_sender(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._exchange is not None and not self._writing_paused:
            self._await_reading()

    # -- time

    def _await_reading(self) -> None:
        """Wait for the server; while the request is being made, only for the deadline."""
        self._be_patient(None if self._sending else self._timeouts.read)

    def _be_patient(self, seconds: float | None) -> None:
        """Let patience end in `seconds`, or at the deadline if that is sooner; with None at the deadline alone."""
        self._patience.until(self._deadline if seconds is None else min(self._deadline, self._loop.time() + seconds))

    def _patience_ended(self) -> None:
        if self.state is State.IDLE:
            self._shut()
            self._keeper.died(self)
        elif self._patience.due >= self._deadline:
            self._fail(DeadlinePassed("the deadline of the exchange passed before its end"))
        elif self._writing_paused and self._drained is not None:
            self._fail(httpx.WriteTimeout(f"the server took no byte of the request for {self._timeouts.write} s"))
        else:
            self._fail(httpx.ReadTimeout(f"no byte of the response came for {self._timeouts.read} s"))


_AT_REST = Timeouts(connect=None, read=None, write=None, pool=None)
