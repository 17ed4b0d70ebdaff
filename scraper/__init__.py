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
    from scraper.errors import (
        ConfigError,
        FrontierError,
        HookError,
        MissingExtraError,
        RunLockedError,
        ScraperError,
        SinkError,
    )
    from scraper.events import Event, Listener
    from scraper.hooks.interface import Hook
    from scraper.model import ErrorKind, Failure, Item, Request, Response, Result, Url

__all__ = [
    "ConfigError",
    "CrawlConfig",
    "Crawler",
    "DownloadOptions",
    "DownloadSummary",
    "Downloader",
    "ErrorKind",
    "Event",
    "Failure",
    "FrontierError",
    "Hook",
    "HookError",
    "Item",
    "Listener",
    "MissingExtraError",
    "Request",
    "Response",
    "Result",
    "RunLockedError",
    "ScraperError",
    "SinkError",
    "Summary",
    "Url",
    "__version__",
    "crawl",
    "download",
    "load_config",
]

_HOME = {
    "scraper.config.reading.load": ("load_config",),
    "scraper.config.schema.crawl": ("CrawlConfig",),
    "scraper.crawler": ("Crawler", "Summary", "crawl"),
    "scraper.downloader": ("DownloadOptions", "DownloadSummary", "Downloader", "download"),
    "scraper.errors": (
        "ConfigError",
        "FrontierError",
        "HookError",
        "MissingExtraError",
        "RunLockedError",
        "ScraperError",
        "SinkError",
    ),
    "scraper.events": ("Event", "Listener"),
    "scraper.hooks.interface": ("Hook",),
    "scraper.model": ("ErrorKind", "Failure", "Item", "Response", "Request", "Result", "Url"),
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
