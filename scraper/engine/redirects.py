"""Where a redirect leads. Each hop is a request of its own that goes back to the frontier.

So every rule holds for a hop as for any URL (scope here, robots and politeness at the lease, addresses at the
connection), and no fetcher waits for another host's turn. RFC 9110 section 15.4.
"""

from __future__ import annotations

from dataclasses import replace

from scraper.model import REDIRECT_STATUSES, ErrorKind, Failure, Hop, OutOfScope, Request, Response
from scraper.urls.canonicalize import BaseUrl, KeyRules, canonicalize
from scraper.urls.post_identity import with_post_key
from scraper.urls.scope import Scope

METHOD_KEEPING_STATUSES = frozenset({307, 308})
"""Redirects that repeat the request as it was, its method and content too."""


def is_redirect(response: Response) -> bool:
    """Whether the response asks to look elsewhere."""
    return response.status in REDIRECT_STATUSES and response.headers.get("location") is not None


def redirect_request(
    response: Response, scope: Scope | None, key_rules: KeyRules, max_redirects: int
) -> Request | Failure:
    """The request that the redirect asks for, or why it will not be followed.

    A seed may lead to another host (the page there is fetched, the scope does not widen); any other hop must be in
    scope itself, and so must every other origin that content would be sent to. Without `scope` any host is good.

    After 301, 302 and 303 a POST becomes a GET, as every browser does it; 307 and 308 keep method and content.
    """
    request = response.request
    location = response.headers.get("location") or ""

    def refuse(kind: ErrorKind, detail: str) -> Failure:
        return Failure(
            request,
            kind,
            detail,
            status=response.status,
            started_at=response.started_at,
            elapsed=response.elapsed,
            permanent=True,
        )

    if len(request.redirects) >= max_redirects:
        return refuse(ErrorKind.REDIRECT, f"more than {max_redirects} redirects")
    target = canonicalize(_as_utf8(location), BaseUrl.of(request.url), key_rules)
    if isinstance(target, OutOfScope):
        kind = ErrorKind.SCHEME if target.reason == "scheme" else ErrorKind.REDIRECT
        return refuse(kind, f"redirect to an unusable address: {target.rule}")
    content = request.content if response.status in METHOD_KEEPING_STATUSES else None
    is_seed = request.depth == 0 and request.parent is None
    sends_elsewhere = content is not None and target.origin != request.url.origin
    if scope is not None and (not is_seed or sends_elsewhere) and request.kind == "page":
        denied = scope.check(target, request.depth)
        if denied is not None:
            return refuse(ErrorKind.SCOPE, f"redirect out of scope: {denied.rule}")
    hops = (*request.redirects, Hop(request.url.href, response.status))
    onward = replace(request, url=target, attempt=0, slowdowns=0, redirects=hops)
    if request.content is None:
        return onward
    return replace(
        onward, url=with_post_key(target, content), content=content, posted_keys=(*request.posted_keys, request.url.key)
    )


def revisits_own_chain(hop: Request) -> bool:
    """Whether the hop's target is part of its own chain: then it is asked again, it is not a duplicate.

    A GET of what was posted to is another question: it may have a record of its own.
    """
    alike = hop.redirects[len(hop.posted_keys) :] if hop.content is None else hop.redirects
    return any(hop.url.href == earlier.url for earlier in alike)


def _as_utf8(location: str) -> str:
    # Headers are latin-1 text here; servers that send raw UTF-8 mean UTF-8, as browsers read it.
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location
