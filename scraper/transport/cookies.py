"""The cookies of one run: what servers set comes back to them, and to nobody else.

The rules are those of RFC 6265bis (draft-ietf-httpbis-rfc6265bis-20), section 5, for a user agent without scripts.
Two are stricter, because a crawl follows redirects that nobody looks at: a cookie goes back to the port it came from
(80 and 443 count as one), and one that came over https never goes over http, with or without `Secure`.

A jar lives as long as its run's session and is never written down. Every bound has a name: a server can fill its own
share of the jar and push out its own cookies, and a thousand servers can push out those used longest ago.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf

from scraper.model import FieldList, Url
from scraper.urls.scope_modes import registrable

MAX_COOKIE = 4096
"""Bytes of a cookie's name and value together."""
MAX_ATTRIBUTE = 1024
"""Bytes of an attribute's value; a longer attribute is passed over."""
MAX_PER_HOST = 50
"""Cookies of one domain."""
MAX_COOKIES = 3000
"""Cookies in all."""
MAX_SET = 100
"""Set-Cookie fields of one response that are looked at."""
MAX_SENT = 8 * 1024
"""Bytes of a Cookie header: servers refuse longer ones. What does not fit is left out, shortest paths first."""
MAX_AGE = 400 * 86_400
"""Seconds a cookie may live (section 5.5)."""

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_ADDRESS = re.compile(r"\[.*\]|[\d.]+")
_AGE = re.compile(rb"-?[0-9]{1,20}")
# Section 5.1.1: what separates the parts of a date, and what the parts look like.
_BETWEEN = re.compile(r"[\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = re.compile(r"([0-9]{1,2})(?![0-9])")
_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie. `expires` is an instant (epoch seconds), `math.inf` for the length of the run.

    `exact` says that it goes to `domain` alone and not to hosts below it; `port` is empty for 80 and 443. `tls` says
    that it came over https, `secure` that its attribute asks to stay there.
    """

    name: bytes
    value: bytes
    domain: str
    port: str
    path: bytes
    exact: bool
    tls: bool
    secure: bool
    expires: float
    order: int = 0

    @property
    def key(self) -> tuple[bytes, bytes, str, bool]:
        """What tells it from the other cookies of its domain."""
        return self.name, self.path, self.port, self.exact


class CookieJar:
    """Keeps what servers set. `now` is always epoch seconds; nothing here raises for any input."""

    def __init__(self) -> None:
        # Least recently used first, both the domains and the cookies of a domain.
        self._shelves: OrderedDict[str, OrderedDict[tuple[bytes, bytes, str, bool], Cookie]] = OrderedDict()
        self._count = 0
        self._made = 0

    def __len__(self) -> int:
        return self._count

    def store(self, url: Url, fields: Iterable[tuple[bytes, bytes]], now: float) -> None:
        """Take the Set-Cookie fields of a response from `url`."""
        if isinstance(fields, FieldList) and b"set-cookie" not in fields.by_name:
            return
        looked_at = 0
        for name, value in fields:
            if len(name) == 10 and name.lower() == b"set-cookie":
                looked_at += 1
                if looked_at > MAX_SET:
                    return
                cookie = read_cookie(url, value, now)
                if cookie is not None:
                    self._put(cookie, is_https(url), now)

    def header(self, url: Url, now: float) -> bytes | None:
        """The value of the Cookie header for a request to `url`, or None."""
        if not self._shelves:
            return None
        host, _, port = _host_and_port(url)
        path, secure = _path(url), is_https(url)
        fitting: list[Cookie] = []
        for domain in _with_parents(host):
            shelf = self._shelves.get(domain)
            for cookie in list(shelf.values()) if shelf is not None else ():
                if cookie.expires <= now:
                    self._drop(cookie)
                elif (
                    (domain == host or not cookie.exact)
                    and cookie.port == port
                    and (secure or not cookie.tls)
                    and path_matches(path, cookie.path)
                ):
                    fitting.append(cookie)
        return self._written(fitting)

    def _written(self, fitting: list[Cookie]) -> bytes | None:
        fitting.sort(key=lambda cookie: (-len(cookie.path), cookie.order))
        parts: list[bytes] = []
        size = 0
        for cookie in fitting:
            part = cookie.name + b"=" + cookie.value if cookie.name else cookie.value
            size += len(part) + 2
            if size > MAX_SENT + 2:
                break
            parts.append(part)
            self._shelves.move_to_end(cookie.domain)
            self._shelves[cookie.domain].move_to_end(cookie.key)
        return b"; ".join(parts) if parts else None

    def _put(self, cookie: Cookie, from_https: bool, now: float) -> None:
        shelf = self._shelves.setdefault(cookie.domain, OrderedDict())
        if not from_https and self._would_hide_a_secure_one(cookie):
            self._forget_if_empty(cookie.domain)
            return
        before = shelf.pop(cookie.key, None)
        self._count -= before is not None
        if cookie.expires > now:
            self._made += 1
            # A cookie that is set anew keeps its place in the order of sending.
            shelf[cookie.key] = replace(cookie, order=self._made if before is None else before.order)
            self._shelves.move_to_end(cookie.domain)
            self._count += 1
        if len(shelf) > MAX_PER_HOST:
            expired = next((old for old in shelf.values() if old.expires <= now), None)
            self._drop(expired or next(iter(shelf.values())))
        if self._count > MAX_COOKIES:
            oldest = next(iter(self._shelves.values()))
            self._drop(next(iter(oldest.values())))
        self._forget_if_empty(cookie.domain)

    def _would_hide_a_secure_one(self, cookie: Cookie) -> bool:
        """Section 5.7, step 15: what came over https cannot be overlaid from http."""
        for domain in _with_parents(cookie.domain):
            for old in self._shelves.get(domain, {}).values():
                if old.secure and old.name == cookie.name and path_matches(cookie.path, old.path):
                    return True
        return False

    def _drop(self, cookie: Cookie) -> None:
        del self._shelves[cookie.domain][cookie.key]
        self._count -= 1
        self._forget_if_empty(cookie.domain)

    def _forget_if_empty(self, domain: str) -> None:
        if not self._shelves.get(domain, True):
            del self._shelves[domain]


def read_cookie(url: Url, field: bytes, now: float) -> Cookie | None:
    """The cookie that the Set-Cookie value `field` of a response from `url` sets, or None when it is refused.

    RFC 6265bis sections 5.6 and 5.7. One that has expired already is returned: it deletes its namesake.
    """
    if _CONTROL.search(field):
        return None
    pair, _, rest = field.partition(b";")
    name, equals, value = pair.partition(b"=")
    if not equals:
        name, value = b"", name
    name, value = name.strip(b" \t"), value.strip(b" \t")
    if not (name or value) or len(name) + len(value) > MAX_COOKIE:
        return None
    attributes = _attributes(rest)
    host, _, port = _host_and_port(url)
    domain = _domain(host, attributes.get(b"domain", b""))
    secure = b"secure" in attributes
    if domain is None or (secure and not is_https(url)):
        return None
    if attributes.get(b"samesite", b"").lower() == b"none" and not secure:
        return None
    path = attributes.get(b"path", b"")
    exact = not domain
    if not path.startswith(b"/"):
        path = _default_path(url)
    prefix = (name or value).lower()
    if prefix.startswith(b"__secure-") and not (name and secure):
        return None
    if prefix.startswith(b"__host-") and not (name and secure and exact and path == b"/"):
        return None
    expires = _expires(attributes, now)
    return Cookie(name, value, domain or host, port, path, exact, is_https(url), secure, expires)


def is_https(url: Url) -> bool:
    """Whether `url` is asked for over TLS."""
    return url.origin.startswith("https:")


def path_matches(path: bytes, prefix: bytes) -> bool:
    """Section 5.1.4: whether a cookie for `prefix` goes with a request for `path`."""
    return path.startswith(prefix) and (
        len(path) == len(prefix) or prefix.endswith(b"/") or path[len(prefix) : len(prefix) + 1] == b"/"
    )


def parse_date(text: str) -> float | None:
    """The instant that a cookie's Expires names (section 5.1.1), or None when it names none."""
    time: tuple[int, ...] | None = None
    day = month = year = None
    for token in _BETWEEN.split(text[:MAX_ATTRIBUTE]):
        if time is None and (found := _TIME.match(token)):
            time = tuple(map(int, found.groups()))
        elif day is None and (found := _DAY.match(token)):
            day = int(found[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (found := _YEAR.match(token)):
            year = int(found[1])
    if time is None or day is None or month is None or year is None:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    if year < 1601:
        return None
    try:
        return datetime(year, month, day, time[0], time[1], time[2], tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _attributes(text: bytes) -> dict[bytes, bytes]:
    """Names in lower case; of a repeated attribute the last one counts."""
    found: dict[bytes, bytes] = {}
    for part in text.split(b";"):
        name, _, value = part.partition(b"=")
        value = value.strip(b" \t")
        if len(value) <= MAX_ATTRIBUTE:
            found[name.strip(b" \t").lower()] = value
    return found


def _expires(attributes: dict[bytes, bytes], now: float) -> float:
    age = attributes.get(b"max-age", b"")
    if _AGE.fullmatch(age):
        seconds = int(age)
        return now + min(seconds, MAX_AGE) if seconds > 0 else -inf
    instant = parse_date(attributes.get(b"expires", b"").decode("latin-1"))
    return inf if instant is None else min(instant, now + MAX_AGE)


def _domain(host: str, attribute: bytes) -> str | None:
    """The domain a cookie is for: empty when it is for `host` alone, None when it must be refused."""
    if not attribute.isascii():
        return None
    domain = attribute.decode("ascii").lower().removeprefix(".")
    if not domain:
        return ""
    if domain == host:
        # A public suffix may have a page of its own, but nobody below it is in the same hands.
        return "" if _is_public_suffix(domain) else domain
    if not host.endswith("." + domain) or _ADDRESS.fullmatch(host) or _is_public_suffix(domain):
        return None
    return domain


def _is_public_suffix(domain: str) -> bool:
    below = f"a.{domain}"
    return "." not in domain or registrable(below) == below


def _host_and_port(url: Url) -> tuple[str, str, str]:
    if url.host.startswith("["):
        host, _, port = url.host.partition("]")
        return host + "]", "", port.removeprefix(":")
    return url.host.partition(":")


def _path(url: Url) -> bytes:
    return url.target.partition("?")[0].encode("latin-1", "replace")


def _default_path(url: Url) -> bytes:
    """Section 5.1.4: the directory of what was asked for."""
    path = _path(url)
    return path[: path.rfind(b"/")] or b"/"


def _with_parents(host: str) -> Iterator[str]:
    """`host`, and every domain above it."""
    yield host
    at = -1 if host.startswith("[") else host.find(".")
    while at >= 0:
        yield host[at + 1 :]
        at = host.find(".", at + 1)
