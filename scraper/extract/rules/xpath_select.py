"""Selects elements by XPath, as elements of selectolax's tree, which all other sources read.

XPath needs lxml, which has a tree of its own, and builds it a little differently. The elements of the two trees are
matched by a number:

1. Each element of selectolax's tree gets a number as an attribute.
2. The markup is written, parsed by lxml, and the numbers are removed from both trees.
3. The expression is evaluated. The number of an element that it selects gives the element of selectolax's tree.
"""

from __future__ import annotations

from typing import Any

from scraper.extract.rules.optional_libraries import XPath
from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.parse_failure import ParseFailure

# An attribute that pages do not use. A page that does loses it.
NUMBER_ATTRIBUTE = "data-scraper-number"


class XPathSelector:
    """A compiled XPath expression that selects elements. Errors as of `XPath`."""

    __slots__ = ("_path",)

    def __init__(self, text: str, key_path: str) -> None:
        self._path = XPath(text, key_path)

    def find(self, node: Any, context: PageContext) -> list[Any] | ParseFailure:
        """The elements in `node` that the expression selects, in document order.

        A `ParseFailure` if it selects anything but elements. Raises `ReadBudgetExceeded`.
        """
        elements = node.css("*")
        by_number = {str(number): element for number, element in enumerate(elements)}
        tree = self._path.parse(_numbered_markup(node, by_number, context))
        if tree is None:
            return []
        # As keys, lxml's Python objects stay alive. Otherwise `read` could return new ones, which would not be found.
        element_of = {
            lxml_element: by_number.get(lxml_element.attrib.pop(NUMBER_ATTRIBUTE, ""))
            for lxml_element in tree.iter("*")
        }
        found = self._path.read(tree)
        if isinstance(found, ParseFailure):
            return found
        if any(not hasattr(value, "attrib") for value in found):
            return ParseFailure(f"xpath: {self._path.text}: selects texts or values, not elements")
        return [element for value in found if (element := element_of.get(value)) is not None]


def _numbered_markup(node: Any, by_number: dict[str, Any], context: PageContext) -> str:
    """The markup of `node` with numbers on its elements. The tree itself is unchanged afterwards."""
    for number, element in by_number.items():
        element.attrs[NUMBER_ATTRIBUTE] = number
    try:
        markup = node.html or ""
    finally:
        for element in by_number.values():
            del element.attrs[NUMBER_ATTRIBUTE]
    context.charge(len(markup))
    return markup
