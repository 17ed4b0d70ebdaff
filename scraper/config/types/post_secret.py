"""What a POST sends, as it was written in the config, and which of it is secret.

Secret is what comes from the environment (`${NAME}`), and what is written under the name of a password. The first is
shown as it was written, the second as stars.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from scraper.config.types.secret import MASKED_TEXT, REFERENCE, holds_only_references, interpolate

# Names of fields whose values are passwords, and names that are such beside the name of a user.
_SECRET_NAME = re.compile(
    r"pass|pwd|secret|(?<!page)(?<!next)(?<!page[_-])(?<!next[_-])token|auth(?!or)|credential|cookie|session|signature"
    r"|(?:api|access|private)[_-]?key|totp|(?:^|[_-])(?:pw|pin|otp|sid)$",
    re.IGNORECASE,
)
_SECRET_NAME_OF_LOGIN = re.compile(r"p|k|pass|key|code", re.IGNORECASE)
_USER_NAME = re.compile(r"u|uid|usr|login|account|e-?mail|user[_-]?(?:name|id)?|name|id", re.IGNORECASE)
# Name and value in a form, in JSON, in XML, and in a part of multipart/form-data.
_MEMBERS = (
    re.compile(r"(?:^|(?<=&))(?P<name>[^=&\s{}<>\"]+)=(?P<value>[^&]*)"),
    re.compile(r"\"(?P<name>[^\"\\]+)\"\s*:\s*\"(?P<value>(?:[^\"\\]|\\.)*)\""),
    re.compile(r"<(?:[\w.-]+:)?(?P<name>[\w.-]+)(?:\s[^<>]*)?>(?P<value>[^<]+)<"),
    re.compile(r"name=\"(?P<name>[^\"]+)\"[^\r\n]*(?:\r?\n[^\r\n]+)*\r?\n\r?\n(?P<value>[^\r\n]*)"),
)

Mark = Callable[[str, bool], str]
"""Takes a secret as it is sent, and whether it stands for a value of JSON that is no string; returns its marker."""


def is_secret_name(name: str, *, in_login: bool) -> bool:
    """Whether a field of this name holds a password; `in_login`: a field beside it holds the name of a user."""
    return bool(_SECRET_NAME.search(name) or (in_login and _SECRET_NAME_OF_LOGIN.fullmatch(name)))


class PostText:
    """The text of `body`. `str` and `repr` show it masked."""

    __slots__ = ("__env", "__written")

    def __init__(self, written: str, env: Mapping[str, str]) -> None:
        # Only what is referred to, so that a missing variable is found when the config is read.
        self.__env = {name: env[name] for name in _names_in(written, env)}
        self.__written = written

    def __str__(self) -> str:
        return "".join(_shown(part) if secret else part for part, secret in self._parts())

    def __repr__(self) -> str:
        return f"PostText({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PostText) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def encode(self, media_type: str, mark: Mark) -> bytes:
        """What is posted, each secret by its marker."""
        escape_value = _escape_for(media_type)
        env = {name: escape_value(value) for name, value in self.__env.items()}
        parts = (
            mark(interpolate(part, env), False) if secret else interpolate(part, env) for part, secret in self._parts()
        )
        return "".join(parts).encode()

    def _parts(self) -> Iterator[tuple[str, bool]]:
        """The text in pieces, each with whether it is secret."""
        end = 0
        for start, stop in _secret_spans(self.__written):
            if start < end:
                continue
            yield self.__written[end:start], False
            yield self.__written[start:stop], True
            end = stop
        yield self.__written[end:], False


class PostJson:
    """The value of `json`. `plain` is how it is shown."""

    __slots__ = ("__env", "__written")

    def __init__(self, written: Any, env: Mapping[str, str]) -> None:
        text = json.dumps(written, ensure_ascii=False)
        self.__env = {name: env[name] for name in _names_in(text, env)}
        self.__written = written

    def plain(self) -> Any:
        """The value with every secret masked."""
        return self._walk(self.__written, lambda value: _shown(value) if isinstance(value, str) else MASKED_TEXT)

    def __repr__(self) -> str:
        return f"PostJson({self.plain()!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PostJson) and self.plain() == other.plain()

    def __hash__(self) -> int:
        return hash(json.dumps(self.plain(), sort_keys=True))

    def marked(self, mark: Mark) -> Any:
        """The value that is posted, each secret by its marker."""

        def replace(value: Any) -> str:
            if isinstance(value, str):
                return mark(_json_text(interpolate(value, self.__env)), False)
            return mark(json.dumps(value), True)

        return self._walk(self.__written, replace, interpolate_all=True)

    def _walk(
        self, value: Any, replace: Callable[[Any], Any], *, secret: bool = False, interpolate_all: bool = False
    ) -> Any:
        if isinstance(value, dict):
            in_login = any(isinstance(name, str) and _USER_NAME.fullmatch(name) for name in value)
            return {
                name: self._walk(
                    member,
                    replace,
                    secret=is_secret_name(str(name), in_login=in_login),
                    interpolate_all=interpolate_all,
                )
                for name, member in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._walk(one, replace, secret=secret, interpolate_all=interpolate_all) for one in value]
        if isinstance(value, str):
            if (secret and value) or _references(value):
                return replace(value)
            return interpolate(value, {}) if interpolate_all else value
        if secret and isinstance(value, int | float) and not isinstance(value, bool):
            return replace(value)
        return value


def _names_in(text: str, env: Mapping[str, str]) -> list[str]:
    """The variables that `text` refers to; raises `InvalidValueError` when one is not set or not well written."""
    interpolate(text, env)
    return _references(text)


def _references(text: str) -> list[str]:
    return [found[1] for found in REFERENCE.finditer(text) if found[1] is not None]


def _shown(secret: str) -> str:
    return secret if holds_only_references(secret) else MASKED_TEXT


def _secret_spans(text: str) -> list[tuple[int, int]]:
    """Where the secrets of a text are, by their beginnings; of two that overlap the longer one comes first."""
    spans = [found.span() for found in REFERENCE.finditer(text) if found[1] is not None]
    for pattern in _MEMBERS:
        members = list(pattern.finditer(text))
        in_login = any(_USER_NAME.fullmatch(member["name"]) for member in members)
        spans += [
            member.span("value")
            for member in members
            if member["value"] and is_secret_name(member["name"], in_login=in_login)
        ]
    return sorted(spans, key=lambda span: (span[0], -span[1]))


def _escape_for(media_type: str) -> Callable[[str], str]:
    """How a variable's value is written in a body of this type, so that it is one value whatever stands in it."""
    kind = media_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return lambda value: quote(value, safe="")
    if kind.endswith(("/json", "+json")):
        return _json_text
    if kind.endswith(("/xml", "+xml")):
        return lambda value: escape(value, {'"': "&quot;"})
    return lambda value: value


def _json_text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]
