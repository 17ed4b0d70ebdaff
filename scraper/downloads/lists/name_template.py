"""The template of `--name '{host}/{path}'`, from which the paths of files are made.

| field | is | for https://h.example:8080/a/b%20c.tar.gz?v=1, the third entry |
|---|---|---|
| host | host, with its port if it is not the default | h.example_8080 |
| path | the whole path, with its folders | a/b c.tar.gz |
| name | the last part of the path, or what the list calls the file | b c.tar.gz |
| stem, ext | both halves of the name; ext has its dot, or is empty | b c and .tar.gz |
| query | what follows `?`, without it | v=1 |
| index | the number of the entry, counted from 1; `{index:06d}` pads it | 3 |
| sha | 64 hex digits: the SHA-256 of the URL; `{sha:.12}` cuts it, as any other field | 5b8c... |

Only `path` and the template itself make folders: a slash inside any other field becomes `_`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from scraper.errors import ConfigError, Problem
from scraper.urls.filename import decode_segment, extension, safe_name

# Characters of a template.
MAX_TEMPLATE_CHARS = 1000
# Digits to which an index is padded.
MAX_INDEX_DIGITS = 20

_URL_PARTS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#]*@)?([^/?#@]*)([^?#]*)(?:\?([^#]*))?", re.ASCII)
_INDEX_SPEC = re.compile(r"(0?)([0-9]{0,2})d?", re.ASCII)
_TEXT_SPEC = re.compile(r"\.([0-9]{1,3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class UrlParts:
    """The values of a template's fields: decoded, not safe yet. `path` are the folders."""

    url: str
    host: str
    path: tuple[str, ...]
    name: str
    query: str
    index: int


def split_url(url: str) -> tuple[str, tuple[str, ...], str, str]:
    """Host, decoded folders of the path, decoded last segment (may be empty) and query. Never raises."""
    match = _URL_PARTS.match(url)
    host, path, query = match.groups() if match else ("", url, None)
    *folders, name = path.removeprefix("/").split("/")
    return (
        host,
        tuple(decode_segment(segment) for segment in folders if segment),
        decode_segment(name),
        decode_segment(query or ""),
    )


def last_segment(url: str) -> str:
    """The decoded last segment alone, which names most files."""
    match = _URL_PARTS.match(url)
    return decode_segment((match[2] if match else url).rpartition("/")[2])


def _without_slashes(text: str) -> str:
    return text.replace("/", "_").replace("\\", "_")


def _path_field(parts: UrlParts) -> str:
    # Each segment is made safe by itself: a percent-encoded slash must not become a folder.
    return "/".join([*(safe_name(segment) for segment in parts.path), _without_slashes(parts.name)])


_FIELDS: dict[str, Callable[[UrlParts], str]] = {
    "host": lambda parts: _without_slashes(parts.host),
    "path": _path_field,
    "name": lambda parts: _without_slashes(parts.name),
    "stem": lambda parts: _without_slashes(parts.name.removesuffix(extension(parts.name))),
    "ext": lambda parts: extension(parts.name),
    "query": lambda parts: _without_slashes(parts.query),
    "sha": lambda parts: sha256(parts.url.encode("utf-8", "surrogatepass")).hexdigest(),
    "index": lambda parts: str(parts.index),
}
FIELD_NAMES = tuple(_FIELDS)


class NameTemplate:
    """A compiled template. Raises `ConfigError` for one that cannot name files."""

    def __init__(self, text: str) -> None:
        self._steps: list[tuple[str, Callable[[UrlParts], str] | None]] = []
        if not text or len(text) > MAX_TEMPLATE_CHARS:
            raise _template_error(f"must have 1 to {MAX_TEMPLATE_CHARS} characters")
        try:
            pieces = list(string.Formatter().parse(text))
        except ValueError as error:
            raise _template_error(f"{text!r}: {error}", "write {{ and }} for braces") from None
        for literal, name, spec, conversion in pieces:
            field = None if name is None else _compile_field(name, spec or "", conversion)
            self._steps.append((literal, field))
        _check_folders([literal for literal, _, _, _ in pieces], text)
        self.is_plain_name = text == "{name}"

    def render(self, parts: UrlParts) -> list[str]:
        """The segments of the path, not safe yet. Only the last one, the file name, may be empty."""
        text = "".join(literal + (field(parts) if field else "") for literal, field in self._steps)
        *folders, name = text.split("/")
        return [*filter(None, folders), name]


def _compile_field(name: str, spec: str, conversion: str | None) -> Callable[[UrlParts], str]:
    known = "fields: " + ", ".join(FIELD_NAMES)
    value = _FIELDS.get(name)
    if value is None:
        raise _template_error(f"there is no field {{{name}}}" if name else "{} names no field", known)
    if conversion:
        raise _template_error(f"{{{name}!{conversion}}}: conversions are not known here", f"write {{{name}}}")
    if not spec:
        return value
    if name == "index":
        return _compile_index(spec)
    cut = _TEXT_SPEC.fullmatch(spec)
    if cut is None or name == "path":
        hint = "a path cannot be cut" if name == "path" else f"{{{name}:.12}} takes the first 12 characters"
        raise _template_error(f"{{{name}:{spec}}} cannot be read", hint)
    length = int(cut[1])
    return lambda parts: value(parts)[:length]


def _compile_index(spec: str) -> Callable[[UrlParts], str]:
    match = _INDEX_SPEC.fullmatch(spec)
    width = int(match[2] or 0) if match else MAX_INDEX_DIGITS + 1
    if match is None or width > MAX_INDEX_DIGITS:
        raise _template_error(
            f"{{index:{spec}}} cannot be read", f"{{index:06d}} pads to six digits, {MAX_INDEX_DIGITS} at most"
        )
    # Always zeros: names do not begin with spaces.
    return lambda parts: f"{parts.index:0{width}d}"


def _check_folders(literals: list[str], text: str) -> None:
    if text.startswith(("/", "\\", "~/")) or re.match(r"[A-Za-z]:[/\\]", text):
        raise _template_error(f"{text!r} leaves the output folder", "leave the root out; --output says where files go")
    if text.endswith("/"):
        raise _template_error(f"{text!r} ends with a folder", "add {name}")
    if any(segment in (".", "..") for segment in "{}".join(literals).split("/")):
        raise _template_error(f"{text!r} holds a . or .. folder", "leave it out")
    if any(not literal.isprintable() or "\\" in literal for literal in literals):
        raise _template_error(f"{text!r} holds a backslash or a control character", "folders are separated by /")


def _template_error(message: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem(message, key="--name", hint=hint)])
