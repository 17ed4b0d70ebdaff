"""Values that may contain a password: read from the environment and never shown.

A `Secret` is shown as it was written in the config (`${TOKEN}`) or as stars; only `reveal` returns its value. No error
of this file repeats what it read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import can_ada

from scraper.config.types.value_format import InvalidValueError, ParseContext, ValueFormat

MASKED_TEXT = "********"
# Characters a header value, a user and password, or a proxy address may have.
MAX_SECRET_CHARS = 8_192

REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\})?")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_BASIC_AUTH = re.compile(r"[^:]+:.*", re.DOTALL)
_BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)


class Secret:
    """A text that is not shown: `str()` and `repr()` give `masked`, `reveal()` the text itself.

    Not a dataclass: what turns those into dicts (asdict, pydantic, rich) would print the text.
    """

    __slots__ = ("__text", "masked")

    def __init__(self, text: str, masked: str = MASKED_TEXT) -> None:
        self.__text, self.masked = text, masked

    def reveal(self) -> str:
        """The text itself, for the code that sends it and no other."""
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
    """`text` with each `${NAME}` replaced by that variable, and `$${` by `${`; raises `InvalidValueError`."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        if not found[2] or not _VARIABLE_NAME.fullmatch(found[1]):
            raise InvalidValueError("a reference to the environment is written ${NAME}: letters, digits and _")
        try:
            return env[found[1]]
        except KeyError:
            raise InvalidValueError(f"the environment variable {found[1]} is not set") from None

    return REFERENCE.sub(value, text)


def _parse_text(value: Any, context: ParseContext, description: str) -> str:
    """The text with variables filled in."""
    if isinstance(value, Secret):
        return value.reveal()
    if not isinstance(value, str):
        raise InvalidValueError(
            f"expected {description}", "put the text in quotes" if isinstance(value, int | float) else ""
        )
    text = interpolate(value, context.env)
    if len(text) > MAX_SECRET_CHARS:
        raise InvalidValueError(f"{len(text):,} characters are too many; at most {MAX_SECRET_CHARS:,}")
    if not _FIELD_VALUE.fullmatch(text):
        raise InvalidValueError("holds a line break, a control character or one that a header cannot carry")
    return text


def holds_only_references(text: str) -> bool:
    """Whether `text` itself is no secret: it only names variables, or is masked already."""
    # Without the references no letter and no digit may be left: "${USER}:${PASS}" is no secret, "x${PASS}" is.
    left = REFERENCE.sub("", text)
    return text == MASKED_TEXT or (left != text and not re.search(r"[A-Za-z0-9]", left))


def _mask_unless_reference(value: Any, mask: str) -> str:
    """What may be shown for `value`: the text itself when it only names variables, otherwise `mask`."""
    if isinstance(value, Secret):
        return value.masked
    return value if holds_only_references(value) else mask


def _parse_basic(value: Any, context: ParseContext) -> Secret:
    text = _parse_text(value, context, "USER:PASSWORD, such as ${USER}:${PASS}")
    if not _BASIC_AUTH.fullmatch(text):
        raise InvalidValueError("expected USER:PASSWORD with a colon between them", 'for example "${USER}:${PASS}"')
    return Secret(text, _mask_unless_reference(value, f"{MASKED_TEXT}:{MASKED_TEXT}"))


def _parse_bearer(value: Any, context: ParseContext) -> Secret:
    text = _parse_text(value, context, "a token, such as ${TOKEN}")
    if text != MASKED_TEXT and not _BEARER_TOKEN.fullmatch(text):
        raise InvalidValueError("is not a bearer token: letters, digits and ._~+/-= only, without the word Bearer")
    return Secret(text, _mask_unless_reference(value, MASKED_TEXT))


def _parse_header(value: Any, context: ParseContext) -> Secret:
    # Shown as it was written, variables by their names; `mask_header`, which knows the header's name, hides more.
    text = _parse_text(value, context, "a header's text")
    return value if isinstance(value, Secret) else Secret(text.strip(), value)


# Names of headers whose values are probably secrets.
_SECRET_HEADER_NAME = re.compile(r"auth|cookie|token|secret|key|password|session|signature", re.IGNORECASE)
_AUTH_SCHEME = re.compile(r"^\s*(bearer|basic|token|digest)\s+", re.IGNORECASE)


def mask_header(name: str, value: Secret) -> Secret:
    """`value`, masked when the header's name suggests a secret and part of it is written in the config itself."""
    if not _SECRET_HEADER_NAME.search(name) or holds_only_references(_AUTH_SCHEME.sub("", value.masked)):
        return value
    return Secret(value.reveal(), MASKED_TEXT)


def _parse_proxy(value: Any, context: ParseContext) -> Secret:
    description = "a proxy address such as http://proxy.example:3128"
    text = _parse_text(value, context, description)
    try:
        url = can_ada.parse(text)
    except ValueError:
        raise InvalidValueError(f"is not an address; expected {description}") from None
    if url.protocol not in ("http:", "https:", "socks5:", "socks5h:") or not url.hostname:
        raise InvalidValueError(f"expected {description}", "http, https, socks5 and socks5h are known")
    if isinstance(value, Secret):
        return value
    if not (url.username or url.password) or holds_only_references(
        value.partition("//")[2].rpartition("@")[0] or value
    ):
        return Secret(text, value)
    return Secret(text, f"{url.protocol}//{MASKED_TEXT}:{MASKED_TEXT}@{url.host}")


def _text_schema(example: str) -> dict[str, Any]:
    return {"type": "string", "maxLength": MAX_SECRET_CHARS, "examples": [example]}


BASIC_AUTH_FORMAT = ValueFormat("USER:PASSWORD", _text_schema("${USER}:${PASS}"), _parse_basic, str)
BEARER_TOKEN_FORMAT = ValueFormat("a token", _text_schema("${TOKEN}"), _parse_bearer, str)
HEADER_VALUE_FORMAT = ValueFormat("a text", _text_schema("en"), _parse_header, str)
PROXY_FORMAT = ValueFormat("a proxy address", _text_schema("http://proxy.example:3128"), _parse_proxy, str)
