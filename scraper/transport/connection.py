"""One HTTP/1.1 connection to one origin: the asyncio protocol beneath every request.

States
------
A connection is created connected (dialer.py). From then on it is in one of three states:

    IDLE   waits in the pool. Every event now closes it: unexpected bytes, the peer's close, the end of its keep-alive
           time. It reports that itself (`ConnectionOwner.on_idle_closed`), so the pool never has to check.
    BUSY   carries one exchange, which ends when the response is complete or failed. Either way
           `ConnectionOwner.on_released` is called once; `is_available` says whether the connection can be kept.
    CLOSED for good. `ConnectionOwner.on_closed` follows when the operating system has closed the socket.

All connections receive into one shared buffer (receive_buffer.py), except bodies on their way to disk
(disk_buffer.py). response_parser.py finds where a response ends and whether its connection may be used again.

Order within a callback
-----------------------
The waiting task may run *within* the callback that brings its response (eager_wakeup.py), and may send the next request
on this connection before that callback returns. So every callback first updates its own state, then calls the owner,
and notifies the exchange last. Anything after that must check that the connection still carries the same exchange.

Everything runs in callbacks of the event loop, one at a time, so there are no locks. An exchange may be over before its
task has run, and the connection may already carry the next one. So calls from tasks name the exchange they mean
(`cancel`, `resume_reading`, `send_body`) and do nothing when it is over.

A connection has one timer for all its timeouts (moving_timeout.py), including its keep-alive time in the pool.
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

# Seconds subtracted from the server's `Keep-Alive: timeout`: it counts on the server's clock, which is ahead of us by
# the time that the response travelled. A request sent at the last moment would meet a closed connection.
KEEPALIVE_MARGIN_SECONDS = 1.0


class ConnectionState(Enum):
    """The states of a connection; see the head of this file."""

    IDLE = "idle"
    BUSY = "busy"
    CLOSED = "closed"


class ConnectionOwner(Protocol):
    """Is called when the state of a connection changes."""

    def on_released(self, connection: Connection) -> None:
        """The exchange is over; `Connection.is_available` says whether the connection can carry another."""
        ...

    def on_idle_closed(self, connection: Connection) -> None:
        """The connection closed while it was idle."""
        ...

    def on_closed(self, connection: Connection) -> None:
        """The socket is closed."""
        ...


class Connection(asyncio.BufferedProtocol):
    """An HTTP/1.1 connection. `origin` is its key in the pool; `responses_completed` counts the responses it has
    carried.
    """

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

    def __repr__(self) -> str:
        return f"<Connection {self.origin} {self.state.value}, {self.responses_completed} completed>"

    @property
    def is_available(self) -> bool:
        """Whether it is idle and can carry an exchange."""
        return self.state is ConnectionState.IDLE

    @property
    def is_connected(self) -> bool:
        """Whether its socket is open, so that `ConnectionOwner.on_closed` is still to come."""
        return self._transport is not None

    # -- one exchange

    def send_request(
        self, exchange: Exchange, head: bytes, timeouts: Timeouts, deadline: float, *, request_complete: bool = True
    ) -> None:
        """Send a request head; the response goes into `exchange`. `deadline` is an instant of the loop's clock.

        With `request_complete=False` a body follows: `send_body`, then `finish_sending`.
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
        """Send body bytes; return when the send buffer has room for more, or earlier if the exchange ends.

        `finish_sending` must follow the last call: until then a complete response closes the connection.
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
        """The request is complete: the read timeout starts."""
        self._sending = False
        if self._exchange is not None:
            self._start_read_timeout()

    def resume_reading(self, exchange: Exchange) -> None:
        """Continue reading, if it was paused for `exchange`."""
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
        """Close the connection if it still carries `exchange`."""
        if self._exchange is exchange:
            self._detach_exchange()
            self._abort()
            self._owner.on_released(self)

    def close(self) -> None:
        """Close without calling the owner. An exchange in flight fails with `httpx.ReadError`."""
        exchange = self._detach_exchange()
        self._abort()
        if exchange is not None:
            exchange.on_error(httpx.ReadError("the connection was closed from this side"))

    def get_extra_info(self, name: str) -> object:
        """The asyncio transport's information `name`: `peername`, `sockname`, `ssl_object` ...; None after closing."""
        if name == "peername":
            return self._peername
        return self._transport.get_extra_info(name) if self._transport is not None else None

    # -- asyncio callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: connected (with TLS: after the handshake)."""
        self._transport = cast("asyncio.Transport", transport)
        self._peername = transport.get_extra_info("peername")

    def get_buffer(self, sizehint: int) -> memoryview:
        """asyncio: where to receive, either in the reader's own buffer or in the shared one."""
        room = self._parser.direct_buffer()
        self._direct_exchange = None if room is None else self._exchange
        return self._receive_buffer.acquire(self) if room is None else room

    def buffer_updated(self, nbytes: int) -> None:
        """asyncio: `nbytes` were received."""
        direct, self._direct_exchange = self._direct_exchange, None
        data = self._receive_buffer.consume(self, nbytes) if direct is None else None
        read = self._timeouts.read
        if read is not None and not self._sending and not self._reading_paused:
            # The read timeout restarts with every byte. Assigning is enough, since the expiry only moves later.
            due = self._loop.time() + read
            self._timeout.expires_at = due if due < self._deadline else self._deadline
        exchange = self._exchange
        if direct is not None and direct is not exchange:
            raise RuntimeError("the event loop ended an exchange while it was filling its buffer")
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
            # The task may consume what came at once. Reading is paused only if it did not, and only for this exchange.
            exchange.notify()
            if exchange.is_full and self._exchange is exchange:
                self._pause_reading()

    def eof_received(self) -> None:
        """asyncio: the peer closed its side. Returning None lets asyncio close the transport."""
        self._handle_connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the socket is closed."""
        self._transport = None
        self._owner.on_closed(self)
        self._handle_connection_lost(exc)

    def pause_writing(self) -> None:
        """asyncio: the send buffer is full."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """asyncio: the send buffer has room again."""
        self._writing_paused = False
        self._wake_sender()

    # -- how an exchange ends

    def _close_idle(self) -> None:
        if self.state is ConnectionState.IDLE:
            self._abort()
            self._owner.on_idle_closed(self)

    def _complete_exchange(self, exchange: Exchange) -> None:
        # A response that came before the request was sent completely: the rest of the request has nowhere to go.
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
        """How long it may stay idle in the pool (seconds)."""
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
        """No more bytes will come: complete or fail the exchange."""
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
        """Start the read timeout; while the request is being sent only the deadline counts."""
        self._set_timeout(None if self._sending else self._timeouts.read)

    def _set_timeout(self, seconds: float | None) -> None:
        """Expire in `seconds`, or at the deadline if that is sooner; None: at the deadline only."""
        self._timeout.set_expiry(
            self._deadline if seconds is None else min(self._deadline, self._loop.time() + seconds)
        )

    def _on_timeout(self) -> None:
        if self.state is ConnectionState.IDLE:
            self._abort()
            self._owner.on_idle_closed(self)
        elif self._timeout.expires_at >= self._deadline:
            self._fail_exchange(DeadlineExceeded("the deadline passed before the response was complete"))
        elif self._writing_paused and self._drain_waiter is not None:
            self._fail_exchange(
                httpx.WriteTimeout(f"the server took no byte of the request for {self._timeouts.write} s")
            )
        else:
            self._fail_exchange(httpx.ReadTimeout(f"no byte of the response came for {self._timeouts.read} s"))


_NO_TIMEOUTS = Timeouts(connect=None, read=None, write=None, pool=None)
