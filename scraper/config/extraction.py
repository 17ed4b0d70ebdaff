"""The sections `extract` and `files`: what is taken from pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from scraper.config.checks import ATTRIBUTE, FIELD_NAME, SOURCE
from scraper.config.forms import Distinct, FormError, Shorthand, describe
from scraper.config.section import Css, Flag, Regex, Section
from scraper.config.units import size

FieldType = Literal["text", "int", "float", "decimal", "bool", "url", "date", "html"]


class FieldRule(Section):
    """How one field is found, and what becomes of it. A plain text is a CSS selector.

    The source is `css` or `links`; with neither, `attr` and `type: html` take from the item's own element.
    """

    sparse: ClassVar[bool] = True
    not_yet: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("xpath", "json", "structured"), "use css; other sources are not available in this version"
    )

    css: Css | None = Field(default=None, description="A CSS selector. Without attr the element's text is taken.")
    links: Literal["in_scope", "all"] | None = Field(
        default=None, description="The canonical URLs of the page's links: those in scope, or all. Always a list."
    )
    attr: Annotated[str, ATTRIBUTE] | None = Field(default=None, description="Take this attribute instead of the text.")
    type: FieldType = Field(
        default="text",
        description="What the text is read as. url takes href or src when attr is not given, and is made absolute; "
        "html is the element's own source.",
    )
    regex: Regex | None = Field(
        default=None,
        description="Take what this finds in the text: its first group when it has one, else the whole match.",
    )
    many: Flag = Field(default=False, description="Take every match as a list, not the first alone.")
    required: Flag = Field(default=False, description="Without this field there is no item; the loss is counted.")
    default: Any = Field(default=None, description="The value when nothing was found.")

    @field_validator("default")
    @classmethod
    def _plain_default(cls, value: Any) -> Any:
        scalars = value if isinstance(value, list | tuple) else [value]
        if not all(v is None or isinstance(v, str | int | float | bool) for v in scalars):
            raise FormError(f"expected a text, a number, true, false or a list of them, got {describe(value)}")
        return value

    @model_validator(mode="after")
    def _agree(self) -> FieldRule:
        given = self.model_fields_set
        if self.links is not None and self.css is not None:
            raise FormError("a field has one source: css or links, not both", key="links")
        if self.links is None and self.css is None and self.attr is None and self.type != "html":
            if self.regex is not None:
                raise FormError(
                    "regex refines what css finds; as a source of its own it is not available in this version",
                    "add css: with the element to search in",
                    key="regex",
                )
            raise FormError("expected a source: css, or links")
        if self.links is not None:
            for key in ("attr", "type", "regex", "many"):
                if key in given:
                    raise FormError("means nothing beside links, which is always a list of URLs", key=key)
        if self.type == "html" and self.attr is not None:
            raise FormError("html is the source of an element; an attribute has none", key="type")
        if self.required and self.default is not None:
            raise FormError("a required field needs no default: without it there is no item", key="default")
        if isinstance(self.default, list | tuple) and not (self.many or self.links):
            raise FormError("a list as the default needs many: true", key="default")
        return self


def _expand_field(value: Any) -> Any:
    return {"css": value} if isinstance(value, str) else value


def _collapse_field(value: Any) -> Any:
    return value["css"] if isinstance(value, dict) and value.keys() == {"css"} else value


FieldEntry = Annotated[
    FieldRule, Shorthand("a CSS selector", {"type": "string", "minLength": 1}, _expand_field, _collapse_field)
]


class ExtractRule(Section):
    """What to take from pages of one kind."""

    sparse: ClassVar[bool] = True
    not_yet: ClassVar[Mapping[str, str]] = {"label": "labels are not available in this version; use match"}

    match: Regex | None = Field(default=None, description="Pages whose URL matches; without it every page.")
    each: Css | None = Field(
        default=None,
        description="Elements that are one item each; fields are looked for inside. Without it a page is one.",
    )
    fields: Annotated[dict[Annotated[str, FIELD_NAME], FieldEntry], Distinct(str.casefold, "field")] = Field(
        min_length=1, description="The fields of an item, in the order of the columns."
    )


class Files(Section):
    """Files to fetch along the way, into the output folder's files/. They are saved and not searched for links."""

    match: tuple[Regex, ...] = Field(default=(), description="Links whose URL matches one of these are files.")
    css: tuple[Annotated[str, SOURCE], ...] = Field(
        default=(),
        description="Selectors with the attribute that holds a file's address, such as img.cover@src; without one "
        "src is taken, else href.",
    )
    max_bytes: Annotated[int, size(1_000)] = Field(default=200_000_000, description="Size of one file.")
