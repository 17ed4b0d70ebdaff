"""What a page contains: links, items, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from scraper.model.request import Request, RequestKind, Url


class OutOfScope(NamedTuple):
    """Why a URL will not be requested: a reason in one word, and the rule that decided, readable by the user."""

    reason: str
    rule: str


class Link(NamedTuple):
    """A canonical link found on a page. `denied` is None when it is in scope.

    `kind` is that of the request it becomes. `nofollow` links are those that the page asks robots not to follow.
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
    """A field that could not be read, and why. `item_kept`: the item exists all the same, without this field."""

    field: str
    reason: str
    rule: int = 0
    item_kept: bool = True


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was found on a page.

    `links` holds each canonical URL once, in document order. `requests` come from extraction rules and are in scope;
    one of them goes before a link to the same URL. `noindex` and `nofollow` are the page's own directives (meta robots
    and X-Robots-Tag). `canonical` is its canonical URL, `charset` the encoding it was read as. `problem` is a sentence
    when the page could not be read, or only in part. `login_form` is the page's title when it asks for a password, else
    None; `logged_out`: it lacks what `login.logged_in` looks for.
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
    login_form: str | None = None
    logged_out: bool = False
