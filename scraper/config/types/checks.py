"""The formats of texts with a meaning: URLs, hosts, regular expressions, CSS selectors, names.

Each is tried with the engine that will use it later (re, Lexbor, the WHATWG URL parser), so that no run begins with a
pattern that cannot work.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import can_ada

from scraper.config.types.plugin_use import PLUGIN_SCHEMA, parse_plugin
from scraper.config.types.value_format import (
    MAX_TEXT_CHARS,
    InvalidValueError,
    ParseContext,
    ValueFormat,
    check_plain_text,
    describe_value,
    wrong_kind_error,
)
from scraper.css_support import unsupported_in
from scraper.plugins import PluginUse

MAX_URL_CHARS = 8_192
MAX_PATTERN_CHARS = 1_000
MAX_NAME_CHARS = 100

URL_DESCRIPTION = "a URL such as https://books.example/"
HOST_DESCRIPTION = "a host name such as books.example"
HOST_PATTERN_DESCRIPTION = "a host name, * allowed (*.books.example)"
REGEX_DESCRIPTION = "a regular expression"
CSS_DESCRIPTION = "a CSS selector"


def _parse_url(text: str) -> can_ada.URL | None:
    try:
        return can_ada.parse(text)
    except (ValueError, TypeError):  # TypeError: invalid Unicode, with half of a surrogate pair
        return None


def check_url(value: Any, _: ParseContext) -> str:
    """An absolute http or https URL without credentials, as it was written; raises `InvalidValueError`."""
    text = check_plain_text(value, URL_DESCRIPTION, MAX_URL_CHARS).strip()
    url = _parse_url(text)
    if url is None or not url.hostname:
        # A text with an @ may contain a password: it is not repeated.
        shown = "an address that cannot be read" if "@" in text else describe_value(text)
        hint = f"did you mean https://{text}?" if "@" not in text and _parse_url(f"https://{text}") else ""
        if text.startswith("/"):
            hint = "the whole address, with https:// and its host"
        raise InvalidValueError(f"expected {URL_DESCRIPTION}, got {shown}", hint if "://" not in text else "")
    if url.username or url.password:
        raise InvalidValueError(
            "holds a user name or a password", f"put them under auth: {{{url.host}: {{basic: ...}}}}"
        )
    if url.protocol not in ("http:", "https:"):
        raise InvalidValueError(f"only http and https can be crawled, not {url.protocol.removesuffix(':')}")
    return text


_HOST_PATTERN = re.compile(r"([a-z0-9._*?-]+|\[[0-9a-f:.]+\])(:[0-9*?]{1,5})?", re.ASCII)


def canonical_host(text: str) -> str:
    """A host or a pattern of hosts as the crawl compares it: lower case, punycode, without port 80 or 443."""
    url = _parse_url(f"https://{text}/") if "?" not in text else None
    return (url.host if url is not None else text.lower()).removesuffix(":80")


def _check_host(text: Any, description: str, forbidden_wildcards: str) -> str:
    text = check_plain_text(text, description, 300).strip()
    if "://" in text:
        url = _parse_url(text)
        raise InvalidValueError(
            f"expected {description}, not a URL", f"did you mean {url.host}?" if url and url.hostname else ""
        )
    host = canonical_host(text)
    forbidden = "/\\@#%" + forbidden_wildcards
    if not _HOST_PATTERN.fullmatch(host) or any(c in text for c in forbidden) or not host.strip("."):
        raise wrong_kind_error(description, text)
    # A host without wildcards must be one that a URL can have: no empty labels, no port beyond 65535.
    if not re.search(r"[*?]", host) and _parse_url(f"https://{host}/") is None:
        raise wrong_kind_error(description, text)
    return host


def check_host(value: Any, _: ParseContext) -> str:
    """A host, with its port when that is not the usual one, in canonical form; raises `InvalidValueError`."""
    return _check_host(value, HOST_DESCRIPTION, forbidden_wildcards="*?")


def check_auth_host(value: Any, context: ParseContext) -> str:
    """Like `check_host`, but the error does not repeat the text: a password may be there by mistake."""
    try:
        return check_host(value, context)
    except InvalidValueError:
        raise InvalidValueError("is not a host name", "for example books.example: {basic: ...}") from None


def check_host_pattern(value: Any, _: ParseContext) -> str:
    """A host, `*` matching any characters, in canonical form; raises `InvalidValueError`."""
    return _check_host(value, HOST_PATTERN_DESCRIPTION, forbidden_wildcards="")


def check_regex(value: Any, _: ParseContext) -> str:
    """A pattern that `re` compiles; raises `InvalidValueError` with the position of the error."""
    if not isinstance(value, str) or not value:
        raise wrong_kind_error(
            REGEX_DESCRIPTION, value, "put it in single quotes" if value is None or value == "" else ""
        )
    if len(value) > MAX_PATTERN_CHARS:
        raise InvalidValueError(
            f"a regular expression may have {MAX_PATTERN_CHARS:,} characters, this one has {len(value):,}"
        )
    try:
        with warnings.catch_warnings():
            # Deprecated syntax still works; the warning would point to this line, not to the config.
            warnings.simplefilter("ignore")
            re.compile(value)
    except re.error as error:
        position = f" at character {error.pos + 1}" if error.pos is not None else ""
        hint = "a regular expression, not a wildcard: * repeats what comes before it; write .* for anything"
        raise InvalidValueError(
            f"bad regular expression{position}: {error.msg}", hint if "repeat" in error.msg else ""
        ) from None
    except (OverflowError, RecursionError):
        raise InvalidValueError("bad regular expression: too large or too deeply nested") from None
    return value


def _compiles_as_css(text: str) -> bool:
    # Imported when the first selector is checked: a config without any starts faster.
    from selectolax.lexbor import LexborHTMLParser, SelectolaxError

    try:
        LexborHTMLParser("<p>").css(text)
    except (SelectolaxError, ValueError):
        return False
    return True


# What other libraries accept as CSS and Lexbor does not, and what to write instead.
_CSS_HINTS = [
    (re.compile(r"::text\b"), "the text is taken by default: leave ::text out"),
    (re.compile(r"::attr\("), "name the attribute in the key attr instead of ::attr(...)"),
    (re.compile(r":contains\("), 'write :lexbor-contains("...")'),
    (re.compile(r":(first|last)(?![-\w])"), "write :first-of-type or :last-of-type"),
    (re.compile(r"^\s*(/|\./|\()"), "this looks like XPath: write it under the key xpath"),
]


def _is_balanced(selector: str) -> bool:
    """Whether brackets and quotes are closed. CSS closes what is open at the end of a text; here it is a mistake."""
    quote, stack, skip = "", [], False
    for char in selector:
        if skip:
            skip = False
        elif char == "\\":
            skip = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "([":
            stack.append(")" if char == "(" else "]")
        elif char in ")]" and (not stack or stack.pop() != char):
            return False
    return not (quote or stack or skip)


def check_css(value: Any, _: ParseContext) -> str:
    """A selector that Lexbor understands; raises `InvalidValueError`."""
    if not isinstance(value, str) or not value.strip():
        raise wrong_kind_error(CSS_DESCRIPTION, value)
    if len(value) > MAX_PATTERN_CHARS:
        raise InvalidValueError(
            f"a CSS selector may have {MAX_PATTERN_CHARS:,} characters, this one has {len(value):,}"
        )
    # Line breaks and tabs are blanks in CSS: a long selector may be folded.
    if not value.replace("\n", " ").replace("\t", " ").isprintable():
        raise InvalidValueError("holds a control character")
    if not _is_balanced(value):
        raise InvalidValueError(f"bad CSS selector {describe_value(value)}: a bracket or a quote is not closed")
    if not _compiles_as_css(value):
        hint = next((hint for pattern, hint in _CSS_HINTS if pattern.search(value)), "")
        raise InvalidValueError(f"bad CSS selector {describe_value(value)}", hint)
    if why := unsupported_in(value):
        raise InvalidValueError(f"bad CSS selector {describe_value(value)}", why)
    return value


_ATTRIBUTE = re.compile(r"[A-Za-z_:][\w:.-]*", re.ASCII)


def check_attribute(value: Any, _: ParseContext) -> str:
    """An HTML attribute's name; raises `InvalidValueError`."""
    if not isinstance(value, str) or not _ATTRIBUTE.fullmatch(value) or len(value) > MAX_NAME_CHARS:
        raise wrong_kind_error("an attribute's name such as href", value)
    return value


