"""What each kind of outcome says about its host."""

from __future__ import annotations

import pytest

from scraper.model import ErrorKind, Outcome
from scraper.politeness.host_health import MIN_SERVED_BYTES, health_of
from tests.politeness.outcomes import denied, failure, not_modified, page, request

HEALTH: list[tuple[str, Outcome, str]] = [
    *((str(status), page(status), "success") for status in (200, 204, 206, 301, 302, 308)),
    ("304", not_modified(), "success"),
    *((str(status), page(status), "answered") for status in (400, 401, 404, 405, 410, 418, 451)),
    ("403", page(403), "refused"),
    *((str(status), page(status), "failed") for status in (408, 425, 429, 500, 501, 502, 503, 504, 520, 599)),
    *(
        (str(kind), failure(kind), "failed")
        for kind in (
            ErrorKind.DNS,
            ErrorKind.CONNECT,
            ErrorKind.TLS,
            ErrorKind.TIMEOUT,
            ErrorKind.NETWORK,
            ErrorKind.PROTOCOL,
            ErrorKind.TRUNCATED,
        )
    ),
    *((str(kind), failure(kind), "answered") for kind in (ErrorKind.TOO_LARGE, ErrorKind.DECODE, ErrorKind.PARSE)),
    ("too large 503", failure(ErrorKind.TOO_LARGE, status=503), "failed"),
    *((str(kind), failure(kind), "unknown") for kind in (ErrorKind.IO, ErrorKind.OTHER, ErrorKind.SCOPE)),
    *(
        (f"{kind} after much of a body", failure(kind, status=200, received=MIN_SERVED_BYTES), "answered")
        for kind in (ErrorKind.TIMEOUT, ErrorKind.NETWORK, ErrorKind.PROTOCOL, ErrorKind.TRUNCATED)
    ),
    ("cut after little", failure(ErrorKind.TRUNCATED, status=200, received=MIN_SERVED_BYTES - 1), "failed"),
    ("cut error page", failure(ErrorKind.TRUNCATED, status=500, received=MIN_SERVED_BYTES), "failed"),
    ("denied", denied(), "unknown"),
    ("500 again", page(500, of=request(attempt=1)), "unknown"),
    ("503 again", page(503, of=request(attempt=1)), "failed"),
    ("no answer again", failure(of=request(attempt=1)), "failed"),
    ("404 after a 500", page(404, of=request(attempt=1)), "answered"),
]


@pytest.mark.parametrize(("outcome", "health"), [row[1:] for row in HEALTH], ids=[row[0] for row in HEALTH])
def test_what_an_outcome_says_about_its_host(outcome: Outcome, health: str) -> None:
    """Transport errors, 408, 425, 429 and 5xx are the host's, unless much of a body came; other 4xx are not."""
    assert health_of(outcome) == health
