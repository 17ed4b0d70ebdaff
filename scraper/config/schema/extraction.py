"""The sections `extract` and `files`: what is extracted from pages."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from scraper.config.schema.following import FollowEntry, NextEntry
from scraper.config.schema.section import CSS_SHORTHAND, Css, Flag, Regex, Section, exactly_one_of
from scraper.config.types.checks import (
    ATTRIBUTE_FORMAT,
    FIELD_NAME_FORMAT,
    FILE_SOURCE_FORMAT,
    LABEL_FORMAT,
    NESTED_FIELD_NAME_FORMAT,
    SCALAR_FORMAT,
)
from scraper.config.types.expressions import SCHEMA_ORG_TYPE_FORMAT, EachEntry, JmesPath, XPath
from scraper.config.types.transforms import MAX_TRANSFORM_STEPS, TransformStepEntry
from scraper.config.types.units import size_range
from scraper.config.types.value_format import InvalidValueError, Shorthand, UniqueKeysCheck, describe_value

FieldType = Literal["text", "int", "float", "decimal", "bool", "url", "date", "html"]


def _expand_value_to_list(value: Any) -> Any:
    return value if value is None or isinstance(value, list | tuple) else (value,)


# What is done with elements, which objects and lists of URLs have none of.
_ELEMENT_KEYS = ("attr", "type", "regex", "table", "transform", "several_numbers", "plain_text")

with warnings.catch_warnings():
    # The key is called json, and so is a deprecated method of pydantic models.
    warnings.filterwarnings("ignore", 'Field name "json"')

    class FieldRule(Section):
        """How one field is found and converted. A plain text is a CSS selector.

        A field has one source: `css`, `xpath`, `structured`, `main_text` or `links`. `json` and `regex` read the result
        of the source; without a source `json` reads a JSON page, and `regex` searches the text of the page. `attr`,
        `table` and `type: html` without a source read the item's own element. With `fields` the value is an object,
        with `each` a list of objects.
        """

        omits_unset_keys: ClassVar[bool] = True

        css: Css | None = Field(default=None, description="A CSS selector. Without attr the element's text is taken.")
        xpath: XPath | None = Field(
            default=None, description="An XPath 1.0 expression; inside each it begins with ./ (needs scraper[xpath])."
        )
        json: JmesPath | None = Field(  # type: ignore[assignment]
            default=None,
            description="A JMESPath expression: into a JSON page, or into what css, xpath or structured gives.",
        )
        structured: Annotated[
            tuple[Annotated[str, SCHEMA_ORG_TYPE_FORMAT], ...], Shorthand("a type", None, _expand_value_to_list)
        ] = Field(
            default=(),
            description="Objects of these types in the page's JSON-LD, microdata and OpenGraph; json picks from them.",
        )
        main_text: Literal["markdown", "text"] | None = Field(
            default=None,
            description="The page's main text without navigation, as Markdown or plain (needs scraper[markdown]).",
        )
        links: Literal["in_scope", "all"] | None = Field(
            default=None, description="The canonical URLs of the page's links: those in scope, or all. Always a list."
        )
        attr: Annotated[str, ATTRIBUTE_FORMAT] | None = Field(
            default=None, description="Take this attribute instead of the text."
        )
        table: Literal["rows"] | None = Field(
            default=None,
            description="Read the table as a list of its rows: mappings by its header row, or lists where it has none.",
        )
        type: FieldType | None = Field(
            default=None,
            description="What the text is converted to; without it text, and a value of JSON keeps its type. url reads "
            "href or src when attr is not given, and becomes absolute; html is the source of the element.",
        )
        regex: Regex | None = Field(
            default=None,
            description="Take what this finds in the text: its first group if it has one, else the whole match.",
        )
        each: EachEntry | None = Field(default=None, description="With fields: the elements that are one object each.")
        fields: Annotated[
            dict[Annotated[str, NESTED_FIELD_NAME_FORMAT], FieldEntry], UniqueKeysCheck(str.casefold, "field")
        ] = Field(default={}, description="The fields of an object, read like those of an item.")
        transform: Annotated[tuple[TransformStepEntry, ...], Shorthand("a step", None, _expand_value_to_list)] = Field(
            default=(),
            max_length=MAX_TRANSFORM_STEPS,
            description="Changes to the text before it is converted to its type, in order.",
        )
        several_numbers: Literal["refuse", "first", "last", "min", "max"] = Field(
            default="refuse",
            description="Which number is taken of a text with several (a range, was and now); refuse takes none. For "
            "int, float and decimal.",
        )
        plain_text: Flag = Field(
            default=True,
            description="Whether texts of structured lose the entities and tags that JSON-LD holds.",
        )
        many: Flag = Field(default=False, description="Take every match as a list, not only the first.")
        required: Flag = Field(default=False, description="Without this field there is no item; it is counted as lost.")
        default: Any = Field(default=None, description="The value when nothing was found.")

        @property
        def sources(self) -> tuple[str, ...]:
            """The keys given that say where the value comes from."""
            given = [key for key in ("css", "xpath", "structured", "main_text", "links", "each") if getattr(self, key)]
            # With one of these keys json and regex read what the element gives; they are no sources of their own.
            if given or self.table or self.attr or self.type == "html":
                return tuple(given)
            return tuple(key for key in ("json", "regex") if getattr(self, key))[:1]

        @property
        def reads_json_values(self) -> bool:
            """Whether the raw values come from JSON and have types already."""
            return self.json is not None or bool(self.structured) or self.table is not None

        @property
        def page_kind(self) -> str:
            """The kind of page that the field is read from: html, json or any."""
            sources = self.sources
            if "json" in sources or (self.each is not None and self.each.json is not None):
                return "json"
            if not sources and self.fields:
                return "any"
            return "any" if sources == ("regex",) else "html"

        @field_validator("default")
        @classmethod
        def _check_default(cls, value: Any) -> Any:
            scalars = value if isinstance(value, list | tuple) else [value]
            if not all(v is None or isinstance(v, str | int | float | bool) for v in scalars):
                raise InvalidValueError(
                    f"expected a text, a number, true, false or a list of them, got {describe_value(value)}"
                )
            return value

        @model_validator(mode="after")
        def _check_keys_fit_together(self) -> FieldRule:
            sources = self.sources
            if len(sources) > 1:
                raise InvalidValueError(
                    f"a field has one source: {sources[0]} or {sources[1]}, not both", key=sources[1]
                )
            if self.fields:
                self._check_object_keys()
            elif self.each is not None:
                raise InvalidValueError("means nothing without fields; many: true takes every match", key="each")
            else:
                self._check_value_keys(sources)
            if self.required and self.default is not None:
                raise InvalidValueError(
                    "a required field cannot have a default: without the field there is no item", key="default"
                )
            if isinstance(self.default, list | tuple) and not (self.many or self.links or self.each):
                raise InvalidValueError("a list as the default needs many: true", key="default")
            return self

        def _check_object_keys(self) -> None:
            given = self.model_fields_set
            for key in (*_ELEMENT_KEYS, "xpath", "main_text", "links"):
                if key in given:
                    raise InvalidValueError("means nothing beside fields: they read what is inside", key=key)
            if self.each is not None:
                for key in ("json", "many"):
                    if key in given:
                        raise InvalidValueError("means nothing beside each", key=key)
            # The fields of an object are read inside it, so they need its kind of page.
            inside = {field.page_kind for field in self.fields.values()} - {"any"}
            outside = "json" if self.json or self.structured or (self.each and self.each.json) else "html"
            if self.css and self.json:
                raise InvalidValueError("fields are read in elements (css) or in JSON (json), not both", key="json")
            if not self.sources and not self.json:
                outside = next(iter(inside), "html")
            if inside - {outside}:
                raise InvalidValueError(f"its fields must read {outside}, as it does itself", key="fields")

        def _check_value_keys(self, sources: tuple[str, ...]) -> None:
            given = self.model_fields_set
            if "several_numbers" in given and self.type not in ("int", "float", "decimal"):
                raise InvalidValueError("needs type int, float or decimal", key="several_numbers")
            if "plain_text" in given and not self.structured:
                raise InvalidValueError("is about texts of structured", key="plain_text")
            if not sources and self.attr is None and self.type != "html" and self.table is None:
                raise InvalidValueError(
                    "expected a source: css, xpath, json, regex, structured, main_text, links or fields"
                )
            if self.links is not None:
                for key in ("attr", "type", "regex", "many", "json", "table", "transform"):
                    if key in given:
                        raise InvalidValueError("means nothing beside links, which is always a list of URLs", key=key)
            if self.main_text is not None:
                for key in ("attr", "type", "json", "table", "many"):
                    if key in given:
                        raise InvalidValueError("means nothing beside main_text, which is one text", key=key)
            if self.table is not None:
                for key in ("attr", "type", "json", "regex", "xpath", "structured", "transform"):
                    if key in given:
                        raise InvalidValueError("means nothing beside table, which is a list of rows", key=key)
            if self.attr is not None and sources and sources[0] not in ("css", "xpath"):
                raise InvalidValueError(f"{sources[0]} has no attributes; they belong to elements", key="attr")
            if self.type == "html" and self.attr is not None:
                raise InvalidValueError("html is the source of an element; an attribute has none", key="type")
            if self.type == "html" and (self.json is not None or (sources and sources[0] not in ("css", "xpath"))):
                raise InvalidValueError("html is the source of an element", key="type")


FieldEntry = Annotated[FieldRule, CSS_SHORTHAND]
FieldRule.model_rebuild()  # now that FieldEntry, which stands inside it, is there


with warnings.catch_warnings():
    warnings.filterwarnings("ignore", 'Field name "json"')

    class ConditionSection(Section):
        """Something that a page or an item's element must contain, or a field whose value is tested.

        A plain text is a CSS selector. Without `equals` and `matches` it is enough that something is found.
        """

        model_config = exactly_one_of("css", "xpath", "json", "regex", "field")
        omits_unset_keys: ClassVar[bool] = True

        css: Css | None = Field(default=None, description="A CSS selector: something matches it.")
        xpath: XPath | None = Field(default=None, description="An XPath expression (needs scraper[xpath]).")
        json: JmesPath | None = Field(  # type: ignore[assignment]
            default=None, description="A JMESPath expression, on JSON pages."
        )
        regex: Regex | None = Field(
            default=None, description="Searched in the page's text, with each in the element's."
        )
        field: Annotated[str, FIELD_NAME_FORMAT] | None = Field(default=None, description="One of the rule's fields.")
        equals: Annotated[
            tuple[Annotated[str, SCALAR_FORMAT], ...], Shorthand("a value", None, _expand_value_to_list)
        ] = Field(default=(), description="The value is one of these.")
        matches: Regex | None = Field(default=None, description="This regex is found in the value.")

        @model_validator(mode="after")
        def _check_exactly_one_given(self) -> ConditionSection:
            given = [key for key in ("css", "xpath", "json", "regex", "field") if getattr(self, key) is not None]
            if len(given) != 1:
                raise InvalidValueError("expected one of css, xpath, json, regex and field")
            return self


ConditionEntry = Annotated[ConditionSection, CSS_SHORTHAND]


class ExtractRule(Section):
    """What to extract from pages of one kind.

    A rule reads HTML, or JSON when its each or its fields have json; a rule with nothing but regex reads any text.
    """

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": [key]} for key in ("fields", "follow", "next")]}
    )
    omits_unset_keys: ClassVar[bool] = True

    label: Annotated[str, LABEL_FORMAT] | None = Field(
        default=None,
        description="Only pages that got this label from a follow or a seed; without it only pages without a label.",
    )
    match: Regex | None = Field(default=None, description="Only pages whose URL matches; without it every page.")
    read_as: Literal["html", "json", "text"] | None = Field(
        default=None,
        description="What its pages are read as, whatever their Content-Type says; without it that decides.",
    )
    each: EachEntry | None = Field(
        default=None,
        description="Elements that are one item each; fields are searched inside. Without it the page is one item.",
    )
    fields: Annotated[dict[Annotated[str, FIELD_NAME_FORMAT], FieldEntry], UniqueKeysCheck(str.casefold, "field")] = (
        Field(
            default={},
            description="The fields of an item, in the order of the columns. Without any the rule only follows links.",
        )
    )
    keep: Flag = Field(
        default=True, description="Whether the items are written; those of a listing may only be there for carry."
    )
    follow: Annotated[tuple[FollowEntry, ...], Shorthand("a CSS selector", None, _expand_value_to_list)] = Field(
        default=(), description="Links to follow, with labels, priorities and values for their pages."
    )
    next: NextEntry | None = Field(default=None, description="How to find the next page of a list.")

    when: Annotated[tuple[ConditionEntry, ...], Shorthand("a CSS selector", None, _expand_value_to_list)] = Field(
        default=(), description="All of these must be true; otherwise there is no item, and it is not counted as lost."
    )
    unless: Annotated[tuple[ConditionEntry, ...], Shorthand("a CSS selector", None, _expand_value_to_list)] = Field(
        default=(), description="None of these may be true."
    )

    @model_validator(mode="after")
    def _check_field_references(self) -> ExtractRule:
        if "fields" in self.model_fields_set and not self.fields:
            raise InvalidValueError("must not be empty", key="fields")
        if not self.fields and not self.follow and self.next is None:
            raise InvalidValueError("expected fields, follow or next")
        if not self.fields and self.next is not None and (self.next.page or self.next.offset):
            raise InvalidValueError("goes on while there are items, and without fields there are none", key="next")
        for follow in self.follow:
            for name in follow.carry:
                if name not in self.fields:
                    raise InvalidValueError(f"there is no field {name!r} in this rule to carry", key="follow")
        for key in ("when", "unless"):
            for condition in getattr(self, key):
                if condition.field is not None and condition.field not in self.fields:
                    raise InvalidValueError(f"there is no field {condition.field!r} in this rule", key=key)
        return self

    @model_validator(mode="after")
    def _check_one_page_kind(self) -> ExtractRule:
        # All parts of a rule that need HTML or JSON must need the same: a page is one of them.
        kinds = {field.page_kind for field in self.fields.values()} - {"any"}
        for condition in (*self.when, *self.unless):
            kinds |= {"json"} if condition.json else {"html"} if condition.css or condition.xpath else set()
        for follow in self.follow:
            kinds |= {"json"} if follow.json else set() if follow.regex else {"html"}
        if self.next is not None:
            kinds |= {self.next.page_kind} - {"any"}
        if self.each is not None:
            kinds.add("json" if self.each.json is not None else "html")
        if len(kinds) > 1:
            raise InvalidValueError(
                "json reads JSON pages and everything else HTML; a rule reads one of them", "make two rules"
            )
        if self.read_as is not None and kinds - {self.read_as}:
            raise InvalidValueError(f"this rule reads {kinds.pop()}, not {self.read_as}", key="read_as")
        return self


class FilesSection(Section):
    """Files to download along the way, into files/ of the output folder. They are saved and not searched for links."""

    match: tuple[Regex, ...] = Field(default=(), description="Links whose URL matches one of these are files.")
    css: tuple[Annotated[str, FILE_SOURCE_FORMAT], ...] = Field(
        default=(),
        description="Selectors with the attribute that holds a file's address, such as img.cover@src; without one "
        "src is taken, else href.",
    )
    max_bytes: Annotated[int, size_range(1_000)] = Field(default=200_000_000, description="Size of one file.")