def check_file_source(value: Any, context: ParseContext) -> str:
    """A `files.css` entry: a selector, with `@` and the attribute that holds the address; raises
    `InvalidValueError`."""
    if not isinstance(value, str) or not value.strip():
        raise wrong_kind_error("a selector and an attribute such as img.cover@src", value)
    selector, at, attribute = value.partition("@")
    if not selector.strip():
        raise InvalidValueError("an attribute needs an element before it", f"did you mean *{value.strip()}?")
    check_css(selector, context)
    if at and not _ATTRIBUTE.fullmatch(attribute.strip()):
        raise InvalidValueError(f"{describe_value(attribute)} is not an attribute's name", "for example img.cover@src")
    return value


_HEADER_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
# Headers that the transport sets: a value of the user's would break the connection or the politeness.
_RESERVED_HEADERS = {
    "user-agent": "set politeness.user_agent; robots.txt rules are matched with its name",
    "accept-encoding": "set automatically, to the codings that can be decoded",
    "host": "set automatically, from the URL",
    "content-length": "set automatically",
    "transfer-encoding": "set automatically: bodies are sent with a Content-Length",
    "connection": "set automatically: connections are kept open and reused",
    "proxy-authorization": "set automatically, from network.proxy; sent to the proxy and to no site",
    "range": "set automatically, where a download resumes",
    "if-range": "set automatically, where a download resumes",
}


