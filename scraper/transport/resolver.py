"""DNS: host names to addresses, and the order in which to try them.

Results are cached, because a crawl looks up the same few names thousands of times and the system's resolver reports no
TTL. While a name is being looked up, everybody who needs it waits for the same lookup. Connections are made to an
address from the result and never to the name, so the address that the guard has checked is the one connected to.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, TypeVar

from scraper.transport.errors import ResolveError

# At most so many addresses of a name are tried: a name with hundreds must not cost hundreds of attempts.
MAX_ADDRESSES = 8
# `getaddrinfo` errors that a repeated lookup will not cure. All others may be temporary.
_PERMANENT_ERRORS = {
    getattr(socket, name)
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY", "EAI_FAMILY")
    if hasattr(socket, name)
}

T = TypeVar("T")
Lookup = Callable[[str], "list[Address]"]


class Address(NamedTuple):
    """An IP address; `ip` may have a zone (`fe80::1%eth0`), `scope_id` is the number of that zone."""

    ip: str
    family: int = socket.AF_INET
    scope_id: int = 0

    def sockaddr(self, port: int) -> tuple[Any, ...]:
        """The argument of `socket.connect`."""
        return (self.ip, port) if self.family == socket.AF_INET else (self.ip, port, 0, self.scope_id)


class Resolver(Protocol):
    """Finds the addresses of a host."""

    async def resolve(self, host: str) -> Sequence[Address]:
        """At least one address, best first. Raises `ResolveError`."""
        ...

    def forget(self, host: str) -> None:
        """No connection to its addresses could be made: look the host up again next time."""
        ...

    def close(self) -> None:
        """Release resources."""
        ...


def parse_ip_literal(host: str) -> Address | None:
    """The address if `host` is one (without brackets), or None if it is a name."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return None
    return Address(str(ip), socket.AF_INET if ip.version == 4 else socket.AF_INET6)


