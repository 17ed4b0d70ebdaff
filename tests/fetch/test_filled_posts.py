"""POST requests are sent with their secrets and come back without."""

from __future__ import annotations

from dataclasses import replace

from scraper.fetch.filled_posts import FilledPosts
from scraper.model import Content, Failure, Outcome, Request, Response
from scraper.testing.fakes import make_request, make_response
from scraper.urls.post_secrets import marker

MARKER = marker("0" * 16, 1)


class Echo:
    """A fetcher that keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    async def fetch(self, request: Request) -> Outcome:
        self.asked.append(request)
        return make_response(request)

    async def aclose(self) -> None:
        """Nothing is open."""


async def test_the_outcome_has_the_marker_again() -> None:
    """The fetcher below, also one that a plug-in brings, gets what is sent; nothing above it does."""
    inner = Echo()
    request = replace(make_request("https://h.example/"), content=Content(f"p={MARKER}".encode(), "text/plain"))
    outcome = await FilledPosts(inner, {MARKER.encode(): b"hunter2"}).fetch(request)
    assert isinstance(outcome, Response)
    assert outcome.request == request
    assert inner.asked[0].content == Content(b"p=hunter2", "text/plain")


async def test_a_marker_without_its_secret_is_not_sent() -> None:
    """A queue that was written by another config fails with a sentence."""
    inner = Echo()
    request = replace(make_request("https://h.example/"), content=Content(MARKER.encode()))
    outcome = await FilledPosts(inner, {}).fetch(request)
    assert isinstance(outcome, Failure)
    assert "no longer in the config" in outcome.detail
    assert inner.asked == []


async def test_a_get_passes() -> None:
    """It is handed on as it is."""
    inner = Echo()
    request = make_request("https://h.example/")
    await FilledPosts(inner, {}).fetch(request)
    assert inner.asked == [request]
