"""One page in the forms that expressions need: elements (CSS, XPath), a JSON value (JMESPath), text (regex)."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from scraper.explain.pages.css_probe import PageNames
from scraper.extract.links.document import Document, parse_document
from scraper.extract.rules.json_document import looks_like_json, read_json
from scraper.extract.rules.optional_libraries import XPath
from scraper.extract.text.charset import decode_as
from scraper.extract.text.content_type import content_type_of, decode_page, is_html, is_json, is_text, is_xhtml
from scraper.model import Response

# The `json_value` of a page that is not JSON; None would be the JSON value null.
NO_JSON = object()


class ParsedPage:
    """A response, parsed by its content type: `document` for HTML, `json_value` for JSON (else `NO_JSON`).

    `kind` names the type for messages; `problem` says why a page of a known type could not be parsed.
    """

    def __init__(self, page: Response) -> None:
        content_type = content_type_of(page)
        self.response = page
        self.document: Document | None = None
        self.json_value: Any = NO_JSON
        self.problem: str | None = None
        self.kind = "of another kind"
        if not is_json(content_type) and self._read_undeclared_json(content_type):
            self.kind = "JSON"
        elif is_html(content_type, page):
            self.kind = "HTML"
            self.document = parse_document(
                page.body.read(), content_type, page.request.url, is_xhtml(content_type, page)
            )
            self.problem = self.document.problem
        elif is_json(content_type):
            self.kind = "JSON"
            try:
                self.json_value = read_json(decode_page(page, content_type)).value
            except ValueError as error:
                self.problem = f"declared as JSON, but cannot be parsed: {error}"
        elif is_text(content_type):
            self.kind = "text"

    def _read_undeclared_json(self, content_type: str | None) -> bool:
        """Take the page for JSON if it is JSON, whatever its type says: a crawl does so where a rule reads JSON."""
        if not looks_like_json(self.response.body.read()):
            return False
        try:
            self.json_value = read_json(decode_page(self.response, content_type)).value
        except ValueError:
            return False
        return True

    @property
    def root(self) -> Any:
        """What expressions are evaluated on: the root element, the JSON value, or the text."""
        if self.document is not None:
            return self.document.tree.root
        return self.json_value if self.kind == "JSON" else self.text

    @cached_property
    def text(self) -> str:
        """The body, decoded."""
        if self.document is not None:
            return decode_as(self.response.body.read(), self.document.charset)
        return decode_page(self.response, content_type_of(self.response))

    @cached_property
    def names(self) -> PageNames:
        """Tags, classes and ids of an HTML page."""
        assert self.document is not None
        return PageNames.from_document(self.document)

    @cached_property
    def xpath_tree(self) -> Any:
        """The page as an lxml tree, parsed as extraction does it; None without elements. Raises `MissingExtraError`."""
        root = self.document.tree.root if self.document is not None else None
        return XPath(".", "XPath").parse(root.html or "") if root is not None else None
