"""Names to addresses, and which of them to connect to first.

Answers are kept for a while, because a crawl asks the same few names thousands of times and the system's resolver
tells no lifetime. While a name is being asked for, everybody who wants it waits for the one answer. A connection is
made to an address out of that answer and never to the name, so what the guard has judged is what is connected to.
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

# Addresses of one name that are tried at most: a name with hundreds must not cost hundreds of attempts.
MAX_ADDRESSES = 8
# Answers of the system that will be the same tomorrow. Everything else may be the network's mood.
_PERMANENT_ERRORS = {
    getattr(socket, name)
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY", "EAI_FAMILY")
    if hasattr(socket, name)
}

T = TypeVar("T")
Lookup = Callable[[str], "list[Address]"]


class Address(NamedTuple):
    """An IP address; `ip` may carry a zone (`fe80::1%eth0`), `scope` is its number."""

    ip: str
    family: int = socket.AF_INET
    scope_id: int = 0

    def sockaddr(self, port: int) -> tuple[Any, ...]:
        """What `socket.connect` wants."""
        return (self.ip, port) if self.family == socket.AF_INET else (self.ip, port, 0, self.scope_id)


class Resolver(Protocol):
    """Finds the addresses of a host."""

    async def resolve(self, host: str) -> Sequence[Address]:
        """At least one address, best first. Raises `ResolveError`."""
        ...

    def forget(self, host: str) -> None:
        """None of its addresses could be connected to: ask anew next time."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


def parse_ip_literal(host: str) -> Address | None:
    """The address that `host` spells itself (without brackets), or None when it is a name."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return None
    return Address(str(ip), socket.AF_INET if ip.version == 4 else socket.AF_INET6)


def system_lookup(host: str) -> list[Address]:
    """Ask the operating system; blocks. Raises `OSError` or `UnicodeError` as `socket.getaddrinfo` does."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    addresses = [
        Address(str(sockaddr[0]), int(family), int(sockaddr[3]) if len(sockaddr) == 4 else 0)
        for family, _, _, _, sockaddr in found
        if family in (socket.AF_INET, socket.AF_INET6)
    ]
    return list(dict.fromkeys(addresses))


class SystemResolver:
    """Asks the operating system in threads of its own; remembers answers and failures.

    `ttl` and `failure_ttl` are seconds, `names` is how many answers are kept (least recently asked go first),
    `threads` how many names are asked for at once. A failure that is not permanent is not remembered.
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
        if (own := parse_ip_literal(host)) is not None:
            return [own]
        loop = asyncio.get_running_loop()
        kept = self._cache.get(host)
        if kept is not None and kept[0] > loop.time():
            self._cache.move_to_end(host)
            answer = kept[1]
        else:
            asked = self._in_flight.get(host)
            if asked is None:
                if self._closed:
                    raise ResolveError(f"cannot resolve {host}: the resolver is closed", permanent=False)
                asked = loop.run_in_executor(self._executor, self._look_up, host)
                self._in_flight[host] = asked
                asked.add_done_callback(lambda done: self._store(host, done, loop.time()))
            try:
                answer = await asyncio.shield(asked)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if asked.cancelled() and task is not None and not task.cancelling():
                    raise ResolveError(f"cannot resolve {host}: the resolver was closed", permanent=False) from None
                raise
        if isinstance(answer, ResolveError):
            raise ResolveError(str(answer), permanent=answer.permanent)
        return answer

    def forget(self, host: str) -> None:
        """Ask anew next time."""
        self._cache.pop(host, None)

    def close(self) -> None:
        """Start no further lookups. One that hangs in the system is not waited for."""
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _look_up(self, host: str) -> list[Address] | ResolveError:
        """In a thread: failures are values here, so that an answer nobody waits for any more makes no noise."""
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
        answer = done.result()
        if isinstance(answer, ResolveError) and not answer.permanent:
            return
        ttl = self._failure_ttl if isinstance(answer, ResolveError) else self._ttl
        self._cache[host] = (now + ttl, answer)
        self._cache.move_to_end(host)
        if len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)


def interleave(addresses: Sequence[Address]) -> list[Address]:
    """Alternate the families, beginning with the first one's, order kept within each (RFC 8305 section 4)."""
    if not addresses:
        return []
    first = [a for a in addresses if a.family == addresses[0].family]
    other = [a for a in addresses if a.family != addresses[0].family]
    mixed: list[Address] = []
    for i in range(max(len(first), len(other))):
        mixed += first[i : i + 1] + other[i : i + 1]
    return mixed[:MAX_ADDRESSES]


async def race(
    addresses: Sequence[Address],
    attempt: Callable[[Address], Awaitable[T]],
    *,
    delay: float,
    discard: Callable[[T], None],
) -> T:
    """Happy eyeballs (RFC 8305 section 5): the first attempt that succeeds wins.

    A further address is tried when `delay` seconds have passed or an attempt has failed; losers are cancelled, and
    one that succeeds all the same goes to `discard`. Raises the first attempt's `OSError` when all have failed.
    """
    if len(addresses) == 1:
        return await attempt(addresses[0])
    running: list[asyncio.Task[T]] = []
    waiting = list(reversed(addresses))
    failures: dict[asyncio.Task[T], OSError] = {}
    winner: asyncio.Task[T] | None = None
    try:
        while winner is None and (waiting or len(failures) < len(running)):
            if waiting:
                running.append(asyncio.ensure_future(_run_attempt(attempt, waiting.pop())))
            pending = [task for task in running if task not in failures]
            done, _ = await asyncio.wait(
                pending, timeout=delay if waiting else None, return_when=asyncio.FIRST_COMPLETED
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
