"""Libraries that only some configs need, imported when a rule that uses them is compiled.

Their errors are translated here: an expression that cannot be compiled is an `ExtractionRuleError`, one that fails on
the
values of a page is a `ParseFailure`, and a library that is not installed is a `MissingExtraError`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scraper.errors import ExtractionRuleError, MissingExtraError
from scraper.extract.rules.parse_failure import ParseFailure

# Prefixes that XPath expressions may use: `re:test(@class, 'a+')`.
EXSLT_NAMESPACES = {"re": "http://exslt.org/regular-expressions"}


class JmesPath:
    """A compiled JMESPath expression. Raises `ExtractionRuleError`, which names `key_path`, if `text` is none."""

    __slots__ = ("_search", "text")

    def __init__(self, text: str, key_path: str) -> None:
        try:
            import jmespath
            from jmespath.exceptions import JMESPathError
        except ImportError:
            raise MissingExtraError("json", key_path) from None
        self.text = text
        try:
            self._search: Callable[[Any], Any] = jmespath.compile(text).search
        except (JMESPathError, RecursionError, ValueError) as error:
            raise ExtractionRuleError(
                f"{key_path}: not a JMESPath expression: {text!r}: {_first_line(error)}"
            ) from error

    def read(self, value: Any) -> Any:
        """What the expression selects from `value`; None if nothing, a `ParseFailure` if it fails.

        It fails if a function gets a value of the wrong type, or if the value is nested too deeply.
        """
        try:
            return self._search(value)
        except Exception as error:  # noqa: BLE001  its functions raise errors of many kinds
            return ParseFailure(f"json: {self.text}: {_first_line(error)}")

    def read_list(self, value: Any) -> list[Any]:
        """What the expression selects, as a list: lists as they are, another value as the only member."""
        found = self.read(value)
        if found is None or isinstance(found, ParseFailure):
            return []
        return found if isinstance(found, list) else [found]


class XPath:
    """A compiled XPath 1.0 expression, with EXSLT's regular expressions (`re:test`). Errors as of `JmesPath`."""

    __slots__ = ("_evaluate", "_parse", "text")

    def __init__(self, text: str, key_path: str) -> None:
        try:
            from lxml import etree, html
        except ImportError:
            raise MissingExtraError("xpath", key_path) from None
        self.text = text
        try:
            # lxml's "smart strings" would keep the whole tree in memory as long as a value.
            self._evaluate = etree.XPath(text, namespaces=EXSLT_NAMESPACES, smart_strings=False)
        except (etree.XPathError, ValueError, UnicodeError) as error:
            raise ExtractionRuleError(f"{key_path}: not an XPath expression: {text!r}: {_first_line(error)}") from error
        self._parse = html.fromstring

    def parse(self, markup: str) -> Any:
        """`markup` as a tree for `read`; None if it has no element."""
        from lxml import etree

        try:
            return self._parse(markup)
        except (etree.LxmlError, ValueError):
            return None

    def read(self, tree: Any) -> list[Any] | ParseFailure:
        """The elements and values that the expression selects, in document order."""
        from lxml import etree

        try:
            found = self._evaluate(tree)
        except etree.LxmlError as error:
            return ParseFailure(f"xpath: {self.text}: {_first_line(error)}")
        return found if isinstance(found, list) else [found]


def lxml_markup(element: Any) -> str:
    """The markup of an lxml element, with its own tags."""
    from lxml import html

    text: str = html.tostring(element, encoding="unicode", with_tail=False)
    return text


def load_main_text_reader(key_path: str) -> Callable[[str, str, str], str | None]:
    """A function that extracts the main text of a page; its parameters are markup, `markdown` or `text`, and the URL.

    It returns None for a page without main text. Raises `MissingExtraError`, which names `key_path`.
    """
    try:
        import trafilatura
    except ImportError:
        raise MissingExtraError("markdown", key_path) from None

    def read(markup: str, form: str, href: str) -> str | None:
        found: str | None = trafilatura.extract(
            markup,
            url=href,
            output_format="markdown" if form == "markdown" else "txt",
            include_formatting=form == "markdown",
            include_links=form == "markdown",
            include_tables=True,
            include_comments=False,
        )
        return found

    return read


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
