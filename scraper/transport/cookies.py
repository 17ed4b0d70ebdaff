"""The cookie jar of one run.

The rules are those of RFC 6265bis (draft-ietf-httpbis-rfc6265bis-20), section 5, for a user agent without scripts. Two
are stricter, because a crawl follows redirects unattended: a cookie goes back only to the port it came from (80 and 443
count as one), and a cookie that came over https is never sent over http, with or without `Secure`.

`cookie_file.py` keeps a jar between the sessions of a run. Everything is bounded: a server can fill its own share
of the jar and evict its own cookies; a thousand servers can evict the least recently used ones.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf

from scraper.model import FieldList, Url
from scraper.urls.scope_modes import registrable_domain

# Bytes of a cookie's name and value together.
MAX_COOKIE_BYTES = 4096
# Bytes of the value of an attribute; longer attributes are ignored.
MAX_ATTRIBUTE_BYTES = 1024
# Cookies per domain.
MAX_COOKIES_PER_DOMAIN = 50
# Cookies in all.
MAX_COOKIES = 3000
# Set-Cookie fields read of one response.
MAX_SET_COOKIE_FIELDS = 100
# Bytes of a Cookie header: servers reject longer ones. What does not fit is left out, shortest paths first.
MAX_COOKIE_HEADER_BYTES = 8 * 1024
# Seconds a cookie may live (section 5.5).
MAX_AGE_SECONDS = 400 * 86_400

_CONTROL_CHARACTERS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_IP_LITERAL = re.compile(r"\[.*\]|[\d.]+")
_MAX_AGE_VALUE = re.compile(rb"-?[0-9]{1,20}")
# Section 5.1.1: the delimiters of a date, and its parts.
_DATE_DELIMITERS = re.compile(r"[\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_DATE_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DATE_DAY = re.compile(r"([0-9]{1,2})(?![0-9])")
_DATE_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])")
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie. `expires` is an instant (epoch seconds), `math.inf` for the length of the run.

    `host_only` says that it is sent to `domain` alone and not to subdomains; `port` is empty for 80 and 443.
    `from_https` says that it came over https, `secure` that it has the Secure attribute. `creation_number` orders
    cookies by creation.
    """

    name: bytes
    value: bytes
    domain: str
    port: str
    path: bytes
    host_only: bool
    from_https: bool
    secure: bool
    expires: float
    creation_number: int = 0

    @property
    def key(self) -> tuple[bytes, bytes, str, bool]:
        """What identifies it among the cookies of its domain."""
        return self.name, self.path, self.port, self.host_only


