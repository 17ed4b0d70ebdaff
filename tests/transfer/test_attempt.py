"""One attempt at one file: what its outcome carries."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scraper.downloads.mirrors import entry_request
from scraper.model import EntryState, ErrorKind, entry_of
from scraper.transfer.attempt import MAX_HISTORY, MIN_PROGRESS_BYTES, DownloadAttempt

ENTRY = EntryState(1, 1, "https://h.example/a", "a", history=("first",))
REQUEST = replace(entry_request(ENTRY, ENTRY.url), attempt=3)


@pytest.mark.parametrize(
    ("received", "resumed", "filled_gap", "permanent", "counted"),
    [
        (MIN_PROGRESS_BYTES, True, False, False, 0),
        (0, True, True, False, 0),
        (MIN_PROGRESS_BYTES, False, False, False, 3),
        (MIN_PROGRESS_BYTES - 1, True, False, False, 3),
        (MIN_PROGRESS_BYTES, True, False, True, 3),
    ],
    ids=["a MiB more", "a gap less", "from the start", "too little", "for good"],
)
def test_a_resumed_attempt_with_progress_does_not_count(
    received: int, resumed: bool, filled_gap: bool, permanent: bool, counted: int
) -> None:
    """The attempts before it are kept for the manifest."""
    attempt = DownloadAttempt(REQUEST, ENTRY, 0.0)
    attempt.received, attempt.resumed, attempt.filled_gap = received, resumed, filled_gap
    request = attempt.failure(ErrorKind.TIMEOUT, "", 1.0, permanent=permanent).request
    assert (request.attempt, entry_of(request).uncounted_attempts) == (counted, 3 - counted)


def test_the_request_of_an_outcome_knows_what_happened() -> None:
    """The latest texts; the path of a renamed file, which is its own from then on."""
    attempt = DownloadAttempt(REQUEST, ENTRY, 0.0)
    for number in range(MAX_HISTORY):
        attempt.add_history(f"event {number}")
    attempt.rename_target("b")
    entry = entry_of(attempt.failure(ErrorKind.CONNECT, "", 1.0, permanent=False).request)
    assert entry.history == tuple(f"event {number}" for number in range(MAX_HISTORY))
    assert (entry.path, entry.may_replace) == ("b", True)


def test_the_request_of_an_uneventful_attempt_is_the_same() -> None:
    """Nearly all attempts: no copy is made for them."""
    attempt = DownloadAttempt(REQUEST, ENTRY, 0.0)
    assert attempt.failure(ErrorKind.CONNECT, "", 1.0, permanent=False).request is REQUEST
