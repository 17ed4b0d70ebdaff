"""The settings that follow from the options of a download."""

from __future__ import annotations

import pytest

from scraper.downloads.options import (
    DownloadOptions,
    download_rules,
    engine_settings,
    fetch_settings,
    timeouts,
    transport_settings,
)


@pytest.mark.parametrize(("timeout", "connect"), [(30.0, 10.0), (3.0, 3.0)], ids=["usual", "shorter"])
def test_a_connection_takes_no_longer_than_the_timeout(timeout: float, connect: float) -> None:
    """Ten seconds, or less. The pool has no timeout, because the engine entries the requests."""
    found = timeouts(DownloadOptions(timeout=timeout))
    assert (found.connect, found.read, found.write, found.pool) == (connect, timeout, timeout, None)


def test_each_option_arrives_where_it_counts() -> None:
    """Limits of hosts are those of the gate, of files those of the fetcher, of connections those of the transport."""
    options = DownloadOptions(per_host=7, rate=2.0, max_bytes=5, segments=3, max_redirects=1, retries=9, backoff=90.0)
    gate = download_rules(options).politeness.for_host("h.example")
    assert (gate.concurrency, gate.rate) == (7, 2.0)
    assert (fetch_settings(options).max_bytes, fetch_settings(options).segments.max_streams) == (5, 3)
    assert transport_settings(options, 12).max_connections == 12
    assert engine_settings(options, 12).max_redirects == 1
    retry = download_rules(options).retry
    assert (retry.retries, retry.base_delay, retry.max_delay) == (9, 90.0, 90.0)
