"""The forms of what a POST sends, and of the places in it that change from page to page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from scraper.config.types.checks import NAME_LIMIT, check_param_name
from scraper.config.types.forms import Form, FormError, Surroundings, describe, expected
from scraper.model import MAX_CONTENT
from scraper.urls.post_identity import json_bytes

POINTER_LIMIT = 500
POINTER_STEPS = 32
PLACE_WORDS = "a parameter's name, or `{json: /page}`: a place in the JSON that is posted"


@dataclass(frozen=True, slots=True)
class InJson:
    """A place in the posted JSON, as a JSON Pointer (RFC 6901)."""

    pointer: str


def check_json_value(value: Any, _: Surroundings) -> Any:
    """A value that JSON has, not too large to be posted; raises `FormError`."""
    try:
        size = len(json_bytes(value))
    except (TypeError, RecursionError):
        raise expected("a value that JSON has", value) from None
    except ValueError as error:
        raise FormError(f"cannot be written as JSON: {str(error)[:100]}") from None
    _not_too_long(size)
    return value


def check_body(value: Any, _: Surroundings) -> str:
    """A text to post as it stands; raises `FormError`."""
    if not isinstance(value, str):
        raise expected("a text", value, "a mapping is sent as JSON under the key json")
    try:
        _not_too_long(len(value.encode()))
    except UnicodeEncodeError:
        raise FormError("is no Unicode text: it holds half of a surrogate pair") from None
    return value


_MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*;[\t\x20-\x7e]*)?")


def check_media_type(value: Any, _: Surroundings) -> str:
    """A media type (RFC 9110, 8.3.1); raises `FormError`."""
    if not isinstance(value, str) or not _MEDIA_TYPE.fullmatch(value) or len(value) > NAME_LIMIT:
        raise expected("a media type such as application/json", value)
    return value


def check_place(value: Any, around: Surroundings) -> str | InJson:
    """A parameter's name, or `{json: POINTER}`; raises `FormError`."""
    if not isinstance(value, dict):
        hint = f"a place in the posted JSON is written {{json: {value}}}" if str(value).startswith("/") else ""
        try:
            return check_param_name(value, around)
        except FormError as error:
            raise FormError(error.message, hint or error.hint) from None
    if value.keys() != {"json"}:
        raise expected(PLACE_WORDS.replace("`", ""), value)
    return InJson(_pointer(value["json"]))


def _pointer(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith("/"):
        hint = f"did you mean /{value.replace('.', '/')}?" if isinstance(value, str) and value.strip() else ""
        raise FormError(f"expected a JSON Pointer such as /page, got {describe(value)}", hint)
    if re.search(r"~(?![01])", value):
        raise FormError("in a JSON Pointer ~ is written ~0, and a slash inside a name ~1")
    if len(value) > POINTER_LIMIT or value.count("/") > POINTER_STEPS:
        raise FormError(f"a JSON Pointer may have {POINTER_LIMIT} characters and {POINTER_STEPS} steps")
    return value


def _not_too_long(size: int) -> None:
    if size > MAX_CONTENT:
        raise FormError(f"is {size:,} bytes long; at most {MAX_CONTENT:,} can be posted")


def _shown(place: str | InJson) -> Any:
    return {"json": place.pointer} if isinstance(place, InJson) else place


JSON_VALUE = Form("any value that JSON has", {}, check_json_value)
BODY = Form("a text", {"type": "string"}, check_body)
MEDIA_TYPE = Form(
    "a media type", {"type": "string", "minLength": 1, "examples": ["application/json"]}, check_media_type
)
PLACE = Form(
    PLACE_WORDS,
    {
        "anyOf": [
            {"type": "string", "minLength": 1, "maxLength": NAME_LIMIT},
            {
                "type": "object",
                "properties": {"json": {"type": "string", "pattern": "^/", "examples": ["/page"]}},
                "required": ["json"],
                "additionalProperties": False,
            },
        ]
    },
    check_place,
    _shown,
)
PlaceEntry = Annotated[str | InJson, PLACE]