def check_header_name(value: Any, _: ParseContext) -> str:
    """The name of a header that a user may set; raises `InvalidValueError`, which does not repeat what is no name."""
    if not isinstance(value, str) or not _HEADER_TOKEN.fullmatch(value) or len(value) > MAX_NAME_CHARS:
        raise InvalidValueError("is not a header's name", "a name, a colon and the text: Accept-Language: en")
    if hint := _RESERVED_HEADERS.get(value.lower()):
        raise InvalidValueError(f"{value} cannot be set here", hint)
    return value


def check_user_agent(value: Any, _: ParseContext) -> str:
    """A User-Agent that begins with a product name (RFC 9110, 10.1.5); raises `InvalidValueError`."""
    text = check_plain_text(value, "a name such as mybot/1.0 (+https://example.org/bot)", 500)
    if not text.isascii() or not re.match(r"[A-Za-z]", text):
        raise InvalidValueError(
            "must be ASCII and begin with a name", "for example mybot/1.0 (+https://example.org/bot)"
        )
    return text.strip()


_HOOK = re.compile(r"(?:[^\W\d]\w*(?:\.[^\W\d]\w*)*|[^:]+\.py)(?::[^\W\d]\w*)?")


def check_hook(value: Any, context: ParseContext) -> str | PluginUse:
    """A module or a `.py` file, with `:Class` when it holds several hooks, or a plug-in; raises `InvalidValueError`."""
    if isinstance(value, Mapping):
        return parse_plugin("hook", value, context)
    text = check_plain_text(value, "a module or module:Class")
    if not _HOOK.fullmatch(text):
        raise wrong_kind_error("a module or module:Class, such as mypackage.hooks:Prices or hooks.py", value)
    return text


def check_name(value: Any, _: ParseContext) -> str:
    """A crawl's name, which also names its folder; raises `InvalidValueError`."""
    text = check_plain_text(value, "a name", MAX_NAME_CHARS)
    if not re.fullmatch(r"\w[\w .-]*", text) or text != text.strip() or text.endswith("."):
        raise InvalidValueError(
            f"expected a name of letters, digits, spaces, _ . and -, beginning with a letter or digit, "
            f"got {describe_value(value)}"
        )
    return text


def check_field_name(value: Any, context: ParseContext) -> str:
    """An extracted field's name; raises `InvalidValueError`."""
    text = check_nested_field_name(value, context)
    # Outputs put the address of the page into a column of this name.
    if text.lower() == "url":
        raise InvalidValueError("every item has a url already: the address of its page", "choose another name")
    return text


def check_nested_field_name(value: Any, _: ParseContext) -> str:
    """The name of a field inside an object; raises `InvalidValueError`."""
    text = check_plain_text(value, "a field's name", MAX_NAME_CHARS)
    if text != text.strip():
        raise InvalidValueError(f"{describe_value(text)} begins or ends with a space")
    return text


def check_label(value: Any, _: ParseContext) -> str:
    """A label of pages; raises `InvalidValueError`."""
    text = check_plain_text(value, "a label such as product", MAX_NAME_CHARS)
    if not re.fullmatch(r"[\w.-]+", text):
        raise wrong_kind_error("a label of letters, digits, _ . and -", value)
    return text


def check_param_name(value: Any, _: ParseContext) -> str:
    """The name of one query parameter; raises `InvalidValueError`."""
    text = check_plain_text(value, "a parameter's name such as page", MAX_NAME_CHARS)
    if re.search(r"[&=#?/\s]", text):
        raise wrong_kind_error("a parameter's name such as page", value)
    return text


