"""What becomes of a request in the end, as the frontier stores it and as sinks and users see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from scraper.model.extraction import Extraction, Item
from scraper.model.request import Lease, Request, Url
from scraper.model.response import ErrorKind, Failure, NotModified, Response


@dataclass(frozen=True, slots=True)
class Done:
    """Settled for good: a record has been written."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask again at `at` (epoch seconds), as `request` (attempts counted, or a redirect's target)."""

    at: float
    request: Request


@dataclass(frozen=True, slots=True)
class Drop:
    """Never asked, and will not be: goes to skipped.jsonl with its reason and rule."""

    reason: str
    rule: str


@dataclass(frozen=True, slots=True)
class Release:
    """Give the lease back untouched, as if it had never been taken."""


Verdict = Done | Retry | Drop | Release


class Skip(NamedTuple):
    """A URL seen and not asked for: what a line of skipped.jsonl holds."""

    url: Url
    parent: str | None
    reason: str
    rule: str


class Settlement(NamedTuple):
    """What became of one lease; the frontier stores all of it in one transaction.

    `outcome` is the word it is counted under: `ok`, `http_404`, or an `ErrorKind`. `wire_size` is bytes.
    """

    lease: Lease
    verdict: Verdict
    outcome_code: str = ""
    discovered: tuple[Request, ...] = ()
    skipped: tuple[Skip, ...] = ()
    wire_size: int = 0
    items: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """One finished URL, as sinks and `Crawler.results()` see it: request, outcome and what was found."""

    request: Request
    outcome: Response | Failure | NotModified
    extraction: Extraction = field(default_factory=Extraction)
    duplicate_of: str | None = None

    @property
    def url(self) -> str:
        """The URL that answered."""
        return self.request.url.href

    @property
    def status(self) -> int | None:
        """The HTTP status, or None when no response came."""
        if isinstance(self.outcome, NotModified):
            return 304
        return self.outcome.status

    @property
    def error(self) -> ErrorKind | None:
        """Why it failed, or None when the fetch succeeded."""
        if isinstance(self.outcome, Failure):
            return self.outcome.error
        if isinstance(self.outcome, Response) and self.outcome.status >= 400:
            return ErrorKind.HTTP
        return None

    @property
    def items(self) -> tuple[Item, ...]:
        """The extracted records."""
        return self.extraction.items
