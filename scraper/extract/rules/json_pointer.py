"""JSON Pointers (RFC 6901) into the JSON that a request posts: read a value, or replace it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from scraper.errors import ExtractionRuleError
from scraper.extract.rules.json_document import read_json, write_json
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.model import MAX_CONTENT_BYTES, Content
from scraper.urls.post_identity import json_bytes

# Reference tokens of a pointer: more levels than any API needs, few enough to recurse.
MAX_POINTER_TOKENS = 32
_BAD_ESCAPE_REGEX = re.compile(r"~(?![01])")
_ARRAY_INDEX_REGEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class JsonPointer:
    """A JSON Pointer: `/variables/page`, `/sort/0`. Raises `ExtractionRuleError` if `text` is none."""

    text: str

    def __post_init__(self) -> None:
        if (
            not self.text.startswith("/")
            or _BAD_ESCAPE_REGEX.search(self.text)
            or self.text.count("/") > MAX_POINTER_TOKENS
        ):
            raise ExtractionRuleError(f"next: not a JSON Pointer such as /page: {self.text!r}")

    @property
    def tokens(self) -> list[str]:
        """Its reference tokens, unescaped: names of members and indexes of elements, from the outside in."""
        return [token.replace("~1", "/").replace("~0", "~") for token in self.text.split("/")[1:]]

    def read(self, document: Any) -> Any:
        """The value at the pointer; None if there is none."""
        for token in self.tokens:
            if isinstance(document, dict):
                document = document.get(token)
            elif isinstance(document, list) and _ARRAY_INDEX_REGEX.fullmatch(token) and int(token) < len(document):
                document = document[int(token)]
            else:
                return None
        return document

    def with_value(self, document: Any, value: Any) -> Any:
        """A copy of `document` with `value` at the pointer; a `ParseFailure` if the pointer leads nowhere.

        Missing objects on the way are created, missing elements of lists are not.
        """
        return _with_value_at(document, self.tokens, value, self.text)

    def update_content(self, content: Content, value: Any) -> Content | ParseFailure:
        """A copy of `content` with `value` at the pointer; a `ParseFailure` if that cannot be made."""
        document = parse_content(content)
        if isinstance(document, ParseFailure):
            return document
        changed = self.with_value(document, value)
        if isinstance(changed, ParseFailure):
            return changed
        try:
            # NaN and deep nesting can come from the page's own JSON, and are refused here.
            data = json_bytes(changed)
            if b"." in data or b"e" in data:
                data = write_json(changed).encode()  # numbers of what was posted keep all their digits
        except (ValueError, RecursionError) as error:
            return ParseFailure(f"the body cannot be written: {error}")
        if len(data) > MAX_CONTENT_BYTES:
            return ParseFailure(f"the body would be longer than {MAX_CONTENT_BYTES} bytes")
        return replace(content, data=data)


def parse_content(content: Content) -> Any:
    """`content` parsed as JSON; a `ParseFailure` if it is none."""
    try:
        return read_json(content.data.decode("utf-8-sig")).value
    except ValueError:
        return ParseFailure("what was posted is not JSON")


def _with_value_at(document: Any, tokens: list[str], value: Any, pointer: str) -> Any:
    if not tokens:
        return value
    token, rest = tokens[0], tokens[1:]
    if isinstance(document, dict):
        inner = _with_value_at(document.get(token, {} if rest else None), rest, value, pointer)
        return inner if isinstance(inner, ParseFailure) else {**document, token: inner}
    if isinstance(document, list) and _ARRAY_INDEX_REGEX.fullmatch(token) and int(token) < len(document):
        index = int(token)
        inner = _with_value_at(document[index], rest, value, pointer)
        return inner if isinstance(inner, ParseFailure) else [*document[:index], inner, *document[index + 1 :]]
    return ParseFailure(f"what was posted has nothing at {pointer}")
