"""scraper: a crawler and bulk downloader, polite by default, fast when allowed, resumable always.

    summary = await scraper.crawl("books.yaml")

    async with scraper.Crawler("books.yaml") as crawler:
        async for result in crawler.results():
            ...

The names in `__all__` are public; everything else may change. They are imported when first used, so that the command
line starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from scraper.config.reading.load import load_config
    from scraper.config.schema.crawl import CrawlConfig
    from scraper.crawler import Crawler, Summary, crawl
    from scraper.downloader import Downloader, DownloadOptions, DownloadSummary, download
    from scraper.engine.run_state import StopReason
    from scraper.errors import (
        ConfigError,
        FrontierError,
        HookError,
        MissingExtraError,
        PluginError,
        RunLockedError,
        ScraperError,
        SinkError,
    )
    from scraper.events import Event, Listener
    from scraper.extract.interface import Extractor
    from scraper.fetch.interface import Fetcher
    from scraper.frontier.interface import Drained, Frontier, FrontierView, Granted, InspectableFrontier, Wait
    from scraper.hooks.interface import Hook
    from scraper.model import (
        Body,
        Denied,
        ErrorKind,
        Extraction,
        Failure,
        FieldError,
        Headers,
        Item,
        Lease,
        Link,
        NotModified,
        Outcome,
        Request,
        Response,
        Result,
        Settlement,
        Skip,
        Url,
    )
    from scraper.plugins import PluginContext
    from scraper.sinks.interface import Sink

__all__ = [
    "Body",
    "ConfigError",
    "CrawlConfig",
    "Crawler",
    "Denied",
    "DownloadOptions",
    "DownloadSummary",
    "Downloader",
    "Drained",
    "ErrorKind",
    "Event",
    "Extraction",
    "Extractor",
    "Failure",
    "Fetcher",
    "FieldError",
    "Frontier",
    "FrontierError",
    "FrontierView",
    "Granted",
    "Headers",
    "Hook",
    "HookError",
    "InspectableFrontier",
    "Item",
    "Lease",
    "Link",
    "Listener",
    "MissingExtraError",
    "NotModified",
    "Outcome",
    "PluginContext",
    "PluginError",
    "Request",
    "Response",
    "Result",
    "RunLockedError",
    "ScraperError",
    "Settlement",
    "Sink",
    "SinkError",
    "Skip",
    "StopReason",
    "Summary",
    "Url",
    "Wait",
    "__version__",
    "crawl",
    "download",
    "load_config",
]

_HOME = {
    "scraper.config.reading.load": ("load_config",),
    "scraper.config.schema.crawl": ("CrawlConfig",),
    "scraper.crawler": (
        "Crawler",
        "Summary",
        "crawl",
    ),
    "scraper.downloader": (
        "DownloadOptions",
        "DownloadSummary",
        "Downloader",
        "download",
    ),
    "scraper.engine.run_state": ("StopReason",),
    "scraper.errors": (
        "ConfigError",
        "FrontierError",
        "HookError",
        "MissingExtraError",
        "PluginError",
        "RunLockedError",
        "ScraperError",
        "SinkError",
    ),
    "scraper.events": (
        "Event",
        "Listener",
    ),
    "scraper.extract.interface": ("Extractor",),
    "scraper.fetch.interface": ("Fetcher",),
    "scraper.frontier.interface": (
        "Drained",
        "Frontier",
        "FrontierView",
        "Granted",
        "InspectableFrontier",
        "Wait",
    ),
    "scraper.hooks.interface": ("Hook",),
    "scraper.model": (
        "Body",
        "Denied",
        "ErrorKind",
        "Extraction",
        "Failure",
        "FieldError",
        "Headers",
        "Item",
        "Lease",
        "Link",
        "NotModified",
        "Outcome",
        "Request",
        "Response",
        "Result",
        "Settlement",
        "Skip",
        "Url",
    ),
    "scraper.plugins": ("PluginContext",),
    "scraper.sinks.interface": ("Sink",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'scraper' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
