"""What the engine must be told, and the limits that bound it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How one run works. Times are seconds.

    `concurrency` fetchers run at once. `max_pages` bounds the page records of the whole run over all its sessions,
    `max_time` the length of this session; None means no bound. `grace` is how long requests in flight may still
    take after a stop was asked for, `record_grace` how long recording what they gave may take beyond that.
    `deaths_in_a_row` unexpected errors without a success between them end the run.
    """

    name: str = "crawl"
    concurrency: int = 64
    max_pages: int | None = None
    max_time: float | None = None
    max_redirects: int = 10
    grace: float = 10.0
    record_grace: float = 5.0
    follow_in_place: bool = False
    """A redirect's target is asked for as the same entry, also when other entries were redirected there too."""
    sitemaps: bool = True
    all_sitemaps: bool = False
    """Sitemaps are read to the last also when the page budget is spent: for who counts URLs and does not fetch them."""
    obey_robots: bool = True
    robots_tries: int = 3
    deaths_in_a_row: int = 20
    group_size: int = 64
    group_seconds: float = 0.1
    sample_seconds: float = 0.5
    lease_seconds: float = 300.0
    medium_page: int = 32 * 1024
    """Bytes from which a page is read in a thread: the worst that a smaller one can do is stall the loop for 0.2 s."""
    large_page: int = 256 * 1024
    """Bytes from which a page is read in another process, which can be ended and has a bound on its memory."""
    slow_extraction: float = 0.1
    """Seconds of extraction on the event loop that are worth a warning."""
    group_links: int = 20_000
    """Links found, beyond which a group is settled though it is not full: a page can hold as many."""
    known_links: int = 100_000
    """How many link keys the recorder remembers in each of its two generations, to pass over what is known."""
    max_sitemap_nesting: int = 10
    feed_ahead: int = 1_000
    """Requests that may wait before more are taken in from outside."""
    feed_pause: float = 0.1
    """More than that are taken in while fetchers find nothing to do, after so long that fewer than `brisk` leases were
    taken meanwhile; half as long each time, since what comes next may be as little use.
    """
    brisk: int = 100
    active_hosts: int = 20_000
    """How many hosts have a live gate; beyond it idle ones are kept as short notes."""
    dormant_hosts: int = 200_000
