"""The one buffer into which all connections of a transport receive.

The event loop requests a buffer, lets the kernel fill it and delivers it, all in one callback, so no other connection
can interfere. One buffer is therefore enough: it stays in the CPU caches however many connections there are, and no
memory is allocated for receiving.

Two rules keep connections apart. What is consumed must be copied before the callback returns. And only the connection
that acquired the buffer last may consume it: an event loop with another order of callbacks would deliver the bytes of
one connection to another, and gets a `RuntimeError` instead.

Bodies on their way to disk are received elsewhere: see disk_buffer.py.
"""

from __future__ import annotations

# More than a socket usually holds at a time, and small enough for the L2 cache of one core.
RECEIVE_BUFFER_BYTES = 256 * 1024


class SharedReceiveBuffer:
    """`RECEIVE_BUFFER_BYTES` of memory, used by one connection at a time."""

    __slots__ = ("_reader", "_view")

    def __init__(self) -> None:
        self._view = memoryview(bytearray(RECEIVE_BUFFER_BYTES))
        self._reader: object = None

    def acquire(self, reader: object) -> memoryview:
        """The memory for the next bytes of `reader`. A previous reader that has not consumed gets nothing."""
        self._reader = reader
        return self._view

    def consume(self, reader: object, size: int) -> memoryview:
        """The `size` bytes received: valid until the callback returns. Raises `RuntimeError` if `reader` was not the
        last to acquire.
        """
        if self._reader is not reader:
            raise RuntimeError("the event loop filled the buffer of one connection before another one had read it")
        self._reader = None
        return self._view[:size]
