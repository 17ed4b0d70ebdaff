"""What a page holds: links, items, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from scraper.model.request import Request, RequestKind, Url


class OutOfScope(NamedTuple):
    """A URL that will not be asked for: one word why, and the rule that decided, readable by the user."""

    reason: str
    rule: str


class Link(NamedTuple):
    """A link found on a page, canonical, with its fate: `denied` is None when it is in scope.

    `kind` says what to ask for it as. `nofollow` marks links that the page asked robots not to follow.
    """

    url: Url
    denied: OutOfScope | None = None
    kind: RequestKind = "page"
    nofollow: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One extracted record. `rule` is the index of the extraction rule in the config, from 0."""

    fields: Mapping[str, Any]
    rule: int = 0


@dataclass(frozen=True, slots=True)
class FieldError:
    """A field that could not be read, and why. `kept` says whether there is an item all the same, without it."""

    field: str
    reason: str
    rule: int = 0
    item_kept: bool = True


@dataclass(frozen=True, slots=True)
class Extraction:
    """What extraction found on a page.

    `links` holds each distinct canonical URL once, in document order. `requests` are what rules ask for, in scope; they
    go before a link to the same page. `noindex` and `nofollow` are the page's
    own directives (meta robots and X-Robots-Tag). `charset` is the encoding the text was read as.
    """

    links: tuple[Link, ...] = ()
    items: tuple[Item, ...] = ()
    field_errors: tuple[FieldError, ...] = ()
    canonical: str | None = None
    noindex: bool = False
    nofollow: bool = False
    charset: str | None = None
    problem: str | None = None
    requests: tuple[Request, ...] = ()
