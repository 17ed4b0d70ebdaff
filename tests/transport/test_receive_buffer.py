"""The receive buffer that all connections share."""

from __future__ import annotations

import pytest

from scraper.transport.receive_buffer import SharedReceiveBuffer


def test_a_loop_that_mixes_up_turns_is_found_out() -> None:
    """Bytes are taken by whom the buffer was lent to last, once."""
    inbox = SharedReceiveBuffer()
    inbox.acquire("one")
    inbox.acquire("two")
    with pytest.raises(RuntimeError, match="event loop"):
        inbox.consume("one", 3)
    assert len(inbox.consume("two", 3)) == 3
    with pytest.raises(RuntimeError, match="event loop"):
        inbox.consume("two", 3)
