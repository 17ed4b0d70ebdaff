"""A request as columns of a row, and back without loss. What is at its default or can be derived is not stored."""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import Any, cast

from scraper.model import Attempt, Content, EntryState, Hop, Request, RequestKind, Url

REQUEST_COLUMNS = "depth, kind, href, key, parent, extra"
# depth; kind unless it is "page"; href; key unless it equals href; parent; the rarer fields as JSON, or None.
RequestColumns = tuple[int, str | None, str, str | None, str | None, str | None]


def _default_origin(href: str, host: str) -> str:
    return ("https://" if href.startswith("https:") else "http://") + host


def url_columns(url: Url) -> tuple[str, str | None]:
    """The href of `url`, and its key unless that is the href."""
    href, key, _, _ = url
    return href, None if key == href else key


def encode_request(request: Request) -> RequestColumns:
    """The columns of `request`. Its host and priority have columns of their own."""
    href, key, host, origin = request.url
    extra = None
    if (
        request.attempt
        or request.slowdowns
        or request.redirects
        or request.label is not None
        or request.entry is not None
        or request.sitemap_depth
        or request.inherited_fields is not None
        or request.content is not None
        or request.posted_keys
        or request.failed_attempts
        or request.earlier_pages
        or origin != _default_origin(href, host)
    ):
        extra = _encode_extra(request)
    kind = request.kind
    return (
        request.depth,
        None if kind == "page" else kind,
        href,
        None if key == href else key,
        request.parent,
        extra,
    )


def _encode_extra(request: Request) -> str:
    # The names are in the files of earlier versions (hops, nesting, carried, posts, tries): they must stay.
    fields: dict[str, Any] = {}
    href, _, host, origin = request.url
    if origin != _default_origin(href, host):
        fields["origin"] = origin
    if request.attempt:
        fields["attempt"] = request.attempt
    if request.slowdowns:
        fields["slowdowns"] = request.slowdowns
    if request.redirects:
        fields["hops"] = request.redirects
    if request.label is not None:
        fields["label"] = request.label
    if request.entry is not None:
        # A download has no labels; its entries are stored in their field.
        fields["label"] = request.entry.to_json()
    if request.sitemap_depth:
        fields["nesting"] = request.sitemap_depth
    if request.inherited_fields is not None:
        fields["carried"] = dict(request.inherited_fields)
    if request.content is not None:
        # JSON has no bytes. Latin-1 maps each byte to one character and back.
        fields["content"] = [request.content.data.decode("latin-1"), request.content.type]
    if request.posted_keys:
        fields["posts"] = request.posted_keys
    if request.failed_attempts:
        fields["tries"] = request.failed_attempts
    if request.earlier_pages:
        fields["pages"] = request.earlier_pages
    return json.dumps(fields)


def decode_request(host: str, priority: int, columns: RequestColumns) -> Request:
    """The request that `encode_request` gave `columns` for. Fields an earlier version did not know get defaults."""
    depth, kind, href, key, parent, text = columns
    if not text:
        url = Url(href, href if key is None else key, host, _default_origin(href, host))
        return Request(url, depth, parent, cast(RequestKind, kind or "page"), priority)
    extra: dict[str, Any] = json.loads(text)
    origin = extra["origin"] if "origin" in extra else _default_origin(href, host)
    url = Url(href, href if key is None else key, host, origin)
    label: str | None = extra.get("label")
    entry: EntryState | None = None
    # Labels choose rules, and rules are for pages: with a file request the column holds its entry, a JSON array.
    if label is not None and kind == "file" and label.startswith("["):
        entry, label = EntryState.from_json(label), None
    return Request(
        url,
        depth,
        parent,
        cast(RequestKind, kind or "page"),
        priority,
        extra.get("attempt", 0),
        extra.get("slowdowns", 0),
        tuple(Hop(*hop) for hop in extra.get("hops", ())),
        label,
        extra.get("nesting", 0),
        extra.get("carried"),
        Content(extra["content"][0].encode("latin-1"), extra["content"][1]) if "content" in extra else None,
        tuple(extra.get("posts", ())),
        tuple(Attempt(*one) for one in extra.get("tries", ())),
        entry,
        tuple(extra.get("pages", ())),
    )


def redirect_chain(text: str | None) -> tuple[tuple[str, str | None], ...]:
    """The redirects that led to a request, from its column `extra`: each URL, with its key if it was a POST."""
    extra: dict[str, Any] = json.loads(text) if text else {}
    return tuple(zip_longest((hop[0] for hop in extra.get("hops", ())), extra.get("posts", ())))
