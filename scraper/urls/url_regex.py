"""Regular expressions for URLs: `allow`, `deny`, `match`, `follow.match`, `files.match`, all compared in one way.

A URL is fetched percent-encoded, and people write patterns as their browser's address bar shows it. So a pattern that
names a character that a URL never has as it is (a space, a letter beyond ASCII, `{`) is searched for in the URL as it
is shown (`shown_url`), every other one in the URL as it is fetched. Percent-encoded characters in a pattern are first
brought into the form that URLs have (RFC 3986, 6.2.2), because the pattern `%d0%ba` or `%7Euser` would never match.

`never_matches` finds patterns that cannot match any URL.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from typing import Any

# The parser of `re`: what a pattern requires is read from its syntax tree, not guessed from its text. Its module has no
# public name since `sre_parse` is deprecated.
_parser: Any = importlib.import_module("re._parser")

# ASCII characters that a URL has only percent-encoded, in its path at least; they are shown decoded.
_SHOWN_ASCII = ' "<>\\^`{|}'
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_PERCENT_RUN = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_PUNYCODE_LABEL = re.compile(r"(?<=[/.@])xn--[a-z0-9-]+", re.IGNORECASE)
# A capital in the host, as far as its characters are named one by one.
_HOST_IN_CAPITALS = re.compile(r"\^https?\??://(?:[a-z0-9-]|\\?\.)*[A-Z]")


class UrlRegex:
    """A compiled pattern. `pattern`: its text, as the user wrote it. Can be pickled.

    Raises `re.error`, `OverflowError` or `RecursionError` if it is no regular expression.
    """

    __slots__ = ("_compiled", "pattern", "search")

    search: Callable[[str], re.Match[str] | None]

    def __init__(self, text: str) -> None:
        self.pattern = text
        normal, shown = _normalize(text)
        self._compiled = re.compile(normal)
        # For most patterns this is the method of `re.Pattern` itself: links are checked by the million.
        self.search = self._search_shown if shown else self._compiled.search

    def _search_shown(self, href: str) -> re.Match[str] | None:
        return self._compiled.search(shown_url(href))

    def __reduce__(self) -> tuple[type[UrlRegex], tuple[str]]:
        return UrlRegex, (self.pattern,)


def shown_url(href: str) -> str:
    """`href`, a URL in canonical form, as browsers show it.

    Punycode of the host is decoded; so are percent-encoded characters beyond ASCII, if they are valid UTF-8, and those
    that mean nothing in a URL, such as a space. `%2F`, `%3F`, `%25` and the like stay: they are no delimiters.
    The result is in Unicode normalization form C.
    """
    if "%" in href:
        href = _PERCENT_RUN.sub(lambda run: _decode_run(run[0], _shown_char), href)
    if "xn--" in href:
        scheme, separator, rest = href.partition("://")
        host, slash, target = rest.partition("/")
        host = _PUNYCODE_LABEL.sub(_decode_label, f"{separator}{host}")
        href = f"{scheme}{host}{slash}{target}"
    return href if href.isascii() else unicodedata.normalize("NFC", href)


def never_matches(text: str) -> str | None:
    """Why the pattern `text` cannot be found in any URL; None if it may be, or is no regular expression."""
    try:
        normal, _ = _normalize(text)
        tree = _parse(normal)
    except (re.error, OverflowError, RecursionError):
        return None
    ignores_case = bool(tree.state.flags & re.IGNORECASE)
    if not ignores_case and _HOST_IN_CAPITALS.match(text.replace("\\/", "/")):
        return "hosts are compared in lower case"
    return _impossible(tree, ignores_case, bool(tree.state.flags & re.MULTILINE))


def _normalize(text: str) -> tuple[str, bool]:
    """The pattern to compile, and whether it is searched for in the URL as it is shown."""
    shown = any(ord(char) > 127 or char in _SHOWN_ASCII for char in "".join(_named_chars(_parse(text))))
    if "%" in text:
        normal_char = _shown_char if shown else _fetched_char
        text = _PERCENT_RUN.sub(lambda run: _decode_run(run[0], normal_char, re.escape), text)
    return unicodedata.normalize("NFC", text) if shown else text, shown


def _decode_run(run: str, normal_char: Any, escape: Any = str) -> str:
    """A run of percent-encoded bytes with those decoded that `normal_char` wants decoded, the others in capitals."""
    data = bytes.fromhex(run.replace("%", ""))
    decoded, start = "", 0
    while start < len(data):
        for end in range(start + 1, min(start + 4, len(data)) + 1):
            try:
                char = data[start:end].decode("utf-8")
            except UnicodeDecodeError:
                continue
            decoded += escape(char) if normal_char(char) else "".join(f"%{byte:02X}" for byte in data[start:end])
            start = end
            break
        else:  # no UTF-8: such a byte is shown as it is written
            decoded += f"%{data[start]:02X}"
            start += 1
    return decoded


def _fetched_char(char: str) -> bool:
    return _UNRESERVED.fullmatch(char) is not None


def _shown_char(char: str) -> bool:
    # Control characters, also those beyond ASCII, and separators of lines stay encoded, as browsers show them.
    return char in _SHOWN_ASCII or _fetched_char(char) or (ord(char) > 127 and char.isprintable())


def _decode_label(label: re.Match[str]) -> str:
    try:
        return label[0][4:].encode().decode("punycode")
    except (UnicodeError, OverflowError, ValueError):
        return label[0]


def _parse(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _parser.parse(text)


def _named_chars(tree: Any) -> Iterator[str]:
    """The characters that a pattern names, also in classes and ranges; a space for `\\s`.

    Of a class of what must not come, only those beyond ASCII: `[^ "<>]` means any character of a URL as it is fetched.
    """
    for name, value in _nodes(tree):
        if name == "LITERAL":
            yield chr(value)
        elif name == "NOT_LITERAL":
            yield from _beyond_ascii(chr(value))
        elif name == "RANGE":
            yield chr(value[1])
        elif name == "CATEGORY":
            yield " " if str(value) == "CATEGORY_SPACE" else ""
        elif name == "IN":
            inside = "".join(_named_chars(value))
            yield from _beyond_ascii(inside) if value and str(value[0][0]) == "NEGATE" else inside
        else:
            for inner in _inner_patterns(value):
                yield from _named_chars(inner)


def _beyond_ascii(text: str) -> Iterator[str]:
    return (char for char in text if ord(char) > 127)


def _nodes(tree: Any) -> Iterator[tuple[str, Any]]:
    return ((str(name), value) for name, value in tree)


def _inner_patterns(value: Any) -> Iterator[Any]:
    if isinstance(value, _parser.SubPattern):
        yield value
    elif isinstance(value, tuple | list):
        for member in value:
            yield from _inner_patterns(member)


def _impossible(tree: Any, ignores_case: bool, multiline: bool) -> str | None:
    """What a pattern requires that no URL has; None if nothing was found."""
    run, consumed, ended, anchored = "", False, False, False
    for name, value in _nodes(tree):
        match name:
            case "LITERAL":
                char = chr(value)
                if ended:
                    return "nothing comes after the end of a URL ($)"
                if char == "#":
                    return "the part of a URL after # is never fetched, and left out"
                if char < " " or char == "\x7f":
                    return "a URL has no control characters"
                run, consumed = run + char, True
                continue
            case "AT":
                if str(value) in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
                    if consumed and not multiline:
                        return "nothing comes before the beginning of a URL (^)"
                    anchored = not consumed
                    continue
                ended = ended or str(value) in ("AT_END", "AT_END_STRING")
            case "SUBPATTERN":
                if found := _impossible(value[-1], ignores_case or bool(value[1] & re.IGNORECASE), multiline):
                    return found
            case "BRANCH":
                reasons = [_impossible(branch, ignores_case, multiline) for branch in value[1]]
                if reasons and all(reasons):
                    return reasons[0]
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                if value[0] > 0 and (found := _impossible(value[2], ignores_case, multiline)):
                    return found
        if found := _impossible_run(run, anchored, ignores_case):
            return found
        if name != "AT":
            run, anchored = "", False
            consumed = consumed or _min_width((name, value)) > 0
            if ended and _min_width((name, value)) > 0:
                return "nothing comes after the end of a URL ($)"
    return _impossible_run(run, anchored, ignores_case)


def _impossible_run(run: str, anchored: bool, ignores_case: bool) -> str | None:
    """What is wrong with literal characters in a row; `anchored`: they are at the URL's beginning."""
    if anchored and run:
        compared = run.lower() if ignores_case else run
        if not any(compared.startswith(start[: len(run)]) for start in ("http://", "https://")):
            return "a URL begins with http:// or https://, not with this: leave out ^"
    return None


def _min_width(node: tuple[str, Any]) -> int:
    name, value = node
    match name:
        case "LITERAL" | "NOT_LITERAL" | "IN" | "ANY" | "CATEGORY":
            return 1
        case "SUBPATTERN":
            return int(value[-1].getwidth()[0])
        case "BRANCH":
            return min((int(branch.getwidth()[0]) for branch in value[1]), default=0)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return int(value[0] * value[2].getwidth()[0])
    return 0
