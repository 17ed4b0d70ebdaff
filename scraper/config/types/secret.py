"""Values that may hold a password: read from the environment, kept, and never shown.

A `Secret` shows as it was written in the config (`${TOKEN}`) or as stars; its value leaves only by `reveal`.
No error of this file repeats what it read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import can_ada

from scraper.config.types.value_format import InvalidValueError, ParseContext, ValueFormat

SECRET_MASK = "********"
MAX_SECRET_CHARS = 8_192
"""Characters a header value, a user and password, or a proxy address may have."""

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\})?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_BASIC_AUTH = re.compile(r"[^:]+:.*", re.DOTALL)
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)


class Secret:
    """A text that is not shown: `str()` and `repr()` give `shown`, `reveal()` the text itself.

    Not a dataclass, because whatever turns those into dicts (asdict, pydantic, rich) would print the text.
    """

    __slots__ = ("__text", "masked")

    def __init__(self, text: str, shown: str = SECRET_MASK) -> None:
        self.__text, self.masked = text, shown

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self.__text

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"Secret({self.masked!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return (self.__text, self.masked) == (other.__text, other.masked)

    def __hash__(self) -> int:
        return hash((self.__text, self.masked))


def interpolate(text: str, env: Mapping[str, str]) -> str:
    """`text` with each `${NAME}` replaced by that variable; `$${` stands for `${` itself. Raises
    `InvalidValueError`."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        if not found[2] or not _NAME.fullmatch(found[1]):
            raise InvalidValueError("a reference to the environment is written ${NAME}: letters, digits and _")
        try:
            return env[found[1]]
        except KeyError:
            raise InvalidValueError(f"the environment variable {found[1]} is not set") from None

    return _REFERENCE.sub(value, text)


def _read_text(value: Any, around: ParseContext, words: str) -> str:
    """The text with variables filled in."""
    if isinstance(value, Secret):
        return value.reveal()
    if not isinstance(value, str):
        raise InvalidValueError(f"expected {words}", "put the text in quotes" if isinstance(value, int | float) else "")
    text = interpolate(value, around.env)
    if len(text) > MAX_SECRET_CHARS:
        raise InvalidValueError(f"{len(text):,} characters are too many; at most {MAX_SECRET_CHARS:,}")
    if not _FIELD_VALUE.fullmatch(text):
        raise InvalidValueError("holds a line break, a control character or one that a header cannot carry")
    return text


def only_refers(text: str) -> bool:
    """Whether nothing of `text` is secret in itself: it only names variables, or is a mask already."""
    left = _REFERENCE.sub("", text)
    return text == SECRET_MASK or (left != text and not re.search(r"[A-Za-z0-9]", left))


def _shown(value: Any, mask: str) -> str:
    """What may be shown for `value`: a text that only refers to the environment as it stands, otherwise `mask`."""
    if isinstance(value, Secret):
        return value.masked
    return value if only_refers(value) else mask


def _read_basic(value: Any, around: ParseContext) -> Secret:
    text = _read_text(value, around, "USER:PASSWORD, such as ${USER}:${PASS}")
    if not _BASIC_AUTH.fullmatch(text):
        raise InvalidValueError("expected USER:PASSWORD with a colon between them", 'for example "${USER}:${PASS}"')
    return Secret(text, _shown(value, f"{SECRET_MASK}:{SECRET_MASK}"))


def _read_bearer(value: Any, around: ParseContext) -> Secret:
    text = _read_text(value, around, "a token, such as ${TOKEN}")
    if text != SECRET_MASK and not _BEARER.fullmatch(text):
        raise InvalidValueError("is not a bearer token: letters, digits and ._~+/-= only, without the word Bearer")
    return Secret(text, _shown(value, SECRET_MASK))


def _read_header(value: Any, around: ParseContext) -> Secret:
    # A header's text is shown as it was written, its variables by their names; `mask_header` hides more.
    text = _read_text(value, around, "a header's text")
    return value if isinstance(value, Secret) else Secret(text.strip(), value)


_TELLING = re.compile(r"auth|cookie|token|secret|key|password|session|signature", re.IGNORECASE)
_SCHEME = re.compile(r"^\s*(bearer|basic|token|digest)\s+", re.IGNORECASE)


def mask_header(name: str, value: Secret) -> Secret:
    """`value`, hidden when the header's name says that it is a secret and text of it stands in the config itself."""
    if not _TELLING.search(name) or only_refers(_SCHEME.sub("", value.masked)):
        return value
    return Secret(value.reveal(), SECRET_MASK)


def _read_proxy(value: Any, around: ParseContext) -> Secret:
    words = "a proxy address such as http://proxy.example:3128"
    text = _read_text(value, around, words)
    try:
        url = can_ada.parse(text)
    except ValueError:
        raise InvalidValueError(f"is not an address; expected {words}") from None
    if url.protocol not in ("http:", "https:", "socks5:", "socks5h:") or not url.hostname:
        raise InvalidValueError(f"expected {words}", "http, https, socks5 and socks5h are known")
    if isinstance(value, Secret):
        return value
    if not (url.username or url.password) or only_refers(value.partition("//")[2].rpartition("@")[0] or value):
        return Secret(text, value)
    return Secret(text, f"{url.protocol}//{SECRET_MASK}:{SECRET_MASK}@{url.host}")


def _text_schema(example: str) -> dict[str, Any]:
    return {"type": "string", "maxLength": MAX_SECRET_CHARS, "examples": [example]}


BASIC_AUTH_FORMAT = ValueFormat("USER:PASSWORD", _text_schema("${USER}:${PASS}"), _read_basic, str)
BEARER_TOKEN_FORMAT = ValueFormat("a token", _text_schema("${TOKEN}"), _read_bearer, str)
HEADER_VALUE_FORMAT = ValueFormat("a text", _text_schema("en"), _read_header, str)
PROXY_FORMAT = ValueFormat("a proxy address", _text_schema("http://proxy.example:3128"), _read_proxy, str)
