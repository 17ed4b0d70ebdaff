"""The values that cross from room to room. All are frozen; none knows how it came to be or where it goes.

A URL's life in these words: a `Request` waits in the frontier, is leased (`Lease`), fetched to an `Outcome`
(`Page`, `Failure`, `Denied`, `NotModified`), harvested (`Harvest`), judged (`Verdict`) and settled
(`Settlement`); what sinks and users see of it is a `Result`.

`Url`, `Link` and `Lease` are named tuples and not dataclasses: a page brings a hundred links, and a frozen
dataclass costs four times as much to make.
"""

from __future__ import annotations

from scraper.model.extraction import Harvest, Item, Link, OutOfScope, Rejected
from scraper.model.request import MAX_CONTENT, Content, Hop, Kind, Lease, Request, Try, Url
from scraper.model.response import Body, Denied, ErrorKind, Failure, FieldList, Headers, NotModified, Outcome, Page
from scraper.model.settlement import Done, Drop, Release, Result, Retry, Settlement, Skip, Verdict

__all__ = [
    "MAX_CONTENT",
    "Body",
    "Content",
    "Denied",
    "Done",
    "Drop",
    "ErrorKind",
    "Failure",
    "FieldList",
    "Harvest",
    "Headers",
    "Hop",
    "Item",
    "Kind",
    "Lease",
    "Link",
    "NotModified",
    "OutOfScope",
    "Outcome",
    "Page",
    "Rejected",
    "Release",
    "Request",
    "Result",
    "Retry",
    "Settlement",
    "Skip",
    "Try",
    "Url",
    "Verdict",
]
