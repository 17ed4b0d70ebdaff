"""Settings of the SQLite frontier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What a commit survives: a kill of the process, or also a loss of power (one fsync a commit).
Durability = Literal["process", "power"]


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    """How much of the frontier is in memory, and what a commit survives.

    `max_host_rows` and `max_buffered_rows` bound the waiting requests in memory, per host and in all.
    `known_cache_keys` and `skipped_cache_keys` bound each of the two generations of the caches of fingerprints (about
    80 bytes a key). A refill also reads rows of up to `prefetch_hosts` hosts that are ready next. `cache_kib` (KiB) is
    SQLite's page cache.

    With `write_only_on_evict` a request is written only when it leaves its buffer without being leased. Those that were
    not written are lost with the process: for queues that each session builds again. Checkpoints, host state and counts
    are written as always.
    """

    durability: Durability = "process"
    cache_kib: int = 32_768
    max_host_rows: int = 256
    max_buffered_rows: int = 20_000
    known_cache_keys: int = 500_000
    skipped_cache_keys: int = 50_000
    prefetch_hosts: int = 64
    write_only_on_evict: bool = False
