"""A bound on how many pages one host may give."""

from __future__ import annotations

import math

from scraper.events import HostParked
from scraper.model import NotModified, Outcome, Response
from scraper.politeness.host_health import health_of_status
from scraper.politeness.rule import parse_numbers

MAX_PAGE_COUNT = 2**53


class PageBudget:
    """At most `limit` pages of a host (None for no limit).

    A page is a complete answer to a request for a page, 404 included; redirects, answers that will be retried,
    robots.txt, sitemaps and files are not. Requests under way are counted as if they would succeed, so the limit
    is never overshot; one that fails gives its place back.
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
        """The limit is reached: this host will not be asked again."""
        return self.pages >= self._limit

    def on_start(self, now: float) -> None:
        """Reserve a place."""
        self._in_flight += 1

    def on_finish(self, outcome: Outcome, now: float, *_: object) -> tuple[HostParked, ...]:
        """Turn the place into a page, or give it back."""
        if self._in_flight:
            self._in_flight -= 1
        if not _is_page(outcome):
            return ()
        self.pages += 1
        return (HostParked(now, self._host, math.inf, self.wait_reason()),) if self.pages == self._limit else ()

    def ready_at(self) -> float:
        """`math.inf` when all places are taken."""
        return math.inf if self.pages + self._in_flight >= self._limit else 0.0

    def wait_reason(self) -> str:
        """The limit."""
        return f"max_pages_per_host: {self.pages} of {self._limit:.0f} pages fetched"

    def dump_state(self) -> list[float | int | str] | None:
        """How many pages there were."""
        return [self.pages] if self.pages else None

    def load_state(self, raw: object) -> None:
        """Take back how many pages there were."""
        if found := parse_numbers(raw, 1, MAX_PAGE_COUNT):
            self.pages = int(found[0])


def _is_page(outcome: Outcome) -> bool:
    if outcome.request.kind != "page":
        return False
    if isinstance(outcome, Response):
        redirect = 300 <= outcome.status < 400
        return not redirect and health_of_status(outcome.status) != "failed"
    return isinstance(outcome, NotModified)
