"""Limits of the transport: times, counts, sizes."""

from __future__ import annotations

from dataclasses import dataclass, field

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; None is no limit.

    `pool` is the wait for a free connection, `connect` covers DNS, TCP and TLS, `read` and `write` are the longest time
    in which no byte moves, `deadline` is the whole request from its start to the last byte of the response.
    """

    connect: float | None = 10.0
    read: float | None = 30.0
    write: float | None = 30.0
    pool: float | None = 60.0
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class SegmentSettings:
    """When a large file is downloaded over several connections. Times are seconds, sizes bytes.

    `max_streams` connections at most work on one file; 1 disables segments. A stream is slow when `slow_after` seconds
    from its start the rest, at least `min_file_bytes`, would take longer than `max_remaining_seconds`; that is checked
    again every `check_interval`. No segment is smaller than `min_segment_bytes`. After another stream was added, the
    total must be `min_speedup` times as fast, or no more are added; nor after `max_failures`. Every `save_interval` the
    downloaded ranges are written to the metadata of the part file.
    """

    max_streams: int = 4
    min_file_bytes: int = 16 * MIB
    min_segment_bytes: int = 4 * MIB
    slow_after: float = 5.0
    check_interval: float = 2.0
    max_remaining_seconds: float = 10.0
    min_speedup: float = 1.15
    max_failures: int = 3
    save_interval: float = 5.0


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """What the transport may use. Sizes are bytes, times seconds.

    `keepalive_expiry` is how long an idle connection stays open, unless the server promised less. `buffer_limit` bounds
    what is held in memory of one response: a body that fits is delivered whole, with one wake-up; a larger one is
    streamed, and reading pauses while `buffer_limit` bytes wait for their reader. `max_body` (None: no limit) applies
    when the caller of a request gives none.
    """

    max_connections: int = 1024
    max_per_host: int = 64
    keepalive_expiry: float = 30.0
    buffer_limit: int = 256 * KIB
    max_head: int = 64 * KIB
    max_header_fields: int = 256
    max_interim_responses: int = 16
    max_body: int | None = None
    verify_tls: bool = True
    dns_ttl: float = 300.0
    dns_failure_ttl: float = 10.0
    dns_cache_size: int = 10_000
    dns_threads: int = 16
    happy_eyeballs_delay: float = 0.25
    timeouts: Timeouts = field(default_factory=Timeouts)
