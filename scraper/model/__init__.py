"""The values that cross from room to room. All are frozen; none knows how it came to be or where it goes.

A URL's life in these words: a `Request` waits in the frontier, is leased (`Lease`), fetched to an `Outcome`
(`Response`, `Failure`, `Denied`, `NotModified`), harvested (`Extraction`), judged (`Verdict`) and settled
(`Settlement`); what sinks and users see of it is a `Result`.

`Url`, `Link` and `Lease` are named tuples and not dataclasses: a page brings a hundred links, and a frozen
dataclass costs four times as much to make.
"""

from __future__ import annotations

from scraper.model.entry_state import EntryState
from scraper.model.extraction import Extraction, FieldError, Item, Link, OutOfScope
from scraper.model.request import (
    MAX_CONTENT_BYTES,
    Attempt,
    Content,
    Hop,
    Lease,
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

__all__ = [
    "MAX_CONTENT_BYTES",
    "REDIRECT_STATUSES",
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
    "Release",
    "Request",
    "RequestKind",
    "Response",
    "Result",
    "Retry",
    "Settlement",
    "Skip",
    "Url",
    "Verdict",
    "entry_of",
]
