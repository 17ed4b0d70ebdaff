"""How a list is downloaded, and what that means to each room: what `translate.py` is for a crawl."""

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
MAX_CONNECT_SECONDS = 10.0
"""The longest time for a connection, unless `timeout` is shorter."""
SHUTDOWN_SECONDS = 1.0
"""Seconds that transfers may go on after a stop was asked for: what has come by then is kept anyway."""


@dataclass(frozen=True, slots=True)
class DownloadOptions:
    """How a list is downloaded. Times are seconds, sizes bytes, None is no limit.

    `concurrency` transfers at once, `per_host` to one host; `rate` starts a second at one host;
    `limit_rate` bytes a second in all, `limit_rate_per_host` from one. The pause
    before a retry doubles from `backoff`. `timeout` is the
    longest silence, `deadline` the longest time of one transfer. `name` is a template (see `lists.template`),
    `checksums` a file such as SHA256SUMS. `refresh` asks for complete files again, conditionally; `fresh` deletes
    what an earlier run left. `fsync`: what is complete outlives a loss of power. `allow_private`: redirects may lead
    to private addresses, too; listed URLs always may.
    `segments` connections at most bring one large file that comes slowly, where `per_host` leaves room for them.
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
    """How files are called. Raises nothing: the template is read by the `NameAssigner`."""
    return NameSettings(options.name, options.collision)


def timeouts(options: DownloadOptions) -> Timeouts:
    """How long a server may take. Waiting for a connection has no bound: the run's own order decides who is next."""
    return Timeouts(
        connect=min(MAX_CONNECT_SECONDS, options.timeout),
        read=options.timeout,
        write=options.timeout,
        pool=None,
        deadline=options.deadline,
    )


def transport_settings(options: DownloadOptions, concurrency: int) -> TransportSettings:
    """The connections of `concurrency` transfers; how many one host gets is the gates' business."""
    return TransportSettings(max_connections=concurrency, max_per_host=concurrency, timeouts=timeouts(options))


def fetch_settings(options: DownloadOptions) -> DownloadSettings:
    """What the fetcher is told."""
    segments = SegmentSettings(max_streams=options.segments)
    return DownloadSettings(options.user_agent, options.headers, options.max_bytes, timeouts(options), segments)


def engine_settings(options: DownloadOptions, concurrency: int) -> EngineSettings:
    """The engine as a downloader: no robots.txt, no sitemaps, redirects stay with their entry."""
    return EngineSettings(
        name="download",
        concurrency=concurrency,
        max_redirects=options.max_redirects,
        shutdown_timeout=SHUTDOWN_SECONDS,
        redirect_keeps_entry=True,
        sitemaps=False,
    )


def download_rules(options: DownloadOptions) -> RunRules:
    """The rules of a crawl, for URLs that the user names: nothing is out of scope, and nothing is a slow page."""
    gate = GateSettings(
        rate=options.rate,
        concurrency=options.per_host,
        adaptive=False,
        breaker=BreakerSettings(open=10.0, max_open=300.0, give_up=4),
    )
    return RunRules(
        Scope(ScopeSettings(mode="any"), ()),
        KeyRules(),
        PolitenessSettings(gate),
        RetrySettings(options.retries, base_delay=options.backoff, max_delay=max(60.0, options.backoff)),
        RobotsSettings(options.user_agent, "ignore"),
    )
