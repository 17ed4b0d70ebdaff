"""The codes under which outcomes are counted: in the frontier, in events, and in the summary.

They are an interface: `pages.jsonl`, summary.json and the state file hold them.
"""

from __future__ import annotations

from scraper.model import Denied, Failure, NotModified, Outcome, Result


def outcome_code(outcome: Outcome) -> str:
    """`ok`, `http_404`, or the kind of the error.

    `not_followed` is a 3xx without a target, such as 300 without a Location. A redirect that was followed in vain (a
    loop, for example) is a failure of kind `redirect`.
    """
    match outcome:
        case Failure(error=error):
            return str(error)
        case Denied(reason=reason):
            return str(reason)
        case NotModified():
            return "ok"
        case response:
            if response.status >= 400:
                return f"http_{response.status}"
            return "ok" if response.status < 300 else "not_followed"


def settled_code(result: Result) -> str:
    """The code of a finished URL: that of its outcome, with `sitemap_` or `file_` before it unless it is a page.

    `sitemap_none` is a sitemap that does not exist: the default paths are tried, and most sites have none there.
    """
    code = "duplicate" if result.duplicate_of else outcome_code(result.outcome)
    kind = result.request.kind
    if kind == "sitemap" and code in ("http_404", "http_410"):
        code = "none"
    return code if kind == "page" else f"{kind}_{code}"


def counts_as_page(code: str) -> bool:
    """Whether URLs settled under `code` count towards `limits.max_pages`."""
    return not code.startswith(("sitemap_", "file_"))
