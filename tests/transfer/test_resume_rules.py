"""How an interrupted download is continued: what is requested, what responses mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.model import Headers
from scraper.transfer.resume_rules import (
    MIN_PROBE_BYTES,
    WHOLE_FILE,
    Continue,
    Decision,
    PartComplete,
    PartState,
    RangeRequest,
    Restart,
    RetryWith,
    Validators,
    evaluate_response,
    plan_request,
    validators_of,
)

NOW = 1_700_000_000.0


TOTAL = 4 * MIN_PROBE_BYTES


STRONG = PartState("https://h", Validators('"a"', None, False, TOTAL), 2 * MIN_PROBE_BYTES)


CONDITIONAL = RangeRequest(2 * MIN_PROBE_BYTES, if_range='"a"')


def headers(**fields: str) -> Headers:
    return Headers([(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()])


def ranged(start: int, total: int | str = TOTAL) -> str:
    return f"bytes {start}-{TOTAL - 1}/{total}"


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ({"etag": '"a"'}, Validators('"a"', None, False, 9)),
        ({"etag": 'W/"a"'}, Validators(None, None, False, 9)),
        ({"etag": "bare"}, Validators(None, None, False, 9)),
        (
            {"last_modified": "Sun, 06 Nov 1994 08:49:37 GMT", "date": "Sun, 06 Nov 1994 08:50:37 GMT"},
            Validators(None, "Sun, 06 Nov 1994 08:49:37 GMT", True, 9),
        ),
        (
            {"last_modified": "Sun, 06 Nov 1994 08:49:37 GMT", "date": "Sun, 06 Nov 1994 08:50:36 GMT"},
            Validators(None, "Sun, 06 Nov 1994 08:49:37 GMT", False, 9),
        ),
        ({"last_modified": "yesterday"}, Validators(None, None, False, 9)),
    ],
    ids=["strong", "weak", "unquoted", "a minute old", "too young", "no date"],
)
def test_only_a_strong_validator_vouches(fields: dict[str, str], version: Validators) -> None:
    """A weak ETag and a Last-Modified of the last minute do not tell versions apart."""
    assert validators_of(headers(**fields), 9, NOW) == version


@pytest.mark.parametrize(
    ("partial", "origin", "ask"),
    [
        (None, "https://h", WHOLE_FILE),
        (PartState("https://h", Validators('"a"'), 0), "https://h", WHOLE_FILE),
        (PartState("https://h", Validators('"a"', total=5), 6), "https://h", WHOLE_FILE),
        (PartState("https://h", Validators('"a"'), 10), "https://h", RangeRequest(10, if_range='"a"')),
        (PartState("https://h", Validators('"a"'), 10), "https://mirror", RangeRequest(0, 10)),
        (PartState("https://h", Validators(None, "d", True), 10), "https://h", RangeRequest(10, if_range="d")),
        (PartState("https://h", Validators(None, "d", False), 100_000), "https://h", RangeRequest(34_464, 65_536)),
    ],
    ids=["nothing", "empty", "too long", "etag", "other origin", "date", "young date"],
)
def test_how_a_part_is_gone_on_with(partial: PartState | None, origin: str, ask: RangeRequest) -> None:
    """With a validator of this origin from its end, else from before its end, to compare."""
    assert plan_request(partial, origin) == ask


@pytest.mark.parametrize(
    ("ask", "status", "fields", "length", "expected"),
    [
        (CONDITIONAL, 206, {"content_range": ranged(2 * MIN_PROBE_BYTES), "etag": '"a"'}, None, Continue),
        (CONDITIONAL, 206, {"content_range": ranged(2 * MIN_PROBE_BYTES)}, None, Continue),
        (CONDITIONAL, 206, {"content_range": ranged(2 * MIN_PROBE_BYTES), "etag": '"b"'}, None, RetryWith),
        (CONDITIONAL, 206, {"content_range": ranged(0)}, None, RetryWith),
        (CONDITIONAL, 206, {"content_range": ranged(2 * MIN_PROBE_BYTES, TOTAL + 1)}, None, RetryWith),
        (CONDITIONAL, 206, {"content_range": ranged(2 * MIN_PROBE_BYTES, "*")}, None, RetryWith),
        (CONDITIONAL, 206, {}, None, RetryWith),
        (CONDITIONAL, 200, {"etag": '"b"'}, 7, Restart),
        (CONDITIONAL, 416, {"content_range": f"bytes */{2 * MIN_PROBE_BYTES}"}, None, PartComplete),
        (CONDITIONAL, 416, {"content_range": f"bytes */{2 * MIN_PROBE_BYTES}", "etag": '"b"'}, None, RetryWith),
        (CONDITIONAL, 416, {"content_range": f"bytes */{MIN_PROBE_BYTES}"}, None, RetryWith),
        (CONDITIONAL, 416, {}, None, RetryWith),
        (WHOLE_FILE, 200, {}, None, Restart),
    ],
)
def test_what_an_answer_means(
    ask: RangeRequest, status: int, fields: dict[str, str], length: int | None, expected: type[Decision]
) -> None:
    """Only what proves to be the rest is appended; everything else begins anew."""
    found = evaluate_response(ask, STRONG, status, headers(**fields), length)
    assert isinstance(found, expected)
    if isinstance(found, RetryWith):
        assert (found.request, found.delete_part) == (WHOLE_FILE, True)


@given(
    st.sampled_from([200, 206, 416]),
    st.dictionaries(
        st.sampled_from(["etag", "content-range", "last-modified"]),
        st.sampled_from(['"a"', '"b"', ranged(2 * MIN_PROBE_BYTES), ranged(0), "bytes */5", "junk"]),
    ),
    st.sampled_from([None, 0, TOTAL]),
)
def test_asking_again_ends(status: int, fields: dict[str, str], length: int | None) -> None:
    """Whatever a server answers to every request, the third one is settled or asks for the whole."""
    ask, partial = CONDITIONAL, STRONG
    for _ in range(3):
        found = evaluate_response(
            ask, partial, status, Headers([(k.encode(), v.encode()) for k, v in fields.items()]), length
        )
        if not isinstance(found, RetryWith) or found.request == WHOLE_FILE:
            break
        ask = found.request
    else:
        pytest.fail("it goes on for ever")