class CookieJar:
    """Stores the cookies that servers set. `now` is always epoch seconds; no input raises an exception."""

    def __init__(self) -> None:
        # Least recently used first, both the domains and the cookies of a domain.
        self._by_domain: OrderedDict[str, OrderedDict[tuple[bytes, bytes, str, bool], Cookie]] = OrderedDict()
        self._count = 0
        self._created_count = 0
        # Grows with every change, so that whoever keeps the jar sees that there was one.
        self.version = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Cookie]:
        """All cookies, the least recently used first."""
        for cookies in self._by_domain.values():
            yield from cookies.values()

    def restore(self, cookie: Cookie, now: float) -> None:
        """Put back a cookie that was kept, unless it has expired. In the order of iteration."""
        if cookie.expires > now and self._count < MAX_COOKIES:
            cookies = self._by_domain.setdefault(cookie.domain, OrderedDict())
            self._count += cookie.key not in cookies
            cookies[cookie.key] = cookie
            self._created_count = max(self._created_count, cookie.creation_number)

    def store(self, url: Url, fields: Iterable[tuple[bytes, bytes]], now: float) -> None:
        """Store the Set-Cookie fields of a response from `url`."""
        if isinstance(fields, FieldList) and b"set-cookie" not in fields.by_name:
            return
        fields_read = 0
        for name, value in fields:
            if len(name) == 10 and name.lower() == b"set-cookie":
                fields_read += 1
                if fields_read > MAX_SET_COOKIE_FIELDS:
                    return
                cookie = parse_set_cookie(url, value, now)
                if cookie is not None:
                    self._insert(cookie, is_https(url), now)

    def cookie_header(self, url: Url, now: float) -> bytes | None:
        """The value of the Cookie header for a request to `url`, or None."""
        if not self._by_domain:
            return None
        host, _, port = _host_and_port(url)
        path, secure = _request_path(url), is_https(url)
        matching: list[Cookie] = []
        for domain in _domain_and_parents(host):
            cookies = self._by_domain.get(domain)
            for cookie in list(cookies.values()) if cookies is not None else ():
                if cookie.expires <= now:
                    self._delete(cookie)
                elif (
                    (domain == host or not cookie.host_only)
                    and cookie.port == port
                    and (secure or not cookie.from_https)
                    and path_matches(path, cookie.path)
                ):
                    matching.append(cookie)
        return self._serialize(matching)

    def _serialize(self, matching: list[Cookie]) -> bytes | None:
        matching.sort(key=lambda cookie: (-len(cookie.path), cookie.creation_number))
        parts: list[bytes] = []
        size = 0
        for cookie in matching:
            part = cookie.name + b"=" + cookie.value if cookie.name else cookie.value
            size += len(part) + 2
            if size > MAX_COOKIE_HEADER_BYTES + 2:
                break
            parts.append(part)
            self._by_domain.move_to_end(cookie.domain)
            self._by_domain[cookie.domain].move_to_end(cookie.key)
        return b"; ".join(parts) if parts else None

    def _insert(self, cookie: Cookie, from_https: bool, now: float) -> None:
        self.version += 1
        cookies = self._by_domain.setdefault(cookie.domain, OrderedDict())
        if not from_https and self._would_shadow_secure(cookie):
            self._drop_if_empty(cookie.domain)
            return
        before = cookies.pop(cookie.key, None)
        self._count -= before is not None
        if cookie.expires > now:
            self._created_count += 1
            # A cookie that is set again keeps its position in the Cookie header.
            cookies[cookie.key] = replace(
                cookie, creation_number=self._created_count if before is None else before.creation_number
            )
            self._by_domain.move_to_end(cookie.domain)
            self._count += 1
        if len(cookies) > MAX_COOKIES_PER_DOMAIN:
            expired = next((old for old in cookies.values() if old.expires <= now), None)
            self._delete(expired or next(iter(cookies.values())))
        if self._count > MAX_COOKIES:
            oldest = next(iter(self._by_domain.values()))
            self._delete(next(iter(oldest.values())))
        self._drop_if_empty(cookie.domain)

    def _would_shadow_secure(self, cookie: Cookie) -> bool:
        """Section 5.7, step 15: a cookie from http must not overlay one with the Secure attribute."""
        for domain in _domain_and_parents(cookie.domain):
            for old in self._by_domain.get(domain, {}).values():
                if old.secure and old.name == cookie.name and path_matches(cookie.path, old.path):
                    return True
        return False

    def _delete(self, cookie: Cookie) -> None:
        del self._by_domain[cookie.domain][cookie.key]
        self._count -= 1
        self._drop_if_empty(cookie.domain)

    def _drop_if_empty(self, domain: str) -> None:
        if not self._by_domain.get(domain, True):
            del self._by_domain[domain]


def parse_set_cookie(url: Url, field: bytes, now: float) -> Cookie | None:
    """The cookie that the Set-Cookie value `field` of a response from `url` sets, or None when it must be ignored.

    RFC 6265bis sections 5.6 and 5.7. An expired cookie is returned, too: it deletes the stored one with its key.
    """
    if _CONTROL_CHARACTERS.search(field):
        return None
    pair, _, rest = field.partition(b";")
    name, equals, value = pair.partition(b"=")
    if not equals:
        name, value = b"", name
    name, value = name.strip(b" \t"), value.strip(b" \t")
    if not (name or value) or len(name) + len(value) > MAX_COOKIE_BYTES:
        return None
    attributes = _parse_attributes(rest)
    host, _, port = _host_and_port(url)
    domain = _cookie_domain(host, attributes.get(b"domain", b""))
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
    expires = _expiry_time(attributes, now)
    return Cookie(name, value, domain or host, port, path, exact, is_https(url), secure, expires)


