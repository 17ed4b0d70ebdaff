"""The settings of one field of a rule: where its text comes from, and how the text becomes a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from scraper.extract.rules.number_parser import NumberChoice, NumberOptions
from scraper.extract.rules.value_parsers import ATTRIBUTES_FOR_PEOPLE

FieldType = Literal["text", "int", "float", "decimal", "bool", "url", "date", "html", "any"]
LinkSelection = Literal["in_scope", "all"]


@dataclass(frozen=True, slots=True)
class FieldSettings:
    """One field. A field has one source:

    - `css`, `xpath`: elements; `structured`: objects of schema.org types, or `opengraph`; `main_text`: the page's main
      text; `links`: the page's links. Without any source: the element of the item.
    - `json` (JMESPath) alone: a value of a JSON page. Beside another source it selects from what that gives.
    - `regex` alone: the markup of the page or of the item's element. Beside another source it selects from its text:
    its
      first group, or the whole match if it has none.

    `table` makes rows of the element, which must be a table. With `fields` the source gives elements or objects, and
    each becomes an object with these fields. `transform`: steps of transforms.py, as (name, argument).

    `attr`: read this attribute instead of the text. `type: url` without it reads href, src, content or data, the first
    that is there. `type: html` is the element's markup with its own tags (outerHTML). `type: bool` is whether something
    is found that does not mean no. `type: any` leaves JSON values as they are.

    `several_numbers`: which number is taken of a text with several; `refuse` takes none. `plain_text`: whether texts of
    `structured` lose their markup.
    """

    name: str
    css: str | None = None
    links: LinkSelection | None = None
    attr: str | None = None
    type: FieldType = "text"
    regex: str | None = None
    many: bool = False
    required: bool = False
    default: Any = None
    xpath: str | None = None
    json: str | None = None
    structured: tuple[str, ...] = ()
    main_text: Literal["markdown", "text"] | None = None
    table: Literal["rows"] | None = None
    fields: tuple[FieldSettings, ...] = ()
    transform: tuple[tuple[str, Any], ...] = ()
    several_numbers: NumberChoice = "refuse"
    plain_text: bool = True

    @property
    def number_options(self) -> NumberOptions:
        """How a number is read: as people write it, or in attributes and JSON as programs do."""
        attr = self.attr.lower() if self.attr is not None else None
        in_attribute = attr is not None and attr not in ATTRIBUTES_FOR_PEOPLE
        return NumberOptions(self.several_numbers, in_attribute or self.json is not None or bool(self.structured))

    @property
    def reads_element(self) -> bool:
        """Whether the source is an HTML element: a selected one, or the item's own if no source is given."""
        other = self.json is not None or self.regex is not None
        return (
            self.css is not None
            or self.xpath is not None
            or self.table is not None
            or not (other or self.structured or self.main_text or self.links)
        )