def system_lookup(host: str) -> list[Address]:
    """Look `host` up in the operating system; blocks. Raises `OSError` or `UnicodeError` as `getaddrinfo` does."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    addresses = [
        Address(str(sockaddr[0]), int(family), int(sockaddr[3]) if len(sockaddr) == 4 else 0)
        for family, _, _, _, sockaddr in found
        if family in (socket.AF_INET, socket.AF_INET6)
    ]
    return list(dict.fromkeys(addresses))


class SystemResolver:
    """Looks names up in the operating system, in its own threads; caches results and permanent failures.

    `ttl` and `failure_ttl` are seconds; `cache_size` is the number of names kept (least recently used go first);
    `threads` is the number of lookups at once. A failure that may be temporary is not cached.
    """

    def __init__(
        self, *, ttl: float, failure_ttl: float, cache_size: int, threads: int, lookup: Lookup = system_lookup
    ) -> None:
        self._ttl = ttl
        self._failure_ttl = failure_ttl
        self._cache_size = cache_size
        self._lookup = lookup
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="resolver")
        self._closed = False
        self._cache: OrderedDict[str, tuple[float, list[Address] | ResolveError]] = OrderedDict()
        self._in_flight: dict[str, asyncio.Future[list[Address] | ResolveError]] = {}

    async def resolve(self, host: str) -> Sequence[Address]:
        """The addresses of `host`, best first, families alternating (RFC 8305). Raises `ResolveError`."""
        if (literal := parse_ip_literal(host)) is not None:
            return [literal]
        loop = asyncio.get_running_loop()
        cached = self._cache.get(host)
        if cached is not None and cached[0] > loop.time():
            self._cache.move_to_end(host)
            result = cached[1]
        else:
            lookup = self._in_flight.get(host)
            if lookup is None:
                if self._closed:
                    raise ResolveError(f"cannot resolve {host}: the resolver is closed", permanent=False)
                lookup = loop.run_in_executor(self._executor, self._look_up, host)
                self._in_flight[host] = lookup
                lookup.add_done_callback(lambda done: self._store(host, done, loop.time()))
            try:
                result = await asyncio.shield(lookup)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                # The lookup was cancelled by `close`, not this task: report a failure, keep the task alive.
                if lookup.cancelled() and task is not None and not task.cancelling():
                    raise ResolveError(f"cannot resolve {host}: the resolver was closed", permanent=False) from None
                raise
        if isinstance(result, ResolveError):
            # A new exception each time: a shared one would collect tracebacks.
            raise ResolveError(str(result), permanent=result.permanent)
        return result

    def forget(self, host: str) -> None:
        """Look `host` up again next time."""
        self._cache.pop(host, None)

    def close(self) -> None:
        """Start no more lookups. One that hangs in the system is not waited for."""
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _look_up(self, host: str) -> list[Address] | ResolveError:
        """Runs in a thread. Failures are returned, not raised, so that a result nobody waits for is not reported as an
        error.
        """
        try:
            found = interleave(self._lookup(host))
        except socket.gaierror as exc:
            return ResolveError(
                f"cannot resolve {host}: {exc.strerror or exc}", permanent=exc.errno in _PERMANENT_ERRORS
            )
        except (UnicodeError, ValueError):
            return ResolveError(f"cannot resolve {host}: not a host name", permanent=True)
        except OSError as exc:
            return ResolveError(f"cannot resolve {host}: {exc}", permanent=False)
        return found or ResolveError(f"cannot resolve {host}: it has no address", permanent=True)

    def _store(self, host: str, done: asyncio.Future[list[Address] | ResolveError], now: float) -> None:
        self._in_flight.pop(host, None)
        if done.cancelled() or done.exception() is not None:
            return
        result = done.result()
        if isinstance(result, ResolveError) and not result.permanent:
            return
        ttl = self._failure_ttl if isinstance(result, ResolveError) else self._ttl
        self._cache[host] = (now + ttl, result)
        self._cache.move_to_end(host)
        if len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)


def interleave(addresses: Sequence[Address]) -> list[Address]:
    """Alternate the address families, starting with the first; keep the order within each (RFC 8305 section 4)."""
    if not addresses:
        return []
    first = [a for a in addresses if a.family == addresses[0].family]
    other = [a for a in addresses if a.family != addresses[0].family]
    interleaved: list[Address] = []
    for i in range(max(len(first), len(other))):
        interleaved += first[i : i + 1] + other[i : i + 1]
    return interleaved[:MAX_ADDRESSES]


async def race(
    addresses: Sequence[Address],
    attempt: Callable[[Address], Awaitable[T]],
    *,
    delay: float,
    discard: Callable[[T], None],
) -> T:
    """Happy eyeballs (RFC 8305 section 5): return the result of the first attempt that succeeds.

    The next address is tried when `delay` seconds have passed or an attempt has failed. Losers are cancelled; one that
    succeeds nevertheless is passed to `discard`. Raises the first attempt's `OSError` when all have failed.
    """
    if len(addresses) == 1:
        return await attempt(addresses[0])
    running: list[asyncio.Task[T]] = []
    untried = list(reversed(addresses))
    failures: dict[asyncio.Task[T], OSError] = {}
    winner: asyncio.Task[T] | None = None
    try:
        while winner is None and (untried or len(failures) < len(running)):
            if untried:
                running.append(asyncio.ensure_future(_run_attempt(attempt, untried.pop())))
            pending = [task for task in running if task not in failures]
            done, _ = await asyncio.wait(
                pending, timeout=delay if untried else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                failure = task.exception()
                if failure is None:
                    winner = winner or task
                elif isinstance(failure, OSError):
                    failures[task] = failure
                else:
                    raise failure
        if winner is None:
            raise failures[running[0]]
        return winner.result()
    finally:
        losers = [task for task in running if task is not winner]
        for task in losers:
            task.cancel()
        for result in await asyncio.gather(*losers, return_exceptions=True):
            if not isinstance(result, BaseException):
                discard(result)


async def _run_attempt(attempt: Callable[[Address], Awaitable[T]], address: Address) -> T:
    return await attempt(address)
