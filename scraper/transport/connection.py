"""One connection to one origin: the asyncio protocol beneath every request.

How a connection lives
----------------------
It is made connected (`dial.py`), and from then on it is in one of three states:

    IDLE   waits in the pool. Whatever happens now ends it: bytes nobody asked for, the peer's goodbye, the end of its
           keep-alive time. It tells its keeper (`died`), so the pool never has to look whether it still lives.
    BUSY   carries one exchange. It ends in one of two ways: the answer is complete, or the exchange has failed.
           Either way the keeper is told once (`freed`) and finds out from `usable` whether to keep the connection.
    CLOSED for good. `gone` follows when the operating system has let go of the socket.

They receive into one buffer (`inbox.py`), but for bodies on their way to the disk (`landing.py`). `incoming.py` finds
out where an answer ends and whether its connection may be used again; what others receive belongs to no answer.

Whoever waits for the answer may be woken *within* the callback that brings it (`wake.py`), and begin the next exchange
on this connection before that callback returns. So in every callback the exchange is told last, the keeper before it,
and what is done after that is done only if the connection still carries that exchange.

Time: a connection has one timer for all its waits (`patience.py`), also for its keep-alive time in the pool.

Everything here runs in callbacks of the event loop, one at a time: there is nothing to lock. An exchange may end
while its task has not yet run; the connection may then already carry another one. So whoever comes late names the
exchange meant (`abandon`, `resume`), and is ignored when it is over.
"""

from __future__ import annotations

import asyncio
import math
from enum import Enum
from typing import Protocol, cast

import httpx

from scraper.transport.errors import DeadlinePassed, Stale
from scraper.transport.exchange import Exchange
from scraper.transport.moving_timeout import Patience
from scraper.transport.receive_buffer import Inbox
from scraper.transport.response_parser import Incoming
from scraper.transport.settings import Timeouts, TransportSettings

# What a server promises in `Keep-Alive: timeout` counts from its side of the network: seconds to stay on the safe side.
KEEP_ALIVE_MARGIN = 1.0


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


class Connection(asyncio.BufferedProtocol):
    """An HTTP/1.1 connection. `origin` is what the pool keeps it under, `inbox` where it receives."""

    __slots__ = (
        "_deadline",
        "_drained",
        "_exchange",
        "_inbox",
        "_incoming",
        "_keeper",
        "_landing",
        "_loop",
        "_patience",
        "_paused",
        "_peername",
        "_sending",
        "_settings",
        "_timeouts",
        "_transport",
        "_writing_paused",
        "origin",
        "served",
        "state",
    )

    def __init__(self, origin: str, settings: TransportSettings, keeper: Keeper, inbox: Inbox) -> None:
        self.origin = origin
        self.served = 0
        self.state = State.BUSY
        self._settings = settings
        self._keeper = keeper
        self._inbox = inbox
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._peername: object = None
        self._exchange: Exchange | None = None
        self._landing: Exchange | None = None
        self._incoming = Incoming(settings)
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
        self._incoming.begin(exchange)
        self._timeouts = timeouts
        self._deadline = deadline
        self._sending = not whole
        exchange.begin(self)
        self._patience.until(min(deadline, exchange.sent_at + timeouts.read) if whole and timeouts.read else deadline)
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

    def _pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
            self._be_patient(None)

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

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to put the bytes that come: where their reader wants them, or what all connections share."""
        room = self._incoming.room()
        self._landing = None if room is None else self._exchange
        return self._inbox.lend(self) if room is None else room

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        landing, self._landing = self._landing, None
        data = self._inbox.take(self, nbytes) if landing is None else None
        read = self._timeouts.read
        if read is not None and not self._sending and not self._paused:
            due = self._loop.time() + read
            self._patience.due = due if due < self._deadline else self._deadline
        exchange = self._exchange
        if landing is not None and landing is not exchange:
            raise RuntimeError("this event loop ends an exchange while it fills its buffer")
        if exchange is None:
            self._refuse()
            return
        try:
            complete = self._incoming.landed(nbytes) if data is None else self._incoming.feed(data)
        except httpx.RemoteProtocolError as exc:
            self._fail(exc)
            return
        if complete:
            self._complete(exchange)
        elif exchange.streaming:
            exchange.rouse()
            if exchange.full and self._exchange is exchange:
                self._pause()

    def eof_received(self) -> None:
        """The peer has said all it had to say: nothing can follow, so the transport closes (None says so)."""
        self._lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._transport = None
        self._keeper.gone(self)
        self._lost(exc)

    def pause_writing(self) -> None:
        """The send buffer is full."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """The send buffer has room again."""
        self._writing_paused = False
        self._wake_sender()

    # -- how an exchange ends

    def _refuse(self) -> None:
        if self.state is State.IDLE:
            self._shut()
            self._keeper.died(self)

    def _complete(self, exchange: Exchange) -> None:
        reusable = self._incoming.persistent and not self._sending
        self._end_exchange()
        if reusable:
            if self._paused and self._transport is not None:
                self._paused = False
                self._transport.resume_reading()
            self.state = State.IDLE
            self.served += 1
            self._deadline = math.inf
            self._timeouts = _AT_REST
            self._be_patient(self._idle_time())
        else:
            self._shut()
        self._keeper.freed(self)
        exchange.on_end()

    def _idle_time(self) -> float:
        """Seconds that it may wait in the pool."""
        promised = self._incoming.idle
        ours = self._settings.keep_alive
        return ours if promised is None else min(ours, max(promised - KEEP_ALIVE_MARGIN, promised / 2))

    def _fail(self, error: Exception) -> None:
        exchange = self._end_exchange()
        self._shut()
        if exchange is not None:
            self._keeper.freed(self)
            exchange.on_error(error)

    def _lost(self, exc: Exception | None) -> None:
        """Nothing more will come: decide what that means for what is on its way."""
        exchange = self._exchange
        if exchange is None:
            self._refuse()
            self._shut()
            return
        error = self._incoming.cut_off(exc, served=self.served)
        if error is None:
            self._complete(exchange)
        else:
            self._fail(error)

    def _end_exchange(self) -> Exchange | None:
        exchange, self._exchange = self._exchange, None
        self._incoming.end()
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
