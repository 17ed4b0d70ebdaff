"""The receive buffer that all connections share."""

from __future__ import annotations

import pytest

from scraper.transport.receive_buffer import SharedReceiveBuffer


def test_only_the_last_to_acquire_may_consume() -> None:
    """And only once: an event loop with another order of callbacks would mix up connections."""
    buffer = SharedReceiveBuffer()
    buffer.acquire("one")
    buffer.acquire("two")
    with pytest.raises(RuntimeError, match="event loop"):
        buffer.consume("one", 3)
    assert len(buffer.consume("two", 3)) == 3
    with pytest.raises(RuntimeError, match="event loop"):
        buffer.consume("two", 3)
