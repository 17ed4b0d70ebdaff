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
exchange meant (`cancel`, `resume`), and is ignored when it is over.
"""

from __future__ import annotations

import asyncio
import math
from enum import Enum
from typing import Protocol, cast

import httpx

from scraper.transport.errors import DeadlineExceeded, StaleConnection
from scraper.transport.exchange import Exchange
from scraper.transport.moving_timeout import MovingTimeout
from scraper.transport.receive_buffer import SharedReceiveBuffer
from scraper.transport.response_parser import ResponseParser
from scraper.transport.settings import Timeouts, TransportSettings

# What a server promises in `Keep-Alive: timeout` counts from its side of the network: seconds to stay on the safe side.
KEEPALIVE_MARGIN_SECONDS = 1.0


class ConnectionState(Enum):
    """Where a connection is in its life."""

    IDLE = "idle"
    BUSY = "busy"
    CLOSED = "closed"


class ConnectionOwner(Protocol):
    """Who has to know what becomes of a connection."""

    def on_released(self, connection: Connection) -> None:
        """Its exchange is over; `usable` says whether it can carry another."""
        ...

    def on_idle_closed(self, connection: Connection) -> None:
        """It closed while it was idle."""
        ...

    def on_closed(self, connection: Connection) -> None:
        """Its socket is closed."""
        ...


class Connection(asyncio.BufferedProtocol):
    """An HTTP/1.1 connection. `origin` is what the pool keeps it under, `inbox` where it receives."""

    __slots__ = (
        "_deadline",
        "_direct_exchange",
        "_drain_waiter",
        "_exchange",
        "_loop",
        "_owner",
        "_parser",
        "_peername",
        "_reading_paused",
        "_receive_buffer",
        "_sending",
        "_settings",
        "_timeout",
        "_timeouts",
        "_transport",
        "_writing_paused",
        "origin",
        "responses_completed",
        "state",
    )

    def __init__(
        self, origin: str, settings: TransportSettings, owner: ConnectionOwner, receive_buffer: SharedReceiveBuffer
    ) -> None:
        self.origin = origin
        self.responses_completed = 0
        self.state = ConnectionState.BUSY
        self._settings = settings
        self._owner = owner
        self._receive_buffer = receive_buffer
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._peername: object = None
        self._exchange: Exchange | None = None
        self._direct_exchange: Exchange | None = None
        self._parser = ResponseParser(settings)
        self._reading_paused = self._writing_paused = self._sending = False
        self._drain_waiter: asyncio.Future[None] | None = None
        self._timeouts = settings.timeouts
        self._deadline = math.inf
        self._timeout = MovingTimeout(self._loop, self._on_timeout)

    @property
    def is_available(self) -> bool:
        """Whether it can carry an exchange now."""
        return self.state is ConnectionState.IDLE

    @property
    def is_connected(self) -> bool:
        """Whether the keeper will still be told that it is `gone`."""
        return self._transport is not None

    # -- one exchange

    def send_request(
        self, exchange: Exchange, head: bytes, timeouts: Timeouts, deadline: float, *, request_complete: bool = True
    ) -> None:
        """Send a request head and take the answer into `exchange`; `deadline` is an instant of the loop's clock.

        When the request is not `whole` with its head, `send` and `finish_sending` follow.
        """
        self._exchange = exchange
        if self.state is ConnectionState.CLOSED or self._transport is None:
            self._fail_exchange(StaleConnection("the connection closed before the request was sent"))
            return
        self.state = ConnectionState.BUSY
        self._parser.start_response(exchange)
        self._timeouts = timeouts
        self._deadline = deadline
        self._sending = not request_complete
        exchange.start(self)
        self._timeout.set_expiry(
            min(deadline, exchange.sent_at + timeouts.read) if request_complete and timeouts.read else deadline
        )
        self._transport.write(head)

    async def send_body(self, exchange: Exchange, pieces: list[bytes]) -> None:
        """Send body bytes; return when the buffer has room for more, or the exchange is over before that.

        `finish_sending` must follow the last of them: until then a complete answer closes the connection.
        """
        for piece in pieces:
            if self._exchange is not exchange or self._transport is None:
                return
            self._transport.write(piece)
            if self._writing_paused:
                self._set_timeout(self._timeouts.write)
                self._drain_waiter = self._loop.create_future()
                await self._drain_waiter

    def finish_sending(self) -> None:
        """The request is complete: from now on the wait is for the answer."""
        self._sending = False
        if self._exchange is not None:
            self._start_read_timeout()

    def resume_reading(self, exchange: Exchange) -> None:
        """Read on, if reading was paused for `exchange`."""
        if self._reading_paused and self._exchange is exchange and self._transport is not None:
            self._reading_paused = False
            self._transport.resume_reading()
            self._start_read_timeout()

    def _pause_reading(self) -> None:
        if not self._reading_paused and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()
            self._set_timeout(None)

    def cancel(self, exchange: Exchange) -> None:
        """Close, if `exchange` is still on its way."""
        if self._exchange is exchange:
            self._detach_exchange()
            self._abort()
            self._owner.on_released(self)

    def close(self) -> None:
        """Close without telling the keeper. What is on its way fails."""
        exchange = self._detach_exchange()
        self._abort()
        if exchange is not None:
            exchange.on_error(httpx.ReadError("the connection was closed from this side"))

    def get_extra_info(self, name: str) -> object:
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
        room = self._parser.direct_buffer()
        self._direct_exchange = None if room is None else self._exchange
        return self._receive_buffer.acquire(self) if room is None else room

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        landing, self._direct_exchange = self._direct_exchange, None
        data = self._receive_buffer.consume(self, nbytes) if landing is None else None
        read = self._timeouts.read
        if read is not None and not self._sending and not self._reading_paused:
            due = self._loop.time() + read
            self._timeout.expires_at = due if due < self._deadline else self._deadline
        exchange = self._exchange
        if landing is not None and landing is not exchange:
            raise RuntimeError("this event loop ends an exchange while it fills its buffer")
        if exchange is None:
            self._close_idle()
            return
        try:
            complete = self._parser.on_direct_read(nbytes) if data is None else self._parser.feed(data)
        except httpx.RemoteProtocolError as exc:
            self._fail_exchange(exc)
            return
        if complete:
            self._complete_exchange(exchange)
        elif exchange.streaming:
            exchange.notify()
            if exchange.is_full and self._exchange is exchange:
                self._pause_reading()

    def eof_received(self) -> None:
        """The peer has said all it had to say: nothing can follow, so the transport closes (None says so)."""
        self._handle_connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._transport = None
        self._owner.on_closed(self)
        self._handle_connection_lost(exc)

    def pause_writing(self) -> None:
        """The send buffer is full."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """The send buffer has room again."""
        self._writing_paused = False
        self._wake_sender()

    # -- how an exchange ends

    def _close_idle(self) -> None:
        if self.state is ConnectionState.IDLE:
            self._abort()
            self._owner.on_idle_closed(self)

    def _complete_exchange(self, exchange: Exchange) -> None:
        reusable = self._parser.persistent and not self._sending
        self._detach_exchange()
        if reusable:
            if self._reading_paused and self._transport is not None:
                self._reading_paused = False
                self._transport.resume_reading()
            self.state = ConnectionState.IDLE
            self.responses_completed += 1
            self._deadline = math.inf
            self._timeouts = _NO_TIMEOUTS
            self._set_timeout(self._keepalive_seconds())
        else:
            self._abort()
        self._owner.on_released(self)
        exchange.on_end()

    def _keepalive_seconds(self) -> float:
        """Seconds that it may wait in the pool."""
        promised = self._parser.keepalive_timeout
        ours = self._settings.keepalive_expiry
        return ours if promised is None else min(ours, max(promised - KEEPALIVE_MARGIN_SECONDS, promised / 2))

    def _fail_exchange(self, error: Exception) -> None:
        exchange = self._detach_exchange()
        self._abort()
        if exchange is not None:
            self._owner.on_released(self)
            exchange.on_error(error)

    def _handle_connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will come: decide what that means for what is on its way."""
        exchange = self._exchange
        if exchange is None:
            self._close_idle()
            self._abort()
            return
        error = self._parser.on_connection_lost(exc, responses_completed=self.responses_completed)
        if error is None:
            self._complete_exchange(exchange)
        else:
            self._fail_exchange(error)

    def _detach_exchange(self) -> Exchange | None:
        exchange, self._exchange = self._exchange, None
        self._parser.end_response()
        self._wake_sender()
        return exchange

    def _abort(self) -> None:
        if self.state is ConnectionState.CLOSED:
            return
        self.state = ConnectionState.CLOSED
        self._timeout.cancel()
        if self._transport is not None:
            self._transport.abort()

    def _wake_sender(self) -> None:
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)
        if self._exchange is not None and not self._writing_paused:
            self._start_read_timeout()

    # -- time

    def _start_read_timeout(self) -> None:
        """Wait for the server; while the request is being made, only for the deadline."""
        self._set_timeout(None if self._sending else self._timeouts.read)

    def _set_timeout(self, seconds: float | None) -> None:
        """Let patience end in `seconds`, or at the deadline if that is sooner; with None at the deadline alone."""
        self._timeout.set_expiry(
            self._deadline if seconds is None else min(self._deadline, self._loop.time() + seconds)
        )

    def _on_timeout(self) -> None:
        if self.state is ConnectionState.IDLE:
            self._abort()
            self._owner.on_idle_closed(self)
        elif self._timeout.expires_at >= self._deadline:
            self._fail_exchange(DeadlineExceeded("the deadline of the exchange passed before its end"))
        elif self._writing_paused and self._drain_waiter is not None:
            self._fail_exchange(
                httpx.WriteTimeout(f"the server took no byte of the request for {self._timeouts.write} s")
            )
        else:
            self._fail_exchange(httpx.ReadTimeout(f"no byte of the response came for {self._timeouts.read} s"))


_NO_TIMEOUTS = Timeouts(connect=None, read=None, write=None, pool=None)
