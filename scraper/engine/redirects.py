"""Where a redirect leads. Each redirect makes a request of its own, which goes back to the frontier.

So every rule holds for it as for any URL (scope here, robots.txt and politeness at the lease, addresses at the
connection), and no worker waits for another host. RFC 9110 section 15.4.
"""

from __future__ import annotations

from dataclasses import replace

from scraper.model import REDIRECT_STATUSES, ErrorKind, Failure, Hop, OutOfScope, Request, Response
from scraper.urls.canonicalize import BaseUrl, KeyRules, canonicalize
from scraper.urls.post_identity import with_post_key
from scraper.urls.scope import Scope

# Repeat the request with the same method and content (RFC 9110 sections 15.4.8 and 15.4.9).
METHOD_KEEPING_STATUSES = frozenset({307, 308})


def is_redirect(response: Response) -> bool:
    """Whether the response sends the client to another URL."""
    return response.status in REDIRECT_STATUSES and response.headers.get("location") is not None


def redirect_request(
    response: Response, scope: Scope | None, key_rules: KeyRules, max_redirects: int
) -> Request | Failure:
    """The request for the redirect's target, or a permanent failure that says why it will not be followed.

    A seed may lead to another host: the page there is fetched, the scope does not widen. Any other target must be in
    scope, and so must every other origin that content would be sent to. Without `scope`, any host may be requested.

    After 301, 302 and 303 a POST becomes a GET, as in every browser; 307 and 308 keep method and content.
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

    # Not followed: 1. one redirect too many.
    if len(request.redirects) >= max_redirects:
        return refuse(ErrorKind.REDIRECT, f"more than {max_redirects} redirects")
    target = canonicalize(_as_utf8(location), BaseUrl.of(request.url), key_rules)
    # 2. A target that is no URL, or of another scheme.
    if isinstance(target, OutOfScope):
        kind = ErrorKind.SCHEME if target.reason == "scheme" else ErrorKind.REDIRECT
        return refuse(kind, f"redirect to an unusable address: {target.rule}")
    content = request.content if response.status in METHOD_KEEPING_STATUSES else None
    # 3. A target out of scope.
    is_seed = request.depth == 0 and request.parent is None
    sends_elsewhere = content is not None and target.origin != request.url.origin
    if scope is not None and (not is_seed or sends_elsewhere) and request.kind == "page":
        # Of depth 0 and with a parent: a sitemap among the seeds lists it, so it is a seed.
        denied = scope.check(target, request.depth) if request.depth else scope.check_listed(target)
        if denied is not None:
            return refuse(ErrorKind.SCOPE, f"redirect out of scope: {denied.rule}")
    # A new URL starts with a full budget of attempts.
    hops = (*request.redirects, Hop(request.url.href, response.status))
    onward = replace(request, url=target, attempt=0, slowdowns=0, redirects=hops)
    if request.content is None:
        return onward
    return replace(
        onward, url=with_post_key(target, content), content=content, posted_keys=(*request.posted_keys, request.url.key)
    )


def revisits_own_chain(target: Request) -> bool:
    """Whether a redirect's target was requested earlier in the same chain (a test for cookies, for example).

    Then it is requested again and is no duplicate. A GET of a URL that was posted to does not count: that is another
    request, with a record of its own.
    """
    hops = target.redirects[len(target.posted_keys) :] if target.content is None else target.redirects
    return any(target.url.href == hop.url for hop in hops)


def _as_utf8(location: str) -> str:
    # Header values are latin-1 text here, but servers that send raw bytes above 127 mean UTF-8, as browsers assume.
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location
