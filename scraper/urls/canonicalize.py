"""Turns a text into a canonical URL: one spelling for each resource, so that URLs can be compared and fetched.

A text is parsed as the WHATWG URL standard says, then normalized as RFC 3986 section 6.2.2 allows: the fragment is
dropped, percent triplets are upper-case, triplets of unreserved characters are decoded. None of this changes what a
server returns, so the result (`Url.href`) can be fetched. Changes that might (leaving out tracking parameters, sorting
parameters) apply to `Url.key` only, which is compared and never fetched.

This is the hottest code of a crawl: about a hundred links a page. Therefore a page's base is parsed once (`BaseUrl`),
links to the page's own origin reuse its host and origin strings, and each regex is behind a cheaper test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from can_ada import URL, parse

from scraper.model import OutOfScope, Url

# Characters. Longer texts are rejected unparsed: a `data:` URL may hold megabytes.
MAX_URL_CHARS = 65_536
# Characters of a host with its port: 253 of the name (RFC 1035), a colon and five digits, rounded up.
MAX_HOST_CHARS = 260

NOT_A_URL = OutOfScope("invalid", "url: not an absolute URL")
URL_TOO_LONG = OutOfScope("invalid", f"url: longer than {MAX_URL_CHARS} characters")
HAS_CREDENTIALS = OutOfScope("invalid", "url: credentials in the URL; use the config's auth")
INVALID_HOST = OutOfScope("invalid", "url: not a host name")

UNRESERVED_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

_PERCENT_TRIPLET = re.compile("%[0-9A-Fa-f]{2}")
_STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
# Finds a percent sign that needs work: one that is not followed by two upper-case hexadecimal digits, or that encodes
# an unreserved character. Most URLs with a percent sign have none, and are left alone.
_DENORMAL_PERCENT = re.compile("%(?![0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF])")
_NON_ASCII = re.compile("[^\x00-\x7f]")
_SCHEME_PREFIX = re.compile(r"[\x00-\x20]*([A-Za-z][A-Za-z0-9+.\-]{0,30}):")

_new_tuple = tuple.__new__  # makes a `Url` in half the time of calling the class


def _glob_regex(pattern: str, any_characters: str = "[^=&]*") -> str:
    return any_characters.join(re.escape(part) for part in pattern.split("*"))


@dataclass(frozen=True, slots=True)
class KeyRules:
    """Which differences between two URLs are ignored when they are compared.

    `strip_params`: names of query parameters to leave out, case-sensitive, with `*` for any characters (`utm_*`). A
    name that begins with a semicolon is a path parameter (`;jsessionid`). `sort_query`: order query parameters by name;
    parameters of the same name keep their order.
    """

    strip_params: tuple[str, ...] = ()
    sort_query: bool = False
    # Compiled from `strip_params`; None when there is nothing to match.
    _name_regex: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)
    _query_regex: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)
    _path_regex: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        in_path = [name[1:] for name in self.strip_params if name.startswith(";") and name[1:]]
        if in_path:
            path_names = "|".join(_glob_regex(name, "[^=/;]*") for name in in_path)
            object.__setattr__(self, "_path_regex", re.compile(f";(?:{path_names})(?:=[^/;]*)?(?![^/;])"))
        names = "|".join(_glob_regex(name) for name in self.strip_params if name and not name.startswith(";"))
        if names:
            object.__setattr__(self, "_name_regex", re.compile(f"(?:{names})(?![^=])"))
            object.__setattr__(self, "_query_regex", re.compile(f"[?&](?:{names})(?![^=&])"))

    def key(self, href: str) -> str:
        """The key of a canonical `href`. Returns the same object when no rule applies, so that keys cost no memory."""
        if self._path_regex is not None and ";" in href:
            path, question_mark, query = href.partition("?")
            if (stripped := self._path_regex.sub("", path)) != path:
                href = stripped + question_mark + query
        strip = self._query_regex is not None and self._query_regex.search(href) is not None
        if not strip and not self.sort_query:
            return href
        head, _, query = href.partition("?")
        parts = query.split("&")
        if strip and self._name_regex is not None:
            match = self._name_regex.match
            parts = [part for part in parts if not match(part)]
        if self.sort_query:
            parts.sort(key=_parameter_name)
        changed = "&".join(parts)
        if changed == query:
            return href
        return f"{head}?{changed}" if changed else head


def _parameter_name(part: str) -> str:
    return part.partition("=")[0]


DEFAULT_KEY_RULES = KeyRules()


class BaseUrl:
    """The URL that the links of one page are resolved against, parsed once.

    `url` must come from `canonicalize`. `codec` is the Python codec of the page's text when that is not UTF-8:
    browsers percent-encode the query of a link in the page's encoding (WHATWG URL, "percent-encode after encoding").
    """

    __slots__ = ("codec", "host", "origin", "parsed", "prefix")

    def __init__(self, url: Url, codec: str | None = None) -> None:
        self.parsed = parse(url.href)
        self.origin = url.origin
        self.host = url.host
        self.prefix = url.origin + "/"
        self.codec = codec

    @classmethod
    def of(cls, url: Url) -> BaseUrl:
        """The base of a page at `url` without `<base>`."""
        return cls(url)

    @property
    def href(self) -> str:
        """The absolute URL."""
        return self.parsed.href

    def join(self, text: str) -> BaseUrl | None:
        """The base that `<base href=text>` declares on a page whose own base is this one.

        None when browsers ignore the element: the text cannot be parsed, or is a `data:` or `javascript:` URL (HTML
        standard, 4.2.3).
        """
        parsed = _parse_or_none(text, self) if len(text) <= MAX_URL_CHARS else None
        if parsed is None or parsed.protocol in {"data:", "javascript:"}:
            return None
        other = object.__new__(BaseUrl)
        other.parsed, other.codec = parsed, self.codec
        other.host, other.origin = parsed.host, parsed.origin
        # `canonicalize` takes a link with this prefix for one of the base's origin and skips the checks of its host.
        # Of other schemes (`file:`) it must never do so, therefore their prefix is a text that no URL begins with.
        other.prefix = parsed.origin + "/" if parsed.protocol in {"http:", "https:"} else "\n"
        return other


def canonicalize(text: str, base: BaseUrl | None = None, rules: KeyRules = DEFAULT_KEY_RULES) -> Url | OutOfScope:
    """Parse `text` as a URL, relative to `base` if given; `rules` make its key.

    Returns the canonical URL, or `OutOfScope` with the reason `scheme` (not http or https) or `invalid` (not a URL, an
    impossible host, credentials in it, longer than `MAX_URL_CHARS`). Never raises. Idempotent: a `Url.href` gives an
    equal `Url`, and the key of a `Url.key` is itself. Standards: WHATWG URL; RFC 3986 section 6.2.2.
    """
    fragment_start = text.find("#")
    if fragment_start >= 0:
        text = text[:fragment_start]
    if len(text) > MAX_URL_CHARS:
        return URL_TOO_LONG
    try:
        if base is None:
            parsed = parse(text)
        elif base.codec is None:
            parsed = base.parsed + text
        else:
            parsed = base.parsed + encode_query(text, base.codec)
    except (ValueError, TypeError):
        # Rare: not a URL, or one with lone surrogates, which are replaced now.
        retried = _parse_or_none(text, base)
        if retried is None:
            return _why_unparsable(text)
        parsed = retried
    href = parsed.href
    # 1. A link to the base's own origin: its host and origin strings are reused, and need no check.
    # 2. Any other link: check scheme, credentials and host.
    if base is not None and href.startswith(base.prefix):
        host, origin = base.host, base.origin
    else:
        if not href.startswith(("https://", "http://")):
            return OutOfScope("scheme", f"scheme: {parsed.protocol[:30].removesuffix(':')}")
        if parsed.has_credentials():
            return HAS_CREDENTIALS
        host, origin = parsed.host, parsed.origin
        if ".." in host or host[0] == "." or len(host) > MAX_HOST_CHARS:
            return INVALID_HOST
    if "%" in href and _DENORMAL_PERCENT.search(href):
        href = _normalize_percents(href)
    key = rules.key(href) if "?" in href or ";" in href else href
    return _new_tuple(Url, (href, key, host, origin))


def encode_query(text: str, codec: str) -> str:
    """`text` with the non-ASCII characters of its query percent-encoded in `codec`, as browsers do.

    Characters that the encoding lacks become numeric references, `%26%23<number>%3B` (WHATWG Encoding, error mode
    "html").
    """
    if text.isascii() or "?" not in text:
        return text

    def encode(match: re.Match[str]) -> str:
        try:
            return "".join(f"%{byte:02X}" for byte in match[0].encode(codec))
        except UnicodeError:
            return f"%26%23{ord(match[0])}%3B"

    head, _, query = text.partition("?")
    return f"{head}?{_NON_ASCII.sub(encode, query)}"


def _parse_or_none(text: str, base: BaseUrl | None) -> URL | None:
    try:
        # The parser takes no lone surrogates. WHATWG's USVString makes U+FFFD of them.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return parse(text) if base is None else base.parsed + text
    except (ValueError, TypeError):
        return None


def _why_unparsable(text: str) -> OutOfScope:
    scheme = _SCHEME_PREFIX.match(text)
    if scheme is None or scheme[1].lower() in {"http", "https"}:
        return NOT_A_URL
    return OutOfScope("scheme", f"scheme: {scheme[1].lower()}")


def _normalize_percents(href: str) -> str:
    if _STRAY_PERCENT.search(href):
        # A decoded character behind a stray percent sign could form a new triplet: %%37E would become %7E, which names
        # another resource. So triplets of such a URL are not decoded, only written in upper case.
        return _PERCENT_TRIPLET.sub(lambda match: match[0].upper(), href)
    return _PERCENT_TRIPLET.sub(_normalize_triplet, href)


def _normalize_triplet(match: re.Match[str]) -> str:
    octet = int(match[0][1:], 16)
    return chr(octet) if octet in UNRESERVED_BYTES else match[0].upper()
