"""Turns any text that claims to be a URL into the one form this package works with.

The form is what the WHATWG URL standard's parser makes of it, then the safe set of RFC 3986 section 6.2.2: the
fragment is dropped, percent triplets are upper-case, and triplets of unreserved characters are decoded. All of it
names the same resource for every server, so `Url.href` can be fetched. What may change the meaning (tracking
parameters, the order of parameters) only ever touches `Url.key`, which is compared and never fetched.

This is the hottest path of a crawl: a hundred links a page. So a base is parsed once a page (`BaseUrl`), a link on the
page's own origin borrows the base's host and origin strings, and every rule is behind a test that is cheaper than it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from can_ada import URL, parse

from scraper.model import OutOfScope, Url

# Characters of a link's text beyond which it is not looked at (a `data:` URL may hold megabytes).
MAX_URL_CHARS = 65_536
# Longest host with its port: 253 characters of name (RFC 1035), a colon and five digits, rounded up.
MAX_HOST_CHARS = 260

NOT_A_URL = OutOfScope("invalid", "url: not an absolute URL")
URL_TOO_LONG = OutOfScope("invalid", f"url: longer than {MAX_URL_CHARS} characters")
HAS_CREDENTIALS = OutOfScope("invalid", "url: credentials in the URL; use the config's auth")
INVALID_HOST = OutOfScope("invalid", "url: not a host name")

UNRESERVED_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PERCENT_TRIPLET = re.compile("%[0-9A-Fa-f]{2}")
_STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
# A percent sign that is not followed by an upper-case triplet of a reserved octet: there is something to do.
_DENORMAL_PERCENT = re.compile("%(?![0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF])")
_NON_ASCII = re.compile("[^\x00-\x7f]")
_SCHEME_PREFIX = re.compile(r"[\x00-\x20]*([A-Za-z][A-Za-z0-9+.\-]{0,30}):")

_new_tuple = tuple.__new__


def _glob_regex(pattern: str, any_characters: str = "[^=&]*") -> str:
    return any_characters.join(re.escape(part) for part in pattern.split("*"))


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What two URLs may differ in and still count as one.

    `strip_params` are names of query parameters, case-sensitive, with `*` for any characters (`utm_*`); a name that
    begins with a semicolon is one of the path (`;jsessionid`). `sort_query` orders parameters by name; those of one
    name keep their order.
    """

    strip_params: tuple[str, ...] = ()
    sort_query: bool = False
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
        """The identity of a canonical `href`: the same object when no rule changes it."""
        if self._path_regex is not None and ";" in href:
            path, mark, rest = href.partition("?")
            if (shorter := self._path_regex.sub("", path)) != path:
                href = shorter + mark + rest
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
    """What the links of one page are resolved against, parsed once.

    `url` must come from `canonicalize`. `codec` is the Python codec of the page's text when that is not UTF-8:
    browsers write the query of a link in the page's own encoding (WHATWG URL, "percent-encode after encoding").
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
        """The base that a page at `url` has when it declares none."""
        return cls(url)

    @property
    def href(self) -> str:
        """The base itself, absolute."""
        return self.parsed.href

    def join(self, text: str) -> BaseUrl | None:
        """The base that `<base href=text>` declares on a page with this one; None when browsers would ignore it.

        HTML standard, 4.2.3: text that cannot be parsed, `data:` and `javascript:` are ignored.
        """
        parsed = _parse_or_none(text, self) if len(text) <= MAX_URL_CHARS else None
        if parsed is None or parsed.protocol in {"data:", "javascript:"}:
            return None
        other = object.__new__(BaseUrl)
        other.parsed, other.codec = parsed, self.codec
        other.host, other.origin = parsed.host, parsed.origin
        # Nothing starts with an empty line: links below another scheme never pass as links of a known origin.
        other.prefix = parsed.origin + "/" if parsed.protocol in {"http:", "https:"} else "\n"
        return other


def canonicalize(text: str, base: BaseUrl | None = None, rules: KeyRules = DEFAULT_KEY_RULES) -> Url | OutOfScope:
    """Read `text` as a URL, relative to `base` when there is one.

    `rules` make the key. Returns the canonical URL, or `OutOfScope` with the reason `scheme` (not http or https) or
    `invalid` (no URL, a host that cannot be, credentials in it, longer than `MAX_URL_CHARS`). Never raises. Idempotent:
    a `Url.href` gives an equal `Url`, and a `Url.key` keeps its key. Standards: WHATWG URL; RFC 3986 section 6.2.2.
    """
    cut = text.find("#")
    if cut >= 0:
        text = text[:cut]
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
        retried = _parse_or_none(text, base)
        if retried is None:
            return _why_unparsable(text)
        parsed = retried
    href = parsed.href
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
    """`text` with the non-ASCII characters of its query percent-encoded in `codec`, as a browser sends a legacy form.

    Characters that the encoding lacks become `%26%23<number>%3B` (WHATWG Encoding, "html" error mode).
    """
    if text.isascii() or "?" not in text:
        return text

    def encoded(match: re.Match[str]) -> str:
        try:
            return "".join(f"%{byte:02X}" for byte in match[0].encode(codec))
        except UnicodeError:
            return f"%26%23{ord(match[0])}%3B"

    head, _, query = text.partition("?")
    return f"{head}?{_NON_ASCII.sub(encoded, query)}"


def _parse_or_none(text: str, base: BaseUrl | None) -> URL | None:
    try:
        # Lone surrogates, which the parser does not take, are what WHATWG's USVString makes of them: U+FFFD.
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
        # Beside a stray percent sign a decoded character could form a new triplet (%%37E would become %7E), so
        # such a URL is only brought to upper case.
        return _PERCENT_TRIPLET.sub(lambda match: match[0].upper(), href)
    return _PERCENT_TRIPLET.sub(_normalize_triplet, href)


def _normalize_triplet(match: re.Match[str]) -> str:
    octet = int(match[0][1:], 16)
    return chr(octet) if octet in UNRESERVED_BYTES else match[0].upper()
