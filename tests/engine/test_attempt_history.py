"""What is kept of failed attempts, and what a POST keeps when it is sent again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scraper.engine.attempt_history import MAX_DETAIL_CHARS, MAX_KEPT_ATTEMPTS, with_failed_attempt
from scraper.hooks.interface import Hook
from scraper.model import Attempt, Content, ErrorKind, Failure, Headers, Hop, NotModified, Request, Response
from scraper.politeness.retry import RetrySettings
from scraper.testing.fakes import (
    FakeFetcher,
    ScriptedOutcome,
    fail_with,
    make_body,
    make_request,
    redirect_to,
    with_status,
)
from scraper.testing.frontier_contract import make_post
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EPOCH, EngineHarness

A = "http://a.example/0"
B = "http://a.example/1"
AGAIN = make_request(A, attempt=1)
LATER = Headers([(b"retry-after", b"7")])


@pytest.mark.parametrize(
    ("outcome", "kept"),
    [
        (Response(AGAIN, 500, Headers(), make_body(""), EPOCH, 0, 0.5), Attempt(1, EPOCH, 500, None, "", 0.5, 3.0)),
        (Response(AGAIN, 503, LATER, make_body(""), EPOCH), Attempt(1, EPOCH, 503, None, "Retry-After: 7", 0.0, 3.0)),
        (Failure(AGAIN, ErrorKind.DNS, "no name", started_at=EPOCH), Attempt(1, EPOCH, None, "dns", "no name", 0, 3.0)),
        (Failure(AGAIN, ErrorKind.IO, "x" * 999, 200), Attempt(1, 9.0, 200, "io", "x" * MAX_DETAIL_CHARS, 0, 3.0)),
        (NotModified(AGAIN, Headers(), EPOCH), Attempt(1, EPOCH, 304, None, "", 0, 3.0)),
    ],
    ids=["answer", "later", "no answer", "long", "not modified"],
)  # fmt: skip
def test_an_attempt_is_described_by_its_outcome(outcome: Response | Failure | NotModified, kept: Attempt) -> None:
    """When it began, what came of it, how long it took, and how long the next one is to wait."""
    assert with_failed_attempt(AGAIN, outcome, 9.0, 12.0) == replace(AGAIN, failed_attempts=(kept,))


def test_the_latest_attempts_are_kept() -> None:
    """With their numbers, however many there were."""
    request = AGAIN
    for _ in range(50):
        request = with_failed_attempt(request, Failure(request, ErrorKind.CONNECT, "refused"), EPOCH, EPOCH)
    assert [one.number for one in request.failed_attempts] == list(range(51 - MAX_KEPT_ATTEMPTS, 51))


@virtual_run
async def test_every_attempt_is_kept_with_the_record() -> None:
    """In order; a URL that succeeds at once keeps none."""
    answers: list[ScriptedOutcome] = [fail_with(ErrorKind.CONNECT), with_status(503, Retry_After="5"), "<p>"]
    harness = EngineHarness(FakeFetcher({A: answers, B: "<p>"}, latency=0.25))
    await harness.run(A, B)
    by_url = {result.url: result.request for result in harness.sink.flushed}
    assert by_url[B].failed_attempts == ()
    first, second = by_url[A].failed_attempts
    assert (first.number, first.error, first.status, first.elapsed) == (1, "connect", None, 0.0)
    assert (second.number, second.error, second.status, second.detail) == (2, None, 503, "Retry-After: 5")
    assert 5 <= second.wait <= 5.6
    assert second.started_at >= first.started_at


@virtual_run
async def test_attempts_before_a_redirect_go_with_it() -> None:
    """The record of a chain tells of all of them, and where each was."""
    harness = EngineHarness(FakeFetcher({A: [with_status(500), redirect_to(B)], B: [with_status(502), "<p>"]}))
    await harness.run(A)
    (result,) = harness.sink.flushed
    assert result.request.redirects == (Hop(A, 301),)
    assert [(one.number, one.status, one.redirects) for one in result.request.failed_attempts] == [
        (1, 500, 0),
        (2, 502, 1),
    ]


@virtual_run
async def test_a_url_that_always_fails_keeps_its_attempts() -> None:
    """The last one is the record itself."""
    harness = EngineHarness(FakeFetcher({A: with_status(500)}), retry=RetrySettings(retries=2))
    await harness.run(A)
    (result,) = harness.sink.flushed
    assert (result.status, [one.number for one in result.request.failed_attempts]) == (500, [1, 2])


class _ForgingHook(Hook):
    def on_request(self, request: Request) -> Request:
        return replace(make_request(B), label="new", content=Content(b"forged"))


@virtual_run
async def test_a_hook_sees_what_is_posted_and_cannot_change_it() -> None:
    """Nor make a POST of a GET: what is asked belongs to the entry, how it is asked may change."""
    seen: list[tuple[str, bytes | None]] = []

    class Watcher(Hook):
        def on_request(self, request: Request) -> Request:
            seen.append((request.method, request.content.data if request.content else None))
            return request

    harness = EngineHarness(FakeFetcher(default="<p>"), hooks=[Watcher(), _ForgingHook()])
    post, get = make_post(A, b"1"), make_request(A)
    await harness.frontier.add([post, get])
    await harness.run()
    asked = [call.request for call in harness.fetcher.calls]
    assert seen == [("POST", b"1"), ("GET", None)]
    assert [(request.url, request.content, request.label) for request in asked] == [
        (post.url, post.content, "new"),
        (get.url, None, "new"),
    ]


@virtual_run
async def test_a_post_is_retried_as_it_was() -> None:
    """Under the same policy as every request, with the same content; two contents are two records."""
    one, two = make_post(A, b"1"), make_post(A, b"2")
    harness = EngineHarness(FakeFetcher({A: [fail_with(ErrorKind.NETWORK), "<p>"]}))
    await harness.frontier.add([one, two])
    await harness.run()
    sent = [call.request.content for call in harness.fetcher.calls]
    assert sorted(content.data for content in sent if content) in ([b"1", b"1", b"2"], [b"1", b"2", b"2"])
    assert {result.request.url for result in harness.sink.flushed} == {one.url, two.url}
    assert sum(len(result.request.failed_attempts) for result in harness.sink.flushed) == 1


@virtual_run
async def test_post_redirect_get_is_asked_once() -> None:
    """303 to the very URL that was posted to: the GET is a request of its own, and has one record."""

    def answer(request: Request) -> Response:
        return redirect_to(A, 303)(request) if request.content is not None else with_status(200, "<p>")(request)

    harness = EngineHarness(FakeFetcher({A: answer}))
    await harness.frontier.add([make_post(A, b"1"), make_request(A), make_post(A, b"2")])
    await harness.run()
    assert [call.request.method for call in harness.fetcher.calls].count("GET") == 1
    records = [(r.request.method, r.status, r.duplicate_of) for r in harness.sink.flushed]
    assert sorted(records, key=str) == [("GET", 200, None), ("POST", 303, A), ("POST", 303, A)]
