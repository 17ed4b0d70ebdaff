"""How a request is settled in the frontier, and what sinks and users see of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from scraper.model.extraction import Extraction, Item
from scraper.model.request import Lease, Request, Url
from scraper.model.response import ErrorKind, Failure, NotModified, Response


@dataclass(frozen=True, slots=True)
class Done:
    """Finished: a record has been written."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Queue again for `at` (epoch seconds), as `request`: with its attempts counted, or a redirect's target."""

    at: float
    request: Request


@dataclass(frozen=True, slots=True)
class Drop:
    """Not requested, and will not be: listed in skipped.jsonl with its reason and rule."""

    reason: str
    rule: str


@dataclass(frozen=True, slots=True)
class Release:
    """Return the lease, as if it had never been taken."""


Verdict = Done | Retry | Drop | Release


class Skip(NamedTuple):
    """A URL that was found and not requested: one line of skipped.jsonl."""

    url: Url
    parent: str | None
    reason: str
    rule: str


class Settlement(NamedTuple):
    """How one lease ended; the frontier stores all of it in one transaction.

    `outcome_code` is what it is counted under (`engine.outcomes`): `ok`, `http_404`, an `ErrorKind` ...; empty if it
    is not counted. `wire_size` is bytes.
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
        """The URL of the outcome, after redirects."""
        return self.request.url.href

    @property
    def status(self) -> int | None:
        """The HTTP status, or None without a response."""
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
