from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scraper.model import (
    Attempt,
    Body,
    ErrorKind,
    Extraction,
    Failure,
    FieldError,
    Headers,
    Hop,
    Item,
    NotModified,
    Response,
    Result,
)
from scraper.sinks.records import MAX_POST_BODY_CHARS, as_text, iso_timestamp, item_record, page_record, to_json
from scraper.testing.fakes import make_request
from scraper.testing.frontier_contract import make_post

URL = "https://books.example/a.html"
HEADERS = Headers([(b"Server", b"x"), (b"Content-TYPE", b"text/html; charset=utf-8")])
BODY = Body(size=30, wire_size=12, digest="xxh3:0123", data=b"x" * 30)


def page(status: int = 200, **changes: Any) -> Response:
    request = make_request(URL, **changes)
    return Response(request, status, HEADERS, BODY, started_at=1_700_000_000.1239, elapsed=0.12346)


def test_a_page_has_every_documented_key() -> None:
    """A fetched page's record has what was requested, what was received, when, and how large it was."""
    outcome = page(depth=2, parent="https://books.example/", attempt=1, slowdowns=2)
    assert page_record(Result(outcome.request, outcome)) == {
        "url": URL,
        "requested_url": URL,
        "kind": "page",
        "status": 200,
        "error": None,
        "error_detail": None,
        "depth": 2,
        "parent": "https://books.example/",
        "fetched_at": "2023-11-14T22:13:20.123Z",
        "content_type": "text/html; charset=utf-8",
        "bytes": 30,
        "attempts": 4,
        "elapsed_ms": 123.5,
        "redirects": [],
        "xxh3": "0123",
    }


def test_redirects_are_listed_and_the_first_is_what_was_requested() -> None:
    """`url` sent the response, `requested_url` was requested, and the redirects lead from one to the other."""
    outcome = page(redirects=(Hop("https://books.example/old", 301), Hop("https://books.example/older", 302)))
    record = page_record(Result(outcome.request, outcome))
    assert record["requested_url"] == "https://books.example/old"
    assert record["redirects"] == [
        {"url": "https://books.example/old", "status": 301},
        {"url": "https://books.example/older", "status": 302},
    ]


@pytest.mark.parametrize(
    ("status", "detail"), [(404, "HTTP 404 Not Found"), (503, "HTTP 503 Service Unavailable"), (799, "HTTP 799")]
)
def test_an_error_status_is_an_error_of_kind_http(status: int, detail: str) -> None:
    """A complete response with an error status has `error: http` and its phrase."""
    outcome = page(status)
    record = page_record(Result(outcome.request, outcome))
    assert (record["status"], record["error"], record["error_detail"]) == (status, "http", detail)


def test_a_failure_has_its_kind_and_detail_and_no_digest() -> None:
    """Without a response there is no status and no digest; `bytes` is what came over the network."""
    request = make_request(URL)
    record = page_record(Result(request, Failure(request, ErrorKind.TRUNCATED, "body ended early", received=7)))
    assert record["error"] == "truncated"
    assert type(record["error"]) is str
    assert (record["status"], record["error_detail"], record["bytes"]) == (None, "body ended early", 7)
    assert not {"xxh3", "sha256"} & record.keys()


def test_not_modified_is_status_304_without_error() -> None:
    """304 is a success without a body."""
    request = make_request(URL)
    record = page_record(Result(request, NotModified(request, HEADERS)))
    assert (record["status"], record["error"], record["bytes"]) == (304, None, 0)


def test_the_digest_stands_under_its_algorithm() -> None:
    """A sha256 digest is under `sha256`."""
    outcome = Response(make_request(URL), 200, HEADERS, Body(1, 1, "sha256:abcd", b"x"))
    assert page_record(Result(outcome.request, outcome))["sha256"] == "abcd"


def test_what_was_found_is_told_only_when_there_is_something() -> None:
    """canonical_url, noindex, duplicate_of, items, rejected and problem appear with a value only."""
    outcome = page()
    harvest = Extraction(
        items=(Item({}), Item({})),
        field_errors=(FieldError("price", "not a number", 1),),
        canonical="https://books.example/c",
        noindex=True,
        problem="text was cut",
    )
    record = page_record(Result(outcome.request, outcome, harvest, duplicate_of="https://books.example/b"))
    assert {key: record[key] for key in record.keys() - page_record(Result(outcome.request, outcome)).keys()} == {
        "canonical_url": "https://books.example/c",
        "noindex": True,
        "duplicate_of": "https://books.example/b",
        "items": 2,
        "rejected": [{"field": "price", "reason": "not a number", "rule": 1}],
        "problem": "text was cut",
    }


@pytest.mark.parametrize(
    ("status", "path"), [(200, "files/books.example/a.html"), (206, "files/books.example/a.html"), (404, None)]
)
def test_a_stored_file_has_its_path(status: int, path: str | None) -> None:
    """A file that was stored is found by its record; one that was not has no path."""
    outcome = page(status, kind="file")
    assert page_record(Result(outcome.request, outcome)).get("path") == path


