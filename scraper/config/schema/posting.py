"""The formats of what a POST sends, and of the parameters that change from page to page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from scraper.config.types.checks import MAX_NAME_CHARS, check_param_name
from scraper.config.types.post_secret import PostJson, PostText
from scraper.config.types.value_format import (
    InvalidValueError,
    ParseContext,
    ValueFormat,
    describe_value,
    wrong_kind_error,
)
from scraper.model import MAX_CONTENT_BYTES
from scraper.urls.post_identity import json_bytes

MAX_POINTER_CHARS = 500
MAX_POINTER_STEPS = 32
REQUEST_PARAM_DESCRIPTION = "a parameter's name, or `{json: /page}`: a JSON Pointer into the JSON that is posted"


@dataclass(frozen=True, slots=True)
class JsonPointerParam:
    """A value in the posted JSON, by its JSON Pointer (RFC 6901)."""

    pointer: str


def check_json_value(value: Any, context: ParseContext) -> PostJson:
    """A value that JSON has, not too large to be posted; raises `InvalidValueError`."""
    if isinstance(value, PostJson):
        return value
    try:
        size = len(json_bytes(value))
    except (TypeError, RecursionError):
        raise wrong_kind_error("a value that JSON has", value) from None
    except ValueError as error:
        raise InvalidValueError(f"cannot be written as JSON: {str(error)[:100]}") from None
    _check_content_size(size)
    return PostJson(value, context.env)


def check_body(value: Any, context: ParseContext) -> PostText:
    """A text to post unchanged but for its variables; raises `InvalidValueError`."""
    if isinstance(value, PostText):
        return value
    if not isinstance(value, str):
        raise wrong_kind_error("a text", value, "a mapping is sent as JSON under the key json")
    try:
        _check_content_size(len(value.encode()))
    except UnicodeEncodeError:
        raise InvalidValueError("is not valid Unicode: it contains half of a surrogate pair") from None
    return PostText(value, context.env)


_MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*;[\t\x20-\x7e]*)?")


def check_media_type(value: Any, _: ParseContext) -> str:
    """A media type (RFC 9110, 8.3.1); raises `InvalidValueError`."""
    if not isinstance(value, str) or not _MEDIA_TYPE.fullmatch(value) or len(value) > MAX_NAME_CHARS:
        raise wrong_kind_error("a media type such as application/json", value)
    return value


def check_request_param(value: Any, context: ParseContext) -> str | JsonPointerParam:
    """A parameter's name, or `{json: POINTER}`; raises `InvalidValueError`."""
    if not isinstance(value, dict):
        # Whoever writes /page means the JSON: a parameter of a URL has no slash.
        hint = f"a JSON Pointer into the posted JSON is written {{json: {value}}}" if str(value).startswith("/") else ""
        try:
            return check_param_name(value, context)
        except InvalidValueError as error:
            raise InvalidValueError(error.message, hint or error.hint) from None
    if value.keys() != {"json"}:
        raise wrong_kind_error(REQUEST_PARAM_DESCRIPTION.replace("`", ""), value)
    return JsonPointerParam(_check_pointer(value["json"]))


def _check_pointer(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith("/"):
        hint = f"did you mean /{value.replace('.', '/')}?" if isinstance(value, str) and value.strip() else ""
        raise InvalidValueError(f"expected a JSON Pointer such as /page, got {describe_value(value)}", hint)
    # RFC 6901 section 3: ~ and / inside a name are written ~0 and ~1.
    if re.search(r"~(?![01])", value):
        raise InvalidValueError("in a JSON Pointer ~ is written ~0, and a slash inside a name ~1")
    if len(value) > MAX_POINTER_CHARS or value.count("/") > MAX_POINTER_STEPS:
        raise InvalidValueError(f"a JSON Pointer may have {MAX_POINTER_CHARS} characters and {MAX_POINTER_STEPS} steps")
    return value


def _check_content_size(size: int) -> None:
    if size > MAX_CONTENT_BYTES:
        raise InvalidValueError(f"is {size:,} bytes long; at most {MAX_CONTENT_BYTES:,} can be posted")


def _serialize_param(param: str | JsonPointerParam) -> Any:
    return {"json": param.pointer} if isinstance(param, JsonPointerParam) else param


def _serialize_json(value: Any) -> Any:
    return value.plain() if isinstance(value, PostJson) else value


JSON_VALUE_FORMAT = ValueFormat("any value that JSON has", {}, check_json_value, _serialize_json)
BODY_FORMAT = ValueFormat("a text", {"type": "string"}, check_body, str)
MEDIA_TYPE_FORMAT = ValueFormat(
    "a media type", {"type": "string", "minLength": 1, "examples": ["application/json"]}, check_media_type
)
REQUEST_PARAM_FORMAT = ValueFormat(
    REQUEST_PARAM_DESCRIPTION,
    {
        "anyOf": [
            {"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS},
            {
                "type": "object",
                "properties": {"json": {"type": "string", "pattern": "^/", "examples": ["/page"]}},
                "required": ["json"],
                "additionalProperties": False,
            },
        ]
    },
    check_request_param,
    _serialize_param,
)
RequestParamEntry = Annotated[str | JsonPointerParam, REQUEST_PARAM_FORMAT]
