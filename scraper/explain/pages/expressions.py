"""Check and evaluate expressions as a user types them: CSS with an @attribute, XPath, JMESPath.

An invalid one is reported with the column where it becomes invalid, one that matches nothing with near misses.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from scraper.errors import ConfigError, ExtractionRuleError, MissingExtraError
from scraper.explain.pages.css_probe import VALUES_SHOWN, ProbeResult, probe_css
from scraper.explain.pages.jmespath_misses import jmespath_misses
from scraper.explain.pages.parsed_page import NO_JSON, ParsedPage
from scraper.explain.pages.xpath_misses import xpath_misses
from scraper.extract.links.links import parse_file_selector
from scraper.extract.rules.compile import check_selector
from scraper.extract.rules.field_pipeline import to_text
from scraper.extract.rules.field_sources import lxml_visible_text
from scraper.extract.rules.optional_libraries import EXSLT_NAMESPACES, JmesPath, XPath
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.sinks.records import as_text

ExpressionKind = Literal["css", "xpath", "json"]
EXPRESSION_NAMES: dict[ExpressionKind, str] = {
    "css": "a CSS selector",
    "xpath": "an XPath expression",
    "json": "JMESPath",
}
# Longer expressions are refused: the search for the longest valid prefix compiles every prefix.
MAX_EXPRESSION_CHARS = 1_000
# Characters of an expression quoted in a message.
SHOWN_CHARS = 20


def check_expression(kind: ExpressionKind, text: str) -> None:
    """Raise `ConfigError` with the column when `text` is invalid, `MissingExtraError` when its library is missing."""
    if (problem := syntax_problem(kind, text)) is not None:
        raise ConfigError(f"--{kind} {text[:200]!r}: {problem}")


def syntax_problem(kind: ExpressionKind, text: str) -> str | None:
    """What is wrong with an expression, with the column; None when it is valid. Raises `MissingExtraError`."""
    if not text.strip():
        return f"is empty; expected {EXPRESSION_NAMES[kind]}"

    if len(text) > MAX_EXPRESSION_CHARS:
        return f"has {len(text):,} characters, at most {MAX_EXPRESSION_CHARS:,} are tried"
    with _without_warnings():
        try:
            _COMPILE[kind](text)
        except ExtractionRuleError as error:
            return f"not {EXPRESSION_NAMES[kind]}{_POSITION[kind](text, error)}"
    return None


def probe_expression(parsed: ParsedPage, kind: ExpressionKind, text: str) -> ProbeResult:
    """Evaluate `text` on the page. Never raises, whatever the text and the page are: errors are in `problem`."""
    try:
        if (problem := syntax_problem(kind, text)) is not None:
            return ProbeResult(text, 0, problem=f"{text[:200]}: {problem}")
        with _without_warnings():
            return _PROBE[kind](parsed, text)
    except MissingExtraError as error:
        return ProbeResult(text, 0, problem=str(error))


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence warnings of the libraries about deprecated or unusual syntax: the user sees the matches instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def default_kind(parsed: ParsedPage) -> ExpressionKind:
    """The kind of an expression that does not name one: JMESPath on a JSON page, else CSS."""
    return "json" if parsed.kind == "JSON" else "css"


def _probe_css(parsed: ParsedPage, text: str) -> ProbeResult:
    if parsed.document is None:
        return _wrong_page_kind(parsed, text, "--css and --xpath read HTML")
    return probe_css(parsed.document, text, parsed.names)


def _probe_xpath(parsed: ParsedPage, text: str) -> ProbeResult:
    if parsed.document is None:
        return _wrong_page_kind(parsed, text, "--css and --xpath read HTML")
    tree = parsed.xpath_tree
    if tree is None:
        return ProbeResult(text, 0, hints=("the page has no elements",))
    read = XPath(text, "xpath").read(tree)
    if isinstance(read, ParseFailure):
        return ProbeResult(text, 0, problem=str(read))
    # XPath always has a value: an empty text or False is what it returns for "no match".
    found = [value for value in read if value not in ("", False)]
    hints = () if found else tuple(xpath_misses(tree, text))
    return ProbeResult(text, len(found), tuple(_value_text(value) for value in found[:VALUES_SHOWN]), hints)


def _probe_json(parsed: ParsedPage, text: str) -> ProbeResult:
    if parsed.json_value is NO_JSON:
        return _wrong_page_kind(parsed, text, "--json reads JSON")
    read = JmesPath(text, "json").read(parsed.json_value)
    if isinstance(read, ParseFailure):
        return ProbeResult(text, 0, problem=str(read))
    found = read if isinstance(read, list) else [] if read in (None, "", {}) else [read]
    hints = () if found else tuple(jmespath_misses(parsed.json_value, text))
    return ProbeResult(text, len(found), tuple(as_text(value) for value in found[:VALUES_SHOWN]), hints)


def _wrong_page_kind(parsed: ParsedPage, text: str, reads: str) -> ProbeResult:
    return ProbeResult(text, 0, problem=f"{text[:200]}: this page is {parsed.kind}; {reads}")


def _value_text(value: Any) -> str:
    if hasattr(value, "attrib"):  # an lxml element
        return lxml_visible_text(value)
    return to_text(value) if isinstance(value, bool) else str(value)


def _compile_css(text: str) -> None:
    # `img@src` is not CSS: it is split as file rules do, and the selector checked alone.
    selector = parse_file_selector(text)[0] if "@" in text else text
    check_selector(selector, "css")


def _longest_valid_prefix(compile_text: Callable[[str], None]) -> Callable[[str, ExtractionRuleError], str]:
    """A function that finds the error's column by compiling prefixes: for parsers that do not report a position."""

    def error_position(text: str, _: ExtractionRuleError) -> str:
        for end in range(len(text) - 1, 0, -1):
            try:
                compile_text(text[:end])
            except ExtractionRuleError:
                continue
            if text[:end].strip():
                end = len(text[:end].rstrip())
                return f": invalid from column {end + 1}, {text[end : end + SHOWN_CHARS]!r}"
        return f": invalid from column 1, {text[:SHOWN_CHARS]!r}"

    return error_position


