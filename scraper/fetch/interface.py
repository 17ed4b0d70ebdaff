"""The ports of the fetchers: what asks for a URL, and whom it must ask before it sends more than one request for it.

A request goes in, an outcome comes out. Everything HTTP stays behind it.
"""

from __future__ import annotations

from typing import Protocol

from scraper.model import Outcome, Request


class Fetcher(Protocol):
    """Asks for one URL. A renderer (browser) is another implementation, chosen per rule."""

    async def fetch(self, request: Request) -> Outcome:
        """Ask for `request.url.href` once; follow no redirect, retry nothing, wait for no rule.

        A complete response, whatever its status, is a `Response`; 304 is `NotModified`; an address that may not be
        connected to is `Denied`; everything else is a `Failure` with its kind. Raises nothing but
        `asyncio.CancelledError` (after cleaning up) and `SinkError` when the spool folder cannot be written.
        """
        ...

    async def aclose(self) -> None:
        """Close connections and delete what is spooled."""
        ...


class SlotProvider(Protocol):
    """Places for further requests to a host beside those that `Fetcher.fetch` was called for.

    All of it answers at once: politeness is decided here as for any request, and nobody waits for it.
    """

    def acquire(self, host: str) -> bool:
        """Whether one more request may be sent to `host` now; it counts as under way until `release`.

        Only where a place is free that no waiting request could take.
        """
        ...

    def renew(self, host: str, outcome: Outcome) -> bool:
        """Whether a request to `host` that ended as `outcome` may be followed by another in its place, now."""
        ...

    def release(self, host: str, outcome: Outcome) -> None:
        """A request that was claimed, or one in whose place it goes on, ended as `outcome`."""
        ...

    def contended(self, host: str) -> bool:
        """Whether requests to `host` wait, to which those that were claimed should make way."""
        ...


class NoSlots:
    """`SlotProvider` where there is none to spare: one request follows the other."""

    def acquire(self, host: str) -> bool:
        """Never."""
        return False

    def renew(self, host: str, outcome: Outcome) -> bool:
        """Always."""
        return True

    def release(self, host: str, outcome: Outcome) -> None:
        """There is nothing to release."""

    def contended(self, host: str) -> bool:
        """Never."""
        return False
