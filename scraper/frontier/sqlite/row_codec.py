"""A request as columns of a row, and back, exactly. What can be derived or is at its default is not stored."""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import Any, cast

from scraper.model import Content, Hop, Kind, Request, Try, Url

REQUEST_COLUMNS = "depth, kind, href, key, parent, extra"
Columns = tuple[int, str | None, str, str | None, str | None, str | None]
"""depth; kind unless `page`; href; key where it differs; parent; rarer fields as JSON, or None."""


def _origin(href: str, host: str) -> str:
    return ("https://" if href.startswith("https:") else "http://") + host


def url_columns(url: Url) -> tuple[str, str | None]:
    """`url` as href, and its key where that differs."""
    href, key, _, _ = url
    return href, None if key == href else key


def encode(request: Request) -> Columns:
    """The columns of `request`; host and priority are stored beside them."""
    href, key, host, origin = request.url
    extra = None
    if (
        request.attempt
        or request.slowdowns
        or request.hops
        or request.label is not None
        or request.nesting
        or request.carried is not None
        or request.content is not None
        or request.posts
        or request.tries
        or origin != _origin(href, host)
    ):
        extra = _extra(request)
    kind = request.kind
    return (
        request.depth,
        None if kind == "page" else kind,
        href,
        None if key == href else key,
        request.parent,
        extra,
    )


def _extra(request: Request) -> str:
    fields: dict[str, Any] = {}
    href, _, host, origin = request.url
    if origin != _origin(href, host):
        fields["origin"] = origin
    if request.attempt:
        fields["attempt"] = request.attempt
    if request.slowdowns:
        fields["slowdowns"] = request.slowdowns
    if request.hops:
        fields["hops"] = request.hops
    if request.label is not None:
        fields["label"] = request.label
    if request.nesting:
        fields["nesting"] = request.nesting
    if request.carried is not None:
        fields["carried"] = dict(request.carried)
    if request.content is not None:
        # Latin-1 has a character for every byte, so any bytes come back as they were.
        fields["content"] = [request.content.data.decode("latin-1"), request.content.type]
    if request.posts:
        fields["posts"] = request.posts
    if request.tries:
        fields["tries"] = request.tries
    return json.dumps(fields)


def decode(host: str, priority: int, columns: Columns) -> Request:
    """The request that `encode` made `columns` of."""
    depth, kind, href, key, parent, text = columns
    if not text:
        url = Url(href, href if key is None else key, host, _origin(href, host))
        return Request(url, depth, parent, cast(Kind, kind or "page"), priority)
    extra: dict[str, Any] = json.loads(text)
    origin = extra["origin"] if "origin" in extra else _origin(href, host)
    url = Url(href, href if key is None else key, host, origin)
    return Request(
        url,
        depth,
        parent,
        cast(Kind, kind or "page"),
        priority,
        extra.get("attempt", 0),
        extra.get("slowdowns", 0),
        tuple(Hop(*hop) for hop in extra.get("hops", ())),
        extra.get("label"),
        extra.get("nesting", 0),
        extra.get("carried"),
        Content(extra["content"][0].encode("latin-1"), extra["content"][1]) if "content" in extra else None,
        tuple(extra.get("posts", ())),
        tuple(Try(*one) for one in extra.get("tries", ())),
    )


def chain_in(text: str | None) -> tuple[tuple[str, str | None], ...]:
    """What redirected on the way to a request, from its column `extra`: each URL, and the key of a POST."""
    extra: dict[str, Any] = json.loads(text) if text else {}
    return tuple(zip_longest((hop[0] for hop in extra.get("hops", ())), extra.get("posts", ())))
