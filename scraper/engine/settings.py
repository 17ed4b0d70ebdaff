"""What the engine must be told, and the limits that bound it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How one run works. Times are seconds.

    `concurrency` fetchers run at once. `max_pages` bounds the page records of the whole run over all its sessions,
    `max_time` the length of this session; None means no bound. `shutdown_timeout` is how long requests in flight may
    still
    take after a stop was asked for, `recorder_timeout` how long recording what they gave may take beyond that.
    `max_consecutive_crashes` unexpected errors without a success between them end the run.
    """

    name: str = "crawl"
    concurrency: int = 64
    max_pages: int | None = None
    max_time: float | None = None
    max_redirects: int = 10
    shutdown_timeout: float = 10.0
    recorder_timeout: float = 5.0
    redirect_keeps_entry: bool = False
    """A redirect's target is asked for as the same entry, also when other entries were redirected there too."""
    sitemaps: bool = True
    all_sitemaps: bool = False
    """Sitemaps are read to the last also when the page budget is spent: for who counts URLs and does not fetch them."""
    robots_attempts: int = 3
    max_consecutive_crashes: int = 20
    batch_size: int = 64
    batch_seconds: float = 0.1
    sample_seconds: float = 0.5
    lease_seconds: float = 300.0
    extract_thread_from_bytes: int = 32 * 1024
    """Bytes from which a page is read in a thread: the worst that a smaller one can do is stall the loop for 0.2 s."""
    extract_process_from_bytes: int = 256 * 1024
    """Bytes from which a page is read in another process, which can be ended and has a bound on its memory."""
    slow_extraction_seconds: float = 0.1
    """Seconds of extraction on the event loop that are worth a warning."""
    batch_links: int = 20_000
    """Links found, beyond which a group is settled though it is not full: a page can hold as many."""
    recent_links: int = 100_000
    """How many link keys the recorder remembers in each of its two generations, to pass over what is known."""
    max_sitemap_depth: int = 10
    feed_low_water: int = 1_000
    """Requests that may wait before more are taken in from outside."""
    feed_poll_seconds: float = 0.1
    """More than that are taken in while fetchers find nothing to do, after so long that fewer than
    `min_leases_per_poll` leases were
    taken meanwhile; half as long each time, since what comes next may be as little use.
    """
    min_leases_per_poll: int = 100
    max_active_hosts: int = 20_000
    """How many hosts have a live gate; beyond it idle ones are kept as short notes."""
    max_dormant_hosts: int = 200_000