def check_scalar(value: Any, _: ParseContext) -> str:
    """A text, a number or a boolean, as text; raises `InvalidValueError`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise wrong_kind_error("a text, a number, true or false", value)
    return str(value)


def check_param_pattern(value: Any, _: ParseContext) -> str:
    """A parameter's name, `*` standing for any characters, `;` before one of the path; raises `InvalidValueError`."""
    text = check_plain_text(value, "a parameter's name such as utm_*", MAX_NAME_CHARS)
    if re.search(r"[&=#?/\s]", text) or not text.strip("*;"):
        raise wrong_kind_error("a parameter's name such as utm_*", value)
    return text


def check_folder(value: Any, _: ParseContext) -> Path:
    """A folder's path, `~` standing for the home folder; raises `InvalidValueError`."""
    if isinstance(value, Path):
        value = str(value)
    text = check_plain_text(value, "a folder such as out/books", MAX_TEXT_CHARS)
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise InvalidValueError(f"{describe_value(text)}: that user's home folder is not known") from None


def check_list_file(value: Any, context: ParseContext) -> Path:
    """A file of URLs, relative to the config's folder, that exists; raises `InvalidValueError`."""
    if isinstance(value, Path):
        value = str(value)
    text = check_plain_text(value, "a file such as seeds.txt", MAX_TEXT_CHARS)
    path = (context.base_folder or Path()) / text
    try:
        if path.is_dir():
            raise InvalidValueError(f"{path} is a folder, not a file of URLs")
        if not path.exists():
            raise InvalidValueError(f"{path}: no such file", "the path is relative to the config's own folder")
    except OSError as error:
        raise InvalidValueError(f"{path}: {error.strerror or 'cannot be read'}") from None
    return path.absolute()


def _text_schema(pattern: str | None = None, example: str = "", **more: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": 1, **more}
    if pattern:
        schema["pattern"] = pattern
    if example:
        schema["examples"] = [example]
    return schema


URL_FORMAT = ValueFormat(
    "an http or https URL", _text_schema(r"^\s*[hH][tT][tT][pP][sS]?:", "https://books.example/"), check_url
)
AUTH_HOST_FORMAT = ValueFormat("a host name", _text_schema(example="books.example"), check_auth_host)
HOST_PATTERN_FORMAT = ValueFormat("a host name, * allowed", _text_schema(example="*.books.example"), check_host_pattern)
REGEX_FORMAT = ValueFormat(REGEX_DESCRIPTION, _text_schema(maxLength=MAX_PATTERN_CHARS), check_regex)
CSS_FORMAT = ValueFormat(CSS_DESCRIPTION, _text_schema(maxLength=MAX_PATTERN_CHARS), check_css)
FILE_SOURCE_FORMAT = ValueFormat(
    "a selector, @ and an attribute", _text_schema(example="img.cover@src"), check_file_source
)
ATTRIBUTE_FORMAT = ValueFormat("an attribute's name", _text_schema(example="href"), check_attribute)
HEADER_NAME_FORMAT = ValueFormat("a header's name", _text_schema(), check_header_name)
USER_AGENT_FORMAT = ValueFormat(
    "a User-Agent", _text_schema(example="mybot/1.0 (+https://example.org/bot)"), check_user_agent
)
HOOK_FORMAT = ValueFormat(
    "a module or module:Class", {"anyOf": [_text_schema(example="myhooks:Prices"), dict(PLUGIN_SCHEMA)]}, check_hook
)
NAME_FORMAT = ValueFormat("a name", _text_schema(maxLength=MAX_NAME_CHARS), check_name)
FIELD_NAME_FORMAT = ValueFormat("a name", _text_schema(maxLength=MAX_NAME_CHARS), check_field_name)
LABEL_FORMAT = ValueFormat("a label", _text_schema(maxLength=MAX_NAME_CHARS, example="product"), check_label)
SCALAR_FORMAT = ValueFormat("a text, a number, true or false", {"type": ["string", "number", "boolean"]}, check_scalar)
NESTED_FIELD_NAME_FORMAT = ValueFormat("a name", _text_schema(maxLength=MAX_NAME_CHARS), check_nested_field_name)
PARAM_PATTERN_FORMAT = ValueFormat("a parameter's name, * allowed", _text_schema(example="utm_*"), check_param_pattern)
FOLDER_FORMAT = ValueFormat("a folder", _text_schema(example="out/books"), check_folder, str)
LIST_FILE_FORMAT = ValueFormat("a file of URLs", _text_schema(example="seeds.txt"), check_list_file, str)
