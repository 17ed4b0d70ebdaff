"""What can be set about the frontier in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Durability = Literal["process", "power"]
"""What a commit survives: a kill of the process, or a loss of power too (one fsync a commit)."""


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    """How much of the frontier is held in RAM, and what a commit survives.

    `max_host_rows` and `max_buffered_rows` bound the waiting requests held for one host and for all; `known_keys` and
    `skipped_cache_keys` the keys in each of the two generations of the caches (about 80 bytes a key); `prefetch_hosts`
    is
    how many hosts beyond those needed a fill looks ahead to; `cache_kib` (KiB) is for pages of the file.

    With `lazy` a request is written only when it has to leave the windows, and what was not is lost with the process:
    for queues that are made anew in every session. Marks, notes and counts are kept as always.
    """

    durability: Durability = "process"
    cache_kib: int = 32_768
    max_host_rows: int = 256
    max_buffered_rows: int = 20_000
    known_cache_keys: int = 500_000
    skipped_cache_keys: int = 50_000
    prefetch_hosts: int = 64
    write_only_on_evict: bool = False