def test_an_item_has_the_url_of_its_page_first() -> None:
    """An item's record begins with the URL; a field of that name replaces it."""
    outcome = page()
    result = Result(outcome.request, outcome)
    assert list(item_record(result, Item({"title": "A"})).items()) == [("url", URL), ("title", "A")]
    assert item_record(result, Item({"url": "/other"})) == {"url": "/other"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(Decimal("19.90"), "19.90", id="decimal keeps its zeros"),
        pytest.param(2**63, 2**63, id="unsigned 64 bits"),
        pytest.param(10**30, "1" + "0" * 30, id="beyond 64 bits is text"),
        pytest.param(1.5, 1.5, id="float"),
        pytest.param(float("nan"), None, id="nan is null"),
        pytest.param(True, True, id="bool"),
        pytest.param(datetime(2024, 5, 1, 12, 0, tzinfo=UTC), "2024-05-01T12:00:00Z", id="instant in UTC"),
        pytest.param(
            datetime(2024, 5, 1, 12, 0, tzinfo=timezone(timedelta(hours=2))),
            "2024-05-01T12:00:00+02:00",
            id="instant elsewhere",
        ),
        pytest.param(datetime(2024, 5, 1, 12), "2024-05-01T12:00:00", id="no time zone"),
        pytest.param(date(2024, 5, 1), "2024-05-01", id="date"),
        pytest.param([Decimal("1.10"), "x"], ["1.10", "x"], id="list"),
        pytest.param("a\ud800b", "a?b", id="lone surrogate"),
        pytest.param(b"\xffa", "\ufffda", id="bytes"),
    ],
)
def test_values_in_json(value: object, expected: object) -> None:
    """A value keeps its type where JSON has it and is exact text where it has not."""
    line = to_json({"v": value})
    assert line.endswith(b"\n")
    assert orjson.loads(line) == {"v": expected}


@pytest.mark.parametrize("instant", [float("inf"), float("nan"), 1e30, -1e30])
def test_an_instant_that_is_no_date_is_null(instant: float) -> None:
    """`timestamp` gives None rather than raise."""
    assert iso_timestamp(instant) is None


@given(st.floats(-6e10, 2.5e11) | st.builds(float.__add__, st.integers(0, 2**32).map(float), st.floats(-1e-3, 1e-3)))
@example(1_700_000_000.9999998)
@example(1_700_000_000.9996)
@example(-0.5)
def test_an_instant_is_cut_to_milliseconds(instant: float) -> None:
    """As `datetime` writes it, whose last microsecond may be rounded up into the next second."""
    assert iso_timestamp(instant) == datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.binary() | st.datetimes()
    | st.text(st.characters()) | st.dates() | st.complex_numbers() | st.times(timezones=st.just(UTC)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.sets(st.text()),
    max_leaves=8,
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters()), ANYTHING))
def test_any_record_is_one_line_of_json(record: dict[str, Any]) -> None:
    """Whatever the values are, the line is valid JSON with the same number of keys or fewer, and has one line end."""
    line = to_json(record)
    assert line.count(b"\n") == 1
    assert len(orjson.loads(line)) <= len(record)


@settings(deadline=None)
@given(ANYTHING)
def test_any_value_has_a_text(value: object) -> None:
    """`as_text` always gives valid Unicode."""
    assert isinstance(as_text(value).encode("utf-8"), bytes)


@pytest.mark.parametrize("make", [lambda: 10**5000, lambda: [10**5000]], ids=["alone", "in a list"])
def test_a_number_of_thousands_of_digits_is_hexadecimal(make: Callable[[], object]) -> None:
    """An integer too long for decimal text costs no quadratic time and loses no digit."""
    assert hex(10**5000) in as_text(make())


def test_what_was_posted_is_told() -> None:
    """`method` and the beginning of the content stand in the record of a POST, and in no other."""
    request = make_post(URL, '{"q":"ä"}'.encode())
    record = page_record(Result(request, Response(request, 200, HEADERS, BODY)))
    assert (record["method"], record["body"], record["url"]) == ("POST", '{"q":"ä"}', URL)
    long = make_post(URL, "ä".encode() * 9_000 + b"\xff")
    assert page_record(Result(long, Response(long, 200, HEADERS, BODY)))["body"] == "ä" * MAX_POST_BODY_CHARS + "..."
    assert not {"method", "body", "tries"} & page_record(Result(make_request(URL), page())).keys()


def test_a_post_that_was_redirected_is_told_at_its_hop() -> None:
    """The answer may be that of a GET; then the record is a GET's."""
    hops = (Hop("https://a.example/1", 307), Hop("https://a.example/2", 303), Hop("https://a.example/3", 302))
    request = make_request(
        URL, redirects=hops, posted_keys=("POST 0 https://a.example/1", "POST 0 https://a.example/2")
    )
    record = page_record(Result(request, Response(request, 200, HEADERS, BODY)))
    assert [hop.get("method") for hop in record["redirects"]] == ["POST", "POST", None]
    assert not {"method", "body"} & record.keys()


def test_tries_that_failed_are_told() -> None:
    """Each with when, what, how long, and how long the next one was to wait; before a redirect also where."""
    tries = (
        Attempt(4, 1_700_000_000.5, 503, None, "Retry-After: 1", 0.0204, 1.05),
        Attempt(5, 1_700_000_002.0, None, "timeout", "the server fell silent", 30.0, 0.0, 1),
    )
    request = make_request(URL, redirects=(Hop("https://a.example/1", 301),), failed_attempts=tries)
    assert page_record(Result(request, Response(request, 200, HEADERS, BODY)))["tries"] == [
        {
            "attempt": 4,
            "at": "2023-11-14T22:13:20.500Z",
            "status": 503,
            "error": "http",
            "detail": "HTTP 503 Service Unavailable; Retry-After: 1",
            "elapsed_ms": 20.4,
            "wait_s": 1.05,
            "url": "https://a.example/1",
        },
        {
            "attempt": 5,
            "at": "2023-11-14T22:13:22.000Z",
            "status": None,
            "error": "timeout",
            "detail": "the server fell silent",
            "elapsed_ms": 30000.0,
            "wait_s": 0.0,
        },
    ]
