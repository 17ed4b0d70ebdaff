"""Places in the JSON that a request sends, by JSON Pointer (RFC 6901): read a value there, or put another one in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from scraper.errors import ExtractError
from scraper.extract.rules.value_parsers import ParseFailure
from scraper.model import MAX_CONTENT_BYTES, Content
from scraper.urls.post_identity import json_bytes

# Longest pointer, in steps.
MAX_POINTER_TOKENS = 32
_BAD_ESCAPE_REGEX = re.compile(r"~(?![01])")
_ARRAY_INDEX_REGEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class JsonPointer:
    """A JSON Pointer to a member: `/variables/page`, `/sort/0`. Raises `ExtractError` for what is none."""

    text: str

    def __post_init__(self) -> None:
        if (
            not self.text.startswith("/")
            or _BAD_ESCAPE_REGEX.search(self.text)
            or self.text.count("/") > MAX_POINTER_TOKENS
        ):
            raise ExtractError(f"next: not a JSON Pointer such as /page: {self.text!r}")

    @property
    def tokens(self) -> list[str]:
        """Names of members and numbers of elements, from the outside in."""
        return [step.replace("~1", "/").replace("~0", "~") for step in self.text.split("/")[1:]]

    def read(self, document: Any) -> Any:
        """The value there, None when there is none."""
        for step in self.tokens:
            if isinstance(document, dict):
                document = document.get(step)
            elif isinstance(document, list) and _ARRAY_INDEX_REGEX.fullmatch(step) and int(step) < len(document):
                document = document[int(step)]
            else:
                return None
        return document

    def with_value(self, document: Any, value: Any) -> Any:
        """`document`, which stays as it is, with `value` there; a `ParseFailure` when that is no place in it.

        Objects that are missing on the way are made, elements of lists are not.
        """
        return _with_value_at(document, self.tokens, value, self.text)

    def update_content(self, content: Content, value: Any) -> Content | ParseFailure:
        """`content` with `value` there."""
        document = parse_content(content)
        if isinstance(document, ParseFailure):
            return document
        changed = self.with_value(document, value)
        if isinstance(changed, ParseFailure):
            return changed
        try:
            data = json_bytes(changed)
        except (ValueError, RecursionError) as error:
            return ParseFailure(f"the body cannot be written: {error}")
        if len(data) > MAX_CONTENT_BYTES:
            return ParseFailure(f"the body would be longer than {MAX_CONTENT_BYTES} bytes")
        return replace(content, data=data)


def parse_content(content: Content) -> Any:
    """What `content` says as JSON; a `ParseFailure` when it is none."""
    try:
        return json.loads(content.data)
    except (ValueError, RecursionError):
        return ParseFailure("what was posted is not JSON")


def _with_value_at(document: Any, steps: list[str], value: Any, key_path: str) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(document, dict):
        inner = _with_value_at(document.get(step, {} if rest else None), rest, value, key_path)
        return inner if isinstance(inner, ParseFailure) else {**document, step: inner}
    if isinstance(document, list) and _ARRAY_INDEX_REGEX.fullmatch(step) and int(step) < len(document):
        inner = _with_value_at(document[int(step)], rest, value, key_path)
        at = int(step)
        return inner if isinstance(inner, ParseFailure) else [*document[:at], inner, *document[at + 1 :]]
    return ParseFailure(f"there is no place {key_path} in what was posted")
