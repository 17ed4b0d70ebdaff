"""The doors to libraries that only some configs need: imported when a rule is compiled that uses them.

Their own errors stop here: an expression that cannot be compiled is an `ExtractError`, one that fails on a page's
values is a `ParseFailure`, a library that is not there a `MissingExtraError`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scraper.errors import ExtractError, MissingExtraError
from scraper.extract.rules.value_parsers import ParseFailure

# Names that stand for namespaces in XPath expressions: `re:test(@class, 'a+')`.
EXSLT_NAMESPACES = {"re": "http://exslt.org/regular-expressions"}


class JmesPath:
    """A JMESPath expression. Raises `ExtractError` with `key_path` (a key path) when it is none."""

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
            raise ExtractError(f"{key_path}: not a JMESPath expression: {text!r}: {_first_line(error)}") from error

    def read(self, value: Any) -> Any:
        """What the expression finds in `value`: a JSON value, None when nothing; a `ParseFailure` when it cannot be
        applied.

        The expression's functions may not take what the page holds, and a value may be nested too deeply to be walked.
        """
        try:
            return self._search(value)
        except Exception as error:  # noqa: BLE001  functions raise what they like for what they cannot take
            return ParseFailure(f"json: {self.text}: {_first_line(error)}")

    def read_list(self, value: Any) -> list[Any]:
        """What is found as a list: its members when it is one, else itself, nothing when nothing is there."""
        found = self.read(value)
        if found is None or isinstance(found, ParseFailure):
            return []
        return found if isinstance(found, list) else [found]


class XPath:
    """An XPath 1.0 expression with EXSLT's regular expressions (`re:test`). Errors as of `JmesPath`."""

    __slots__ = ("_evaluate", "_parse", "text")

    def __init__(self, text: str, key_path: str) -> None:
        try:
            from lxml import etree, html
        except ImportError:
            raise MissingExtraError("xpath", key_path) from None
        self.text = text
        try:
            # Plain strings: lxml's own would keep the whole tree alive as long as a value.
            self._evaluate = etree.XPath(text, namespaces=EXSLT_NAMESPACES, smart_strings=False)
        except (etree.XPathError, ValueError, UnicodeError) as error:
            raise ExtractError(f"{key_path}: not an XPath expression: {text!r}: {_first_line(error)}") from error
        self._parse = html.fromstring

    def parse(self, markup: str) -> Any:
        """`markup` as a tree that `read` takes, or None when it holds no element."""
        from lxml import etree

        try:
            return self._parse(markup)
        except (etree.LxmlError, ValueError):
            return None

    def read(self, tree: Any) -> list[Any] | ParseFailure:
        """Elements and values that the expression finds, in document order."""
        from lxml import etree

        try:
            found = self._evaluate(tree)
        except etree.LxmlError as error:
            return ParseFailure(f"xpath: {self.text}: {_first_line(error)}")
        return found if isinstance(found, list) else [found]


def lxml_markup(element: Any) -> str:
    """An lxml element's own markup."""
    from lxml import html

    text: str = html.tostring(element, encoding="unicode", with_tail=False)
    return text


def load_main_text_reader(key_path: str) -> Callable[[str, str, str], str | None]:
    """The function that finds a page's main text: markup, form (`markdown` or `text`) and address to text, or None.

    Raises `MissingExtraError`.
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
