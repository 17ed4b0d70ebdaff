"""The target server's process."""

from __future__ import annotations

import socket

import pytest

from scraper.bench.measure.target import HostSpec
from scraper.bench.measure.target_process import start_target
from scraper.errors import ConfigError


async def test_the_server_counts_and_forgets() -> None:
    """What the server counted is asked for and reset from outside."""
    async with start_target([HostSpec(latency=0.002)]) as site:
        assert len(set(site.urls(500))) == 500
        assert (await site.reset()).requests == (0,)


async def test_a_taken_port_is_a_sentence() -> None:
    """It says which port, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port {port}: the port is in use; choose another"):
            async with start_target([HostSpec(port=port)]):
                pass