def _xpath_position(text: str, _: ExtractionRuleError) -> str:
    from lxml import etree

    try:
        etree.XPath(text, namespaces=EXSLT_NAMESPACES)
    except etree.XPathError as error:
        last = error.error_log.last_error
        at = last.column if last is not None else 0
        where = "at its end" if at >= len(text) else f"at column {at + 1}, {text[at : at + SHOWN_CHARS]!r}"
        return f": {str(error).splitlines()[0].lower()} {where}"
    except ValueError as error:
        return f": {error}"
    return ""


def _json_position(text: str, error: ExtractionRuleError) -> str:
    cause = error.__cause__
    # jmespath's parse errors have the position; its other errors do not.
    at = getattr(cause, "lex_position", None)
    if at is None:
        return f": {cause}"
    hint = "; JMESPath has no $ and no leading dot: items[].name" if text.startswith(("$", ".")) else ""
    where = (
        "it ends too early"
        if at >= len(text)
        else f"column {at + 1}, {text[at : at + SHOWN_CHARS]!r}, cannot stand there"
    )
    return f": {where}{hint}"


def _compile_xpath(text: str) -> None:
    XPath(text, "--xpath")


def _compile_json(text: str) -> None:
    JmesPath(text, "--json")


_COMPILE: dict[ExpressionKind, Callable[[str], None]] = {
    "css": _compile_css,
    "xpath": _compile_xpath,
    "json": _compile_json,
}
_POSITION: dict[ExpressionKind, Callable[[str, ExtractionRuleError], str]] = {
    "css": _longest_valid_prefix(_compile_css),
    "xpath": _xpath_position,
    "json": _json_position,
}
_PROBE: dict[ExpressionKind, Callable[[ParsedPage, str], ProbeResult]] = {
    "css": _probe_css,
    "xpath": _probe_xpath,
    "json": _probe_json,
}
