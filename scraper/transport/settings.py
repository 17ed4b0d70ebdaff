"""How long, how many, how large: the numbers the transport keeps to."""

from __future__ import annotations

from dataclasses import dataclass, field

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; None waits for ever.

    `pool` is the wait for a free connection, `connect` covers name, TCP and TLS, `read` and `write` are the longest
    silence in which no byte moves, and `deadline` is the whole exchange from its first step to its last byte.
    """

    connect: float | None = 10.0
    read: float | None = 30.0
    write: float | None = 30.0
    pool: float | None = 60.0
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class SegmentSettings:
    """When a large file is worth several connections. Times are seconds, sizes bytes.

    `most` streams bring one file at once; 1 is never more than one. A stream is slow when after `slow_after` the rest,
    at least `min_file_bytes`, would take longer than `patience`; it is looked at again every `check_interval`. No
    share is
    smaller than `least`. A further stream must have made the whole `gain` times as fast, or it was the last one;
    as was the one after `failures`. Every `save_interval` it is noted which bytes are there.
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

    `keepalive_expiry` is how long an unused connection stays open, unless the server promised less. `window` bounds
    what is
    held of one response: a body that fits is delivered whole, with one wake-up; a larger one is streamed, and reading
    pauses while `window` bytes wait for their reader. `max_body` (None: no bound) is for callers that name none.
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
