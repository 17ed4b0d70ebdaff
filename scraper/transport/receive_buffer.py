"""The one buffer into which all connections of a transport receive.

An event loop asks for a buffer, has the operating system fill it and hands it over, all in one callback: no other
connection can be in between. So one buffer is enough, it stays in the processor's caches however many connections
there are, and no memory is allocated to receive into.

Two rules keep the connections apart. What is taken out is copied before the callback returns. And whoever takes must
be the one whom the buffer was last lent to: a loop that keeps another order would hand one connection the bytes of
another, and is found out here instead.

A body on its way to the disk does not come through here: see landing.py.
"""

from __future__ import annotations

# More than a socket holds at a time; a page fits in, and the buffer into a core's second cache.
RECEIVE_BUFFER_BYTES = 256 * 1024


class SharedReceiveBuffer:
    """`RECEIVE_BUFFER_BYTES` bytes of room, lent to one reader at a time."""

    __slots__ = ("_reader", "_view")

    def __init__(self) -> None:
        self._view = memoryview(bytearray(RECEIVE_BUFFER_BYTES))
        self._reader: object = None

    def acquire(self, reader: object) -> memoryview:
        """Room for what comes next. Whoever had it before and has taken nothing, gets nothing."""
        self._reader = reader
        return self._view

    def consume(self, reader: object, size: int) -> memoryview:
        """The `size` bytes that have come: valid until the callback returns. Raises `RuntimeError` out of turn."""
        if self._reader is not reader:
            raise RuntimeError("this event loop fills the buffer of one connection while another one's is unread")
        self._reader = None
        return self._view[:size]
