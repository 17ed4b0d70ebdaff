"""Elements by XPath, given as elements of the tree that every other source reads.

XPath is evaluated by lxml, which parses a page anew and not quite as the HTML standard says; everything else works on
the first tree. So each element of the first tree is numbered by an attribute before its markup is written for lxml;
there the number is taken off again, before the expression could see it, and leads back from what is found.
"""

from __future__ import annotations

from typing import Any

from scraper.extract.rules.optional_libraries import XPath
from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.value_parsers import ParseFailure

# A name that no page has a use for; one that has it loses it.
NUMBER_ATTRIBUTE = "data-scraper-number"


class XPathSelector:
    """A compiled expression that selects elements. Errors as of `XPath`."""

    __slots__ = ("_path",)

    def __init__(self, text: str, key_path: str) -> None:
        self._path = XPath(text, key_path)

    def find(self, node: Any, context: PageContext) -> list[Any] | ParseFailure:
        """The elements in `place` that the expression selects, in document order; a `ParseFailure` when it gives
        others.

        Raises `ReadBudgetExceeded`.
        """
        elements = node.css("*")
        by_number = {str(number): element for number, element in enumerate(elements)}
        tree = self._path.parse(_numbered_markup(node, by_number, context))
        if tree is None:
            return []
        # The mapping also keeps lxml's elements alive: what is found is the same object, not another for the same node.
        origins = {one: by_number.get(one.attrib.pop(NUMBER_ATTRIBUTE, "")) for one in tree.iter("*")}
        found = self._path.read(tree)
        if isinstance(found, ParseFailure):
            return found
        if any(not hasattr(value, "attrib") for value in found):
            return ParseFailure(f"xpath: {self._path.text}: selects texts or values, not elements")
        return [element for value in found if (element := origins.get(value)) is not None]


def _numbered_markup(node: Any, by_number: dict[str, Any], context: PageContext) -> str:
    """The markup of `node` with its elements numbered; the tree itself is left without the numbers."""
    for number, element in by_number.items():
        element.attrs[NUMBER_ATTRIBUTE] = number
    try:
        markup = node.html or ""
    finally:
        for element in by_number.values():
            del element.attrs[NUMBER_ATTRIBUTE]
    context.charge(len(markup))
    return markup