def is_https(url: Url) -> bool:
    """Whether `url` is fetched over TLS."""
    return url.origin.startswith("https:")


def path_matches(path: bytes, prefix: bytes) -> bool:
    """Section 5.1.4: whether a cookie with path `prefix` is sent with a request for `path`."""
    return path.startswith(prefix) and (
        len(path) == len(prefix) or prefix.endswith(b"/") or path[len(prefix) : len(prefix) + 1] == b"/"
    )


def parse_cookie_date(text: str) -> float | None:
    """The instant of an Expires attribute (section 5.1.1), or None when it is not a date."""
    time: tuple[int, ...] | None = None
    day = month = year = None
    for token in _DATE_DELIMITERS.split(text[:MAX_ATTRIBUTE_BYTES]):
        if time is None and (found := _DATE_TIME.match(token)):
            time = tuple(map(int, found.groups()))
        elif day is None and (found := _DATE_DAY.match(token)):
            day = int(found[1])
        elif month is None and token[:3].lower() in _MONTH_NAMES:
            month = _MONTH_NAMES.index(token[:3].lower()) + 1
        elif year is None and (found := _DATE_YEAR.match(token)):
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


def _parse_attributes(text: bytes) -> dict[bytes, bytes]:
    """Attributes by lower-case name; of repeated ones the last counts."""
    found: dict[bytes, bytes] = {}
    for part in text.split(b";"):
        name, _, value = part.partition(b"=")
        value = value.strip(b" \t")
        if len(value) <= MAX_ATTRIBUTE_BYTES:
            found[name.strip(b" \t").lower()] = value
    return found


def _expiry_time(attributes: dict[bytes, bytes], now: float) -> float:
    age = attributes.get(b"max-age", b"")
    if _MAX_AGE_VALUE.fullmatch(age):
        seconds = int(age)
        return now + min(seconds, MAX_AGE_SECONDS) if seconds > 0 else -inf
    instant = parse_cookie_date(attributes.get(b"expires", b"").decode("latin-1"))
    return inf if instant is None else min(instant, now + MAX_AGE_SECONDS)


def _cookie_domain(host: str, attribute: bytes) -> str | None:
    """The domain of a cookie: empty when it is for `host` alone, None when the cookie must be ignored."""
    if not attribute.isascii():
        return None
    domain = attribute.decode("ascii").lower().removeprefix(".")
    if not domain:
        return ""
    if domain == host:
        # A public suffix may serve pages itself, but its subdomains belong to others: treat the cookie as host-only.
        return "" if _is_public_suffix(domain) else domain
    if not host.endswith("." + domain) or _IP_LITERAL.fullmatch(host) or _is_public_suffix(domain):
        return None
    return domain


def _is_public_suffix(domain: str) -> bool:
    below = f"a.{domain}"
    return "." not in domain or registrable_domain(below) == below


def _host_and_port(url: Url) -> tuple[str, str, str]:
    if url.host.startswith("["):
        host, _, port = url.host.partition("]")
        return host + "]", "", port.removeprefix(":")
    return url.host.partition(":")


def _request_path(url: Url) -> bytes:
    return url.target.partition("?")[0].encode("latin-1", "replace")


def _default_path(url: Url) -> bytes:
    """Section 5.1.4: the directory of the requested path."""
    path = _request_path(url)
    return path[: path.rfind(b"/")] or b"/"


def _domain_and_parents(host: str) -> Iterator[str]:
    """`host`, and every domain above it."""
    yield host
    at = -1 if host.startswith("[") else host.find(".")
    while at >= 0:
        yield host[at + 1 :]
        at = host.find(".", at + 1)
