"""The interfaces of fetchers: `Fetcher` fetches a URL; `SlotProvider` permits it more than one request for that.

A request goes in, an outcome comes out. Everything HTTP stays behind it.
"""

from __future__ import annotations

from typing import Protocol

from scraper.model import Outcome, Request


class Fetcher(Protocol):
    """Fetches one URL. A renderer (browser) is another implementation, chosen per rule."""

    async def fetch(self, request: Request) -> Outcome:
        """Request `request.url.href` once: follow no redirect, retry nothing, apply no politeness.

        A complete response, whatever its status, is a `Response`; 304 is `NotModified`; an address that must not be
        connected to is `Denied`; everything else is a `Failure` with its kind. Raises only `asyncio.CancelledError`
        (after cleaning up), and `SinkError` when the spool folder cannot be written.
        """
        ...

    async def aclose(self) -> None:
        """Close connections and delete spooled bodies."""
        ...


class SlotProvider(Protocol):
    """Permits further requests to a host, in addition to the one that `Fetcher.fetch` was called for.

    All methods return at once: the politeness rules hold as for any request, and nobody waits for a slot.
    """

    def acquire(self, host: str) -> bool:
        """Whether one more request may be sent to `host` now; it counts as in flight until `release`.

        True only if no queued request could use the slot.
        """
        ...

    def renew(self, host: str, outcome: Outcome) -> bool:
        """Whether a request to `host` that ended with `outcome` may be followed by another in the same slot, now."""
        ...

    def release(self, host: str, outcome: Outcome) -> None:
        """The last request in an acquired slot ended with `outcome`."""
        ...

    def contended(self, host: str) -> bool:
        """Whether requests to `host` are queued, so that acquired slots should be released."""
        ...


class NoSlots:
    """A `SlotProvider` without additional slots: one request follows the other."""

    def acquire(self, host: str) -> bool:
        """Never."""
        return False

    def renew(self, host: str, outcome: Outcome) -> bool:
        """Always."""
        return True

    def release(self, host: str, outcome: Outcome) -> None:
        """Nothing to release."""

    def contended(self, host: str) -> bool:
        """Never."""
        return False
