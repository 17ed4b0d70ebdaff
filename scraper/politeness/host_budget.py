"""A limit on how many pages are fetched from one host."""

from __future__ import annotations

import math

from scraper.events import HostParked
from scraper.model import NotModified, Outcome, Response
from scraper.politeness.host_health import health_of_status
from scraper.politeness.rule import parse_numbers

# The highest count that is read back from stored state: the last integer that a float holds exactly.
MAX_PAGE_COUNT = 2**53


class PageBudget:
    """At most `limit` pages of a host (None for no limit).

    A page is a complete response to a request for a page, 404 included; redirects, responses that will be retried,
    robots.txt, sitemaps and files do not count. Requests in flight are counted as if they would succeed, so that the
    limit is never exceeded; one that fails is taken off again.
    """

    __slots__ = ("_host", "_in_flight", "_limit", "pages")
    name = "pages"

    def __init__(self, host: str, limit: int | None) -> None:
        self._host = host
        self._limit = math.inf if limit is None else limit
        self._in_flight = 0
        self.pages = 0

    @property
    def used_up(self) -> bool:
        """The limit is reached: no more requests to this host in this run."""
        return self.pages >= self._limit

    def on_start(self, now: float) -> None:
        """Reserve one page."""
        self._in_flight += 1

    def on_finish(self, outcome: Outcome, now: float, *_: object) -> tuple[HostParked, ...]:
        """Turn the reservation into a page, or cancel it."""
        if self._in_flight:
            self._in_flight -= 1
        if not _counts_as_page(outcome):
            return ()
        self.pages += 1
        return (HostParked(now, self._host, math.inf, self.wait_reason()),) if self.pages == self._limit else ()

    def ready_at(self) -> float:
        """`math.inf` while pages and reservations together reach the limit."""
        return math.inf if self.pages + self._in_flight >= self._limit else 0.0

    def wait_reason(self) -> str:
        """The limit, and how much of it was fetched."""
        return f"max_pages_per_host: {self.pages} of {self._limit:.0f} pages fetched"

    def dump_state(self) -> list[float | int | str] | None:
        """The number of pages."""
        return [self.pages] if self.pages else None

    def load_state(self, raw: object) -> None:
        """Restore the number of pages."""
        if found := parse_numbers(raw, 1, MAX_PAGE_COUNT):
            self.pages = int(found[0])


def _counts_as_page(outcome: Outcome) -> bool:
    if outcome.request.kind != "page":
        return False
    if isinstance(outcome, Response):
        redirect = 300 <= outcome.status < 400
        return not redirect and health_of_status(outcome.status) != "failed"
    return isinstance(outcome, NotModified)
