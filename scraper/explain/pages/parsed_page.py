"""A page as expressions see it: elements for CSS and XPath, a value for JMESPath, text for regular expressions."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import orjson

from scraper.explain.pages.css_probe import PageNames
from scraper.extract.links.document import Document, parse_document
from scraper.extract.rules.optional_libraries import XPath
from scraper.extract.text.charset import decode_as
from scraper.extract.text.content_type import content_type_of, decode_page, is_html, is_json, is_text
from scraper.model import Response

NO_JSON = object()
"""Stands for the JSON of a page that has none."""


class ParsedPage:
    """What `page` is: `document` for HTML, `value` for JSON (else `NOTHING`).

    `kind` says what it is in a word, `problem` why it cannot be read although it says it can.
    """

    def __init__(self, page: Response) -> None:
        content_type = content_type_of(page)
        self.response = page
        self.document: Document | None = None
        self.json_value: Any = NO_JSON
        self.problem: str | None = None
        self.kind = "of another kind"
        if is_html(content_type, page):
            self.kind = "HTML"
            self.document = parse_document(page.body.read(), content_type, page.request.url)
            self.problem = self.document.problem
        elif is_json(content_type):
            self.kind = "JSON"
            try:
                self.json_value = orjson.loads(decode_page(page, content_type))
            except orjson.JSONDecodeError as error:
                self.problem = f"it says it is JSON, but cannot be read: {error}"
        elif is_text(content_type):
            self.kind = "text"

    @property
    def root(self) -> Any:
        """Where expressions begin: the tree's root element, the JSON, or the text."""
        if self.document is not None:
            return self.document.tree.root
        return self.json_value if self.kind == "JSON" else self.text

    @cached_property
    def text(self) -> str:
        """The page as it came."""
        if self.document is not None:
            return decode_as(self.response.body.read(), self.document.charset)
        return decode_page(self.response, content_type_of(self.response))

    @cached_property
    def names(self) -> PageNames:
        """The names of an HTML page."""
        assert self.document is not None
        return PageNames.from_document(self.document)

    @cached_property
    def xpath_tree(self) -> Any:
        """The page for XPath, as rules see it; None when it has no element. Raises `MissingExtraError`."""
        root = self.document.tree.root if self.document is not None else None
        return XPath(".", "XPath").parse(root.html or "") if root is not None else None
