"""Settings of the engine, and the limits that bound it."""

from __future__ import annotations

from dataclasses import dataclass, field

from scraper.engine.login_check import LoginSettings


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How one run works. Times are seconds.

    `max_pages` bounds the page records of the whole run over all its sessions, `max_time` the length of this session;
    None means no bound.
    """

    name: str = "crawl"
    # Workers, and so requests at once.
    concurrency: int = 64
    max_pages: int | None = None
    max_time: float | None = None
    max_redirects: int = 10
    # After a stop: how long requests in flight may take, and then how long recording them may take.
    shutdown_timeout: float = 10.0
    recorder_timeout: float = 5.0
    # A redirect's target is fetched as the same entry, even when another entry was redirected to the same URL.
    redirect_keeps_entry: bool = False
    sitemaps: bool = True
    login: LoginSettings = field(default_factory=LoginSettings)
    # Read every sitemap although the page budget is spent: for a dry run, which counts URLs and does not fetch them.
    all_sitemaps: bool = False
    # Failed attempts to read a robots.txt after which its host does not keep the run open.
    robots_attempts: int = 3
    # Unexpected errors without a success between them that end the run.
    max_consecutive_crashes: int = 20
    # A batch is settled when it has so many settlements, so many links (one page can hold as many), or is so old.
    batch_size: int = 64
    batch_links: int = 20_000
    batch_seconds: float = 0.1
    sample_seconds: float = 0.5
    # How long a lease is valid; renewed at a third of it.
    lease_seconds: float = 300.0
    # From this size on a page is read in a thread: a smaller one blocks the event loop for 0.2 s at worst.
    extract_thread_from_bytes: int = 32 * 1024
    # From this size on it is read in another process, which can be killed and has a memory limit.
    extract_process_from_bytes: int = 256 * 1024
    # Extraction that blocks the event loop for longer is worth a warning.
    slow_extraction_seconds: float = 0.1
    # Links and skips that the recorder remembers in each of two generations, so as not to queue them again.
    recent_links: int = 100_000
    max_sitemap_depth: int = 10
    # The feed is read on when fewer requests than this are queued...
    feed_low_water: int = 1_000
    # ...and also when workers are idle and took fewer than `min_leases_per_poll` leases during the last poll. Polls are
    # halved as long as that is so (what comes next may be of as little use), and full length again when it is not.
    feed_poll_seconds: float = 0.1
    min_leases_per_poll: int = 100
    # Politeness gates kept as objects; idle ones beyond that are kept as short texts.
    max_active_hosts: int = 20_000
    max_dormant_hosts: int = 200_000
