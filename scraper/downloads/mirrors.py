"""The mirrors of one entry of a list, and which of its URLs is requested next.

The URL of the entry and its mirrors are tried in rounds:

1. The first failure of any kind moves on to the next URL at once: waiting for one host makes no sense while another
   may have the file. A URL that failed for good (404, wrong bytes) is left out from then on.
2. When all URLs of a round have failed, the pause of the retry policy comes before the next round, and one round counts
   as one attempt.
3. A download that made progress and was cut off continues at the same URL. Another host's bytes would have to be
   compared with those that are present.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scraper.engine.mirror_routing import AvailabilityOf, HostAvailability
from scraper.model import Done, EntryState, ErrorKind, Failure, Request, Response, Retry, Url, entry_of
from scraper.structures.bloom import HostBloom
from scraper.transfer.attempt import MIN_PROGRESS_BYTES


def entry_request(entry: EntryState, href: str) -> Request:
    """The request for one URL of an entry. `href` must be canonical."""
    url = _url_from_href(href)
    return Request(Url(url.href, entry.key, url.host, url.origin), kind="file", entry=entry)


class EntryMirrors:
    """The `MirrorPolicy` (engine/mirror_routing.py) of a download.

    `retries` is the number of rounds after the first one, `backoff` the seconds before the second, doubled for each
    further one.
    """

    def __init__(self, retries: int, backoff: float) -> None:
        self._retries, self._backoff = retries, backoff
        # A false positive costs one needless scan of a host's queue.
        self._hosts_with_mirrors = HostBloom()

    def add_hosts(self, entry: EntryState) -> None:
        """Remember the hosts of an entry that has mirrors. Called from any thread."""
        for href in entry.urls:
            self._hosts_with_mirrors.add(_url_from_href(href).host)

    def has_mirror(self, host: str) -> bool:
        """Whether requests for `host` may have another URL."""
        return host in self._hosts_with_mirrors

    def next_attempt(
        self,
        outcome: Response | Failure,
        verdict: Done | Retry,
        now: float,
        retryable: bool,
        availability: AvailabilityOf,
    ) -> Done | Retry:
        """What follows a failure: the next URL of the round, the next round, or `verdict`, the retry policy's word."""
        request, entry = outcome.request, entry_of(outcome.request)
        # An error of our own disk would come with each URL.
        if not entry.mirrors or (isinstance(outcome, Failure) and outcome.error is ErrorKind.IO):
            return verdict
        if retryable and _made_progress(outcome) and availability(request.url.host) is HostAvailability.OPEN:
            return verdict
        failed = entry.failed_mirrors if retryable else (*entry.failed_mirrors, entry.mirror_index)
        usable = [index for index in range(len(entry.urls)) if index not in failed]
        index = _first_open(entry, [index for index in usable if index > entry.mirror_index], availability)
        if index is not None:
            attempts = entry.uncounted_attempts + 1
            return Retry(
                now, _with_mirror(request, entry._replace(failed_mirrors=failed, uncounted_attempts=attempts), index)
            )
        return self._next_round(request, entry._replace(failed_mirrors=failed), usable, verdict, now, availability)

    def alternative_for(self, request: Request, availability: AvailabilityOf) -> Request | None:
        """The same file at a host that is open; None when there is none.

        If the host of `request` was given up, also at a host that is blocked now and will be open later.
        """
        entry = entry_of(request)
        others = [
            index
            for index in range(len(entry.urls))
            if index != entry.mirror_index and index not in entry.failed_mirrors
        ]
        index = _first_open(entry, others, availability)
        if index is None and availability(request.url.host) is HostAvailability.GIVEN_UP:
            index = _first_not_given_up(entry, others, availability)
        return None if index is None else _with_mirror(request, entry, index)

    def _next_round(
        self,
        request: Request,
        entry: EntryState,
        usable: Sequence[int],
        verdict: Done | Retry,
        now: float,
        availability: AvailabilityOf,
    ) -> Done | Retry:
        if not usable:
            return Done()
        if isinstance(verdict, Retry):
            again = verdict.request
        elif request.attempt < self._retries:
            # The last URL failed for good, so the retry policy gives up; the others may still have the file.
            again = replace(request, attempt=request.attempt + 1)
        else:
            return Done()
        index = _first_open(entry, usable, availability)
        if index is None:
            index = _first_not_given_up(entry, usable, availability)
        if index is None:
            index = usable[0]
        # The policy's pause was made for the host that failed (Retry-After): it does not hold for another.
        if isinstance(verdict, Retry) and _url_from_href(entry.urls[index]).host == request.url.host:
            at = verdict.at
        else:
            at = now + self._backoff * 2.0 ** min(request.attempt, 10)
        return Retry(at, _with_mirror(again, entry, index))


def _with_mirror(request: Request, entry: EntryState, index: int) -> Request:
    """`request` at another URL: without its redirects, with the counts and history of its attempts."""
    entry = entry._replace(mirror_index=index)
    fresh = entry_request(entry, entry.urls[index])
    return replace(
        fresh,
        attempt=request.attempt,
        slowdowns=request.slowdowns,
        priority=request.priority,
        failed_attempts=request.failed_attempts,
    )


def _first_open(entry: EntryState, indexes: Sequence[int], availability: AvailabilityOf) -> int | None:
    return next((i for i in indexes if availability(_url_from_href(entry.urls[i]).host) is HostAvailability.OPEN), None)


def _first_not_given_up(entry: EntryState, indexes: Sequence[int], availability: AvailabilityOf) -> int | None:
    return next(
        (i for i in indexes if availability(_url_from_href(entry.urls[i]).host) is not HostAvailability.GIVEN_UP), None
    )


def _made_progress(outcome: Response | Failure) -> bool:
    return isinstance(outcome, Failure) and outcome.received >= MIN_PROGRESS_BYTES


def _url_from_href(href: str) -> Url:
    """Split a canonical URL by position. Parsing a million URLs of a list a second time would take seconds."""
    origin = href[: href.index("/", len("https://"))]
    return Url(href, href, origin.partition("//")[2], origin)
