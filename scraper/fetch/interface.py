"""The port for asking: a request goes in, an outcome comes out. Everything HTTP stays behind it."""

from __future__ import annotations

from typing import Protocol

from scraper.model import Outcome, Request


class Fetcher(Protocol):
    """Asks for one URL. A renderer (browser) is another implementation, chosen per rule."""

    async def fetch(self, request: Request) -> Outcome:
        """Ask for `request.url.href` once; follow no redirect, retry nothing, wait for no rule.

        A complete response, whatever its status, is a `Page`; 304 is `NotModified`; an address that may not be
        connected to is `Denied`; everything else is a `Failure` with its kind. Raises nothing but
        `asyncio.CancelledError` (after cleaning up) and `SinkError` when the spool folder cannot be written.
        """
        ...

    async def aclose(self) -> None:
        """Close connections and delete what is spooled."""
        ...
