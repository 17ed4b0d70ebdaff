"""The places of one entry of a list: its URL and its mirrors, and which of them is asked next.

A round goes through all of them. The first failure of any kind turns to the next at once, for a place that is in
trouble is no reason to wait while there is another; one that failed for good (404, wrong bytes) is left out from then
on. When a round has brought nothing, the retry policy's pause is kept before the next one, and it counts as one try.
A transfer that got on and was cut off goes on where it was: another place's bytes would have to be compared first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scraper.engine.mirror_routing import AvailabilityOf, HostAvailability
from scraper.model import Done, ErrorKind, Failure, Request, Response, Retry, Url
from scraper.structures.bloom import HostBloom
from scraper.transfer.entry_state import EntryState, entry_of

MIN_PROGRESS_BYTES = 1024 * 1024
"""Bytes that an attempt must have brought to be worth going on with at the same place."""


def entry_request(order: EntryState, href: str) -> Request:
    """The request for one URL of an order. Its key is the entry's: entries are told apart by more than their URL."""
    url = _url_from_href(href)
    return Request(Url(url.href, f"entry {order.number}", url.host, url.origin), kind="file", label=order.label())


class EntryMirrors:
    """`engine.detours.MirrorPolicy` for requests with an `EntryState`.

    `retries` are the rounds after the first, `backoff` the seconds before the second, doubled for each further one.
    """

    def __init__(self, retries: int, backoff: float) -> None:
        self._retries, self._backoff = retries, backoff
        self._hosts_with_mirrors = HostBloom()  # two hosts of one bit cost a look too many

    def add_hosts(self, order: EntryState) -> None:
        """Mark the hosts of an entry that has mirrors. Called from any thread."""
        for href in _urls_of(order):
            self._hosts_with_mirrors.add(_url_from_href(href).host)

    def has_mirror(self, host: str) -> bool:
        """Whether requests for `host` may have another place."""
        return host in self._hosts_with_mirrors

    def next_attempt(
        self,
        outcome: Response | Failure,
        verdict: Done | Retry,
        now: float,
        retryable: bool,
        availability: AvailabilityOf,
    ) -> Done | Retry:
        """The next place of the round, the beginning of the next round, or what was decided."""
        request, order = outcome.request, entry_of(outcome.request)
        if not order.mirrors or (isinstance(outcome, Failure) and outcome.error is ErrorKind.IO):
            return verdict
        if retryable and _made_progress(outcome) and availability(request.url.host) is HostAvailability.OPEN:
            return verdict
        out = order.out if retryable else (*order.out, order.used)
        left = [place for place in range(len(order.mirrors) + 1) if place not in out]
        place = _first_open_index(order, [place for place in left if place > order.used], availability)
        if place is not None:
            return Retry(now, _with_mirror(request, order._replace(out=out, tries=order.tries + 1), place))
        return self._next_round(request, order._replace(out=out), left, verdict, now, availability)

    def alternative_for(self, request: Request, availability: AvailabilityOf) -> Request | None:
        """The entry at a place that is open; from a host that was given up also at one that will be."""
        order = entry_of(request)
        places = range(len(order.mirrors) + 1)
        others = [place for place in places if place != order.used and place not in order.out]
        place = _first_open_index(order, others, availability)
        if place is None and availability(request.url.host) is HostAvailability.GIVEN_UP:
            place = _first_usable_index(order, others, availability)
        return None if place is None else _with_mirror(request, order, place)

    def _next_round(
        self,
        request: Request,
        order: EntryState,
        left: Sequence[int],
        verdict: Done | Retry,
        now: float,
        availability: AvailabilityOf,
    ) -> Done | Retry:
        if not left:
            return Done()
        if isinstance(verdict, Retry):
            again = verdict.request
        elif request.attempt < self._retries:
            again = replace(request, attempt=request.attempt + 1)
        else:
            return Done()
        place = _first_open_index(order, left, availability)
        if place is None:
            place = _first_usable_index(order, left, availability)
        if place is None:
            place = left[0]
        if isinstance(verdict, Retry) and _url_from_href(_urls_of(order)[place]).host == request.url.host:
            at = verdict.at
        else:
            at = now + self._backoff * 2.0 ** min(request.attempt, 10)
        return Retry(at, _with_mirror(again, order, place))


def _urls_of(order: EntryState) -> tuple[str, ...]:
    return (order.url, *order.mirrors)


def _with_mirror(request: Request, order: EntryState, place: int) -> Request:
    order = order._replace(used=place)
    fresh = entry_request(order, _urls_of(order)[place])
    return replace(
        fresh,
        attempt=request.attempt,
        slowdowns=request.slowdowns,
        priority=request.priority,
        failed_attempts=request.failed_attempts,
    )


def _first_open_index(order: EntryState, places: Sequence[int], availability: AvailabilityOf) -> int | None:
    return next(
        (
            place
            for place in places
            if availability(_url_from_href(_urls_of(order)[place]).host) is HostAvailability.OPEN
        ),
        None,
    )


def _first_usable_index(order: EntryState, places: Sequence[int], availability: AvailabilityOf) -> int | None:
    return next(
        (
            place
            for place in places
            if availability(_url_from_href(_urls_of(order)[place]).host) is not HostAvailability.GIVEN_UP
        ),
        None,
    )


def _made_progress(outcome: Response | Failure) -> bool:
    return isinstance(outcome, Failure) and outcome.received >= MIN_PROGRESS_BYTES


def _url_from_href(href: str) -> Url:
    """A list's URL in its parts, without parsing it again: it is canonical, and so they stand in it as they are."""
    origin = href[: href.index("/", len("https://"))]
    return Url(href, href, origin.partition("//")[2], origin)
