"""The values that packages exchange. All are frozen, and none depends on who made it or who takes it.

The life of a URL in these words: a `Request` is queued in the frontier, leased (`Lease`), fetched to an `Outcome`
(`Response`, `Failure`, `Denied`, `NotModified`), read (`Extraction`), and settled (`Settlement`) with a `Verdict`. What
sinks and users see of it is a `Result`.

`Url`, `Link` and `Lease` are named tuples and not dataclasses: a page has a hundred links, and a frozen dataclass
takes four times as long to make.
"""

from __future__ import annotations

from scraper.model.entry_state import EntryState
from scraper.model.extraction import Extraction, FieldError, Item, Link, OutOfScope
from scraper.model.request import (
    MAX_CONTENT_BYTES,
    SEED_SITEMAP_DEPTH,
    Attempt,
    Content,
    Hop,
    Lease,
    Priority,
    Request,
    RequestKind,
    Url,
    entry_of,
)
from scraper.model.response import (
    REDIRECT_STATUSES,
    Body,
    Denied,
    ErrorKind,
    Failure,
    FieldList,
    Headers,
    NotModified,
    Outcome,
    Response,
)
from scraper.model.settlement import Done, Drop, Release, Result, Retry, Settlement, Skip, Verdict
from scraper.model.stop_kind import StopKind

__all__ = [
    "MAX_CONTENT_BYTES",
    "REDIRECT_STATUSES",
    "SEED_SITEMAP_DEPTH",
    "Attempt",
    "Body",
    "Content",
    "Denied",
    "Done",
    "Drop",
    "EntryState",
    "ErrorKind",
    "Extraction",
    "Failure",
    "FieldError",
    "FieldList",
    "Headers",
    "Hop",
    "Item",
    "Lease",
    "Link",
    "NotModified",
    "OutOfScope",
    "Outcome",
    "Priority",
    "Release",
    "Request",
    "RequestKind",
    "Response",
    "Result",
    "Retry",
    "Settlement",
    "Skip",
    "StopKind",
    "Url",
    "Verdict",
    "entry_of",
]
