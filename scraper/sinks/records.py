"""Results as records, and records as lines of JSON.

Values keep their type where JSON has it. `Decimal` becomes a string ("19.90"), because most readers parse a JSON number
as a binary fraction and lose digits; so does an integer beyond 64 bits. Dates are ISO 8601. NaN and infinity, which
JSON does not have, become null. Lone surrogates, which are not valid Unicode, become question marks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import orjson

from scraper.model import Attempt, Body, Content, Failure, Headers, Item, Request, Response, Result
from scraper.sinks.file_paths import stored_path
from scraper.urls.post_secrets import mask_secrets

# What hooks nest deeper is written as "...". orjson itself gives up at 254.
MAX_JSON_DEPTH = 32
# Of a posted body a record shows this much.
MAX_POST_BODY_CHARS = 500
MAX_CONTENT_TYPE_BYTES = 200

_STATUS_PHRASES = {status.value: f"HTTP {status.value} {status.phrase}" for status in HTTPStatus}
_INT64_LIMIT = 2**63
# 3,010 digits. str() refuses integers of more than 4,300, and takes quadratic time.
_MAX_DECIMAL_BITS = 10_000


def page_record(result: Result) -> dict[str, Any]:
    """The record of one URL in pages.jsonl.

    Always there: `fetched_at` is ISO 8601 in UTC with milliseconds; `bytes` the decoded body's size (of a failure: the
    bytes received); `attempts` how often the URL was requested; `redirects` the URLs that redirected here, oldest
    first.

    Only where they apply: the body's digest under its algorithm's name, `xxh3` or `sha256`; `path` of a stored file,
    relative to the output folder; `canonical_url`, `noindex`, `duplicate_of`; `items` (how many), `rejected`,
    `problem`; of a POST `method` and the beginning of its `body`; `label` and `carried` (the fields of the page that
    led here) of a failure; `tries`, the latest failed attempts.
    """
    request, outcome, extraction = result.request, result.outcome, result.extraction
    status, error, detail, size, body = result.status, None, None, 0, None
    if isinstance(outcome, Response):
        body = outcome.body
        size = body.size
        if outcome.status >= 400:
            error, detail = "http", _status_phrase(outcome.status)
    elif isinstance(outcome, Failure):
        error, detail, size = str(outcome.error), outcome.detail, outcome.received
    href, hops = request.url.href, request.redirects
    record: dict[str, Any] = {
        "url": href,
        "requested_url": hops[0].url if hops else href,
        "kind": request.kind,
        "status": status,
        "error": error,
        "error_detail": detail,
        "depth": max(request.depth, 0),  # a sitemap of seeds stands above them
        "parent": request.parent,
        "fetched_at": iso_timestamp(outcome.started_at),
        "content_type": _content_type(outcome.headers),
        "bytes": size,
        "attempts": request.attempt + request.slowdowns + 1,
        "elapsed_ms": round(outcome.elapsed * 1000.0, 1),
        "redirects": [{"url": hop.url, "status": hop.status} for hop in hops],
    }
    if request.content is not None or request.posted_keys:
        _add_post(record, request)
    if error is not None:
        _add_origin(record, request)
    if request.failed_attempts:
        record["tries"] = [attempt_record(one, request) for one in request.failed_attempts]
    if body is not None:
        _add_digest(record, body)
    if request.kind == "file" and (path := stored_path(result)) is not None:
        record["path"] = path
    if result.duplicate_of is not None:
        record["duplicate_of"] = result.duplicate_of
    if extraction.canonical is not None:
        record["canonical_url"] = extraction.canonical
    if extraction.noindex:
        record["noindex"] = True
    if extraction.items:
        record["items"] = len(extraction.items)
    if extraction.field_errors:
        record["rejected"] = [{"field": r.field, "reason": r.reason, "rule": r.rule} for r in extraction.field_errors]
    if extraction.problem is not None:
        record["problem"] = extraction.problem
    return record


def _add_post(record: dict[str, Any], request: Request) -> None:
    for hop, _ in zip(record["redirects"], request.posted_keys, strict=False):
        hop["method"] = "POST"
    if request.content is not None:
        record["method"] = request.method
        record["body"] = abbreviate_body(request.content)


def _add_origin(record: dict[str, Any], request: Request) -> None:
    """What the page that led here gave along: without it a failed URL could not be asked for again."""
    if request.label is not None:
        record["label"] = request.label
    if request.inherited_fields is not None:
        record["carried"] = dict(request.inherited_fields)


def abbreviate_body(content: Content) -> str:
    """The beginning of a posted body as text, with dots when there is more; secrets are masked."""
    text = mask_secrets(content.data.decode("utf-8", "replace"))
    return text if len(text) <= MAX_POST_BODY_CHARS else f"{text[:MAX_POST_BODY_CHARS]}..."


def attempt_record(attempt: Attempt, request: Request) -> dict[str, Any]:
    """A failed attempt. `wait_s`: seconds planned until the next; `url`: given if a later one was redirected."""
    is_response = attempt.error is None and attempt.status is not None
    record: dict[str, Any] = {
        "attempt": attempt.number,
        "at": iso_timestamp(attempt.started_at),
        "status": attempt.status,
        "error": "http" if is_response else attempt.error,
        "detail": "; ".join(filter(None, (_status_phrase(attempt.status) if is_response else "", attempt.detail))),
        "elapsed_ms": round(attempt.elapsed * 1000.0, 1),
        "wait_s": round(attempt.wait, 3),
    }
    if attempt.redirects < len(request.redirects):
        record["url"] = request.redirects[attempt.redirects].url
    return record


def _status_phrase(status: int | None) -> str:
    return _STATUS_PHRASES.get(status or 0) or f"HTTP {status}"


def item_record(result: Result, item: Item) -> dict[str, Any]:
    """The record of one item: the page's `url`, then the fields. A field called `url` replaces the page's."""
    return {"url": result.url, **item.fields}


def iso_timestamp(instant: float) -> str | None:
    """`instant` (epoch seconds) as ISO 8601 in UTC with milliseconds; None for what is outside the range of dates."""
    try:
        second = int(instant)
        # The same rounding as `datetime.fromtimestamp`: to a microsecond first. That may reach the next second, which
        # the slow way below handles.
        microseconds = round((instant - second) * 1e6)
        if 0 <= microseconds < 1_000_000:
            return f"{_iso_second(second)}.{microseconds // 1000:03}Z"
        return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    except (ValueError, OverflowError, OSError):
        return None


@lru_cache(maxsize=16)
def _iso_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:-6]


def to_json(record: Mapping[str, Any]) -> bytes:
    """`record` as one line of JSON, newline included. Never raises: what JSON does not have becomes text."""
    try:
        return orjson.dumps(record, default=as_text, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
    except (TypeError, RecursionError):
        return orjson.dumps(_to_json_types(record), option=orjson.OPT_APPEND_NEWLINE)


def as_text(value: object) -> str:
    """`value` as text, valid Unicode: exact for numbers, ISO 8601 for dates, JSON for lists and mappings."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        text = value.isoformat()
        return text[:-6] + "Z" if text.endswith("+00:00") else text
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list | tuple | dict):
        return orjson.dumps(_to_json_types(value)).decode("utf-8")
    if isinstance(value, int) and not -_INT64_LIMIT <= value < _INT64_LIMIT:
        return str(value) if value.bit_length() < _MAX_DECIMAL_BITS else hex(value)
    if isinstance(value, int | float | Decimal):
        return str(value)
    return _text_of_object(value)


def _text_of_object(value: object) -> str:
    try:
        return as_text(str(value))
    except Exception:  # noqa: BLE001  hooks may put any object into an item, and its __str__ may raise anything
        return f"<{type(value).__name__}>"


def _to_json_types(value: object, depth: int = 0) -> Any:
    """A copy of `value` made only of types that orjson accepts."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and -_INT64_LIMIT <= value < _INT64_LIMIT:
        return int(value)
    if depth >= MAX_JSON_DEPTH and isinstance(value, Mapping | list | tuple):
        return "..."
    if isinstance(value, Mapping):
        return {as_text(k): _to_json_types(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json_types(v, depth + 1) for v in value]
    return as_text(value)


def _content_type(headers: Headers) -> str | None:
    for name, value in headers.raw:
        if len(name) == 12 and name.lower() == b"content-type":
            return value[:MAX_CONTENT_TYPE_BYTES].decode("latin-1").strip()
    return None


def _add_digest(record: dict[str, Any], body: Body) -> None:
    algorithm, _, digest = body.digest.partition(":")
    if digest:
        record[algorithm] = digest
