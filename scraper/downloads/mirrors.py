"""The places of one entry of a list: its URL and its mirrors, and which of them is asked next.

A round goes through all of them. The first failure of any kind turns to the next at once, for a place that is in
trouble is no reason to wait while there is another; one that failed for good (404, wrong bytes) is left out from then
on. When a round has brought nothing, the retry policy's pause is kept before the next one, and it counts as one try.
A transfer that got on and was cut off goes on where it was: another place's bytes would have to be compared first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from scraper.engine.mirror_routing import Standing
from scraper.model import Done, ErrorKind, Failure, Page, Request, Retry, Url
from scraper.structures.bloom import HostMarks
from scraper.transfer.entry_label import Order, order_of

PROGRESS = 1024 * 1024
"""Bytes that an attempt must have brought to be worth going on with at the same place."""


def request_for(order: Order, href: str) -> Request:
    """The request for one URL of an order. Its key is the entry's: entries are told apart by more than their URL."""
    url = _url(href)
    return Request(Url(url.href, f"entry {order.number}", url.host, url.origin), kind="file", label=order.label())


class Mirrors:
    """`engine.detours.Alternatives` for requests with an `Order`.

    `retries` are the rounds after the first, `backoff` the seconds before the second, doubled for each further one.
    """

    def __init__(self, retries: int, backoff: float) -> None:
        self._retries, self._backoff = retries, backoff
        self._offering = HostMarks()  # two hosts of one bit cost a look too many

    def remember(self, order: Order) -> None:
        """Mark the hosts of an entry that has mirrors. Called from any thread."""
        for href in _places(order):
            self._offering.add(_url(href).host)

    def offered_at(self, host: str) -> bool:
        """Whether requests for `host` may have another place."""
        return host in self._offering

    def after(
        self,
        outcome: Page | Failure,
        verdict: Done | Retry,
        now: float,
        may_pass: bool,
        standing: Callable[[str], Standing],
    ) -> Done | Retry:
        """The next place of the round, the beginning of the next round, or what was decided."""
        request, order = outcome.request, order_of(outcome.request)
        if not order.mirrors or (isinstance(outcome, Failure) and outcome.error is ErrorKind.IO):
            return verdict
        if may_pass and _got_on(outcome) and standing(request.url.host) == "open":
            return verdict
        out = order.out if may_pass else (*order.out, order.used)
        left = [place for place in range(len(order.mirrors) + 1) if place not in out]
        place = _first_open(order, [place for place in left if place > order.used], standing)
        if place is not None:
            return Retry(now, _turned(request, order._replace(out=out, tries=order.tries + 1), place))
        return self._next_round(request, order._replace(out=out), left, verdict, now, standing)

    def instead(self, request: Request, standing: Callable[[str], Standing]) -> Request | None:
        """The entry at a place that is open; from a host that was given up also at one that will be."""
        order = order_of(request)
        places = range(len(order.mirrors) + 1)
        others = [place for place in places if place != order.used and place not in order.out]
        place = _first_open(order, others, standing)
        if place is None and standing(request.url.host) == "ended":
            place = _first_alive(order, others, standing)
        return None if place is None else _turned(request, order, place)

    def _next_round(
        self,
        request: Request,
        order: Order,
        left: Sequence[int],
        verdict: Done | Retry,
        now: float,
        standing: Callable[[str], Standing],
    ) -> Done | Retry:
        if not left:
            return Done()
        if isinstance(verdict, Retry):
            again = verdict.request
        elif request.attempt < self._retries:
            again = replace(request, attempt=request.attempt + 1)
        else:
            return Done()
        place = _first_open(order, left, standing)
        if place is None:
            place = _first_alive(order, left, standing)
        if place is None:
            place = left[0]
        if isinstance(verdict, Retry) and _url(_places(order)[place]).host == request.url.host:
            at = verdict.at
        else:
            at = now + self._backoff * 2.0 ** min(request.attempt, 10)
        return Retry(at, _turned(again, order, place))


def _places(order: Order) -> tuple[str, ...]:
    return (order.url, *order.mirrors)


def _turned(request: Request, order: Order, place: int) -> Request:
    order = order._replace(used=place)
    fresh = request_for(order, _places(order)[place])
    return replace(
        fresh,
        attempt=request.attempt,
        slowdowns=request.slowdowns,
        priority=request.priority,
        tries=request.tries,
    )


def _first_open(order: Order, places: Sequence[int], standing: Callable[[str], Standing]) -> int | None:
    return next((place for place in places if standing(_url(_places(order)[place]).host) == "open"), None)


def _first_alive(order: Order, places: Sequence[int], standing: Callable[[str], Standing]) -> int | None:
    return next((place for place in places if standing(_url(_places(order)[place]).host) != "ended"), None)


def _got_on(outcome: Page | Failure) -> bool:
    return isinstance(outcome, Failure) and outcome.received >= PROGRESS


def _url(href: str) -> Url:
    """A list's URL in its parts, without parsing it again: it is canonical, and so they stand in it as they are."""
    origin = href[: href.index("/", len("https://"))]
    return Url(href, href, origin.partition("//")[2], origin)
