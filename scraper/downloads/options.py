"""The options of a download, and the settings of each package that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scraper.downloads.lists.file_names import Collision, NameSettings
from scraper.engine.run_context import RunRules
from scraper.engine.settings import EngineSettings
from scraper.politeness.circuit_breaker import BreakerSettings
from scraper.politeness.host_gate import GateSettings
from scraper.politeness.host_overrides import PolitenessSettings
from scraper.politeness.retry import RetrySettings
from scraper.politeness.robots_cache import RobotsSettings
from scraper.transfer.file_requests import DownloadSettings
from scraper.transport.settings import SegmentSettings, Timeouts, TransportSettings
from scraper.urls.canonicalize import KeyRules
from scraper.urls.scope import Scope, ScopeSettings

USER_AGENT = "scraper/1.0"
# The limit for opening a connection, unless `timeout` is shorter.
MAX_CONNECT_SECONDS = 10.0
# Seconds that downloads may go on after a stop. What has arrived is kept anyway, so there is no need to wait longer.
SHUTDOWN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class DownloadOptions:
    """How a list is downloaded. Times are seconds, sizes are bytes, None is no limit.

    `concurrency` downloads at once, `per_host` of them from one host; `rate` requests a second to one host.
    `limit_rate` bytes a second in all, `limit_rate_per_host` from one host. `retries` attempts after the first; the
    pause before them doubles from `backoff`. `timeout` is the longest time without a byte, `deadline` the longest time
    of one attempt. `max_bytes` bounds one file.

    `name` is a template (lists/name_template.py), `collision` what to do when a name is taken, `checksums` a file such
    as SHA256SUMS. `refresh` requests complete files again with their validators; `fresh` deletes what earlier runs
    left. `fsync`: complete files survive a loss of power. `allow_private`: redirects may lead to private addresses;
    listed URLs always may. `segments` is the largest number of connections for one large file; `per_host` bounds them,
    too.
    """

    concurrency: int = 64
    per_host: int = 4
    rate: float | None = None
    limit_rate: int | None = None
    limit_rate_per_host: int | None = None
    retries: int = 3
    backoff: float = 1.0
    timeout: float = 30.0
    deadline: float | None = None
    max_bytes: int | None = None
    max_redirects: int = 10
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    user_agent: str = USER_AGENT
    checksums: Path | None = None
    name: str = "{name}"
    collision: Collision = "rename"
    refresh: bool = False
    fresh: bool = False
    fsync: bool = False
    allow_private: bool = False
    segments: int = 4


def name_settings(options: DownloadOptions) -> NameSettings:
    """The settings of the names. Does not check the template; `NameAssigner` does."""
    return NameSettings(options.name, options.collision)


def timeouts(options: DownloadOptions) -> Timeouts:
    """The timeouts of a request. None for the pool: the engine decides which request is next."""
    return Timeouts(
        connect=min(MAX_CONNECT_SECONDS, options.timeout),
        read=options.timeout,
        write=options.timeout,
        pool=None,
        deadline=options.deadline,
    )


def transport_settings(options: DownloadOptions, concurrency: int) -> TransportSettings:
    """The connections of `concurrency` downloads. The gates of the hosts limit how many one host gets."""
    return TransportSettings(max_connections=concurrency, max_per_host=concurrency, timeouts=timeouts(options))


def fetch_settings(options: DownloadOptions) -> DownloadSettings:
    """The settings of the fetcher."""
    segments = SegmentSettings(max_streams=options.segments)
    return DownloadSettings(options.user_agent, options.headers, options.max_bytes, timeouts(options), segments)


def engine_settings(options: DownloadOptions, concurrency: int) -> EngineSettings:
    """The settings of the engine: no robots.txt, no sitemaps, and a redirect stays the request of its entry."""
    return EngineSettings(
        name="download",
        concurrency=concurrency,
        max_redirects=options.max_redirects,
        shutdown_timeout=SHUTDOWN_SECONDS,
        redirect_keeps_entry=True,
        sitemaps=False,
    )


def download_rules(options: DownloadOptions) -> RunRules:
    """The rules for URLs that the user has listed: all are in scope, and slow responses do not slow down a host."""
    gate = GateSettings(
        rate=options.rate,
        concurrency=options.per_host,
        # No slowing down by response times: large files are slow because they are large.
        adaptive=False,
        # After four openings without a lasting recovery a host is given up: its entries fail or go to their mirrors.
        breaker=BreakerSettings(open=10.0, max_open=300.0, give_up=4),
    )
    return RunRules(
        Scope(ScopeSettings(mode="any"), ()),
        KeyRules(),
        PolitenessSettings(gate),
        RetrySettings(options.retries, base_delay=options.backoff, max_delay=max(60.0, options.backoff)),
        RobotsSettings(options.user_agent, "ignore"),
    )
