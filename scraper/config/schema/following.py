"""The keys `follow` and `next` of an extraction rule: which pages come after this one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from scraper.config.schema.posting import RequestParamEntry
from scraper.config.schema.section import CSS_SHORTHAND, Css, Flag, Regex, Section, exactly_one_of
from scraper.config.types.checks import FIELD_NAME_FORMAT, LABEL_FORMAT
from scraper.config.types.expressions import JmesPath, XPath
from scraper.config.types.value_format import InvalidValueError, int_range

MAX_PAGINATION_VALUE = 10**12

with warnings.catch_warnings():
    # The key is called json, and so is a deprecated method of pydantic models.
    warnings.filterwarnings("ignore", 'Field name "json"')

    class FollowSection(Section):
        """Which links to follow in each item's element, or in the page where the rule has no each.

        Without `css`, `xpath`, `json` and `regex` all links in there. A plain text is a CSS selector.
        """

        omits_unset_keys: ClassVar[bool] = True

        css: Css | None = Field(default=None, description="A CSS selector; href, src or content is the address.")
        xpath: XPath | None = Field(default=None, description="An XPath expression (needs scraper[xpath]).")
        json: JmesPath | None = Field(  # type: ignore[assignment]
            default=None, description="A JMESPath expression, on JSON pages."
        )
        regex: Regex | None = Field(default=None, description="Finds addresses in the page's text or the element's.")
        match: Regex | None = Field(default=None, description="Only addresses that match.")
        label: Annotated[str, LABEL_FORMAT] | None = Field(
            default=None, description="Only rules with this label are applied to these pages."
        )
        priority: Annotated[int, int_range(-9, 10_000)] | None = Field(
            default=None, description="Lower is first. Without it the depth, as for every other link."
        )
        carry: tuple[Annotated[str, FIELD_NAME_FORMAT], ...] = Field(
            default=(), description="Fields of this rule whose values are put first into the items of those pages."
        )

        @model_validator(mode="after")
        def _check_at_most_one_source(self) -> FollowSection:
            given = [key for key in ("css", "xpath", "json", "regex") if getattr(self, key) is not None]
            if len(given) > 1:
                raise InvalidValueError(f"expected one of {given[0]} and {given[1]}", key=given[1])
            return self

    class NextSection(Section):
        """How to get from one page of a list to the next: by a link, or by a value that is part of its request.

        That value is a parameter of the URL, or with `{json: /page}` (a JSON Pointer) part of the JSON that is posted.
        `page` and `offset` continue until a page has no item, or those of an earlier page. A plain text is the CSS
        selector of the link.
        """

        model_config = exactly_one_of("css", "xpath", "json", "rel", "page", "offset", "cursor")
        omits_unset_keys: ClassVar[bool] = True
        unavailable_keys: ClassVar[Mapping[str, str]] = {"regex": "use css, xpath or json"}

        css: Css | None = Field(default=None, description="A CSS selector of the link.")
        xpath: XPath | None = Field(default=None, description="An XPath expression (needs scraper[xpath]).")
        json: JmesPath | None = Field(  # type: ignore[assignment]
            default=None, description="JMESPath to the address, on JSON pages."
        )
        rel: Flag = Field(default=False, description="The Link header or link with rel=next.")
        page: RequestParamEntry | None = Field(default=None, description="The value that counts pages.")
        offset: RequestParamEntry | None = Field(default=None, description="The value that counts items.")
        cursor: JmesPath | None = Field(default=None, description="JMESPath to the value of param in the next request.")
        param: RequestParamEntry | None = Field(default=None, description="The parameter that gets the cursor.")
        first: Annotated[int, int_range(0, MAX_PAGINATION_VALUE)] | None = Field(
            default=None, description="The value of page or offset where the request has none: 1 and 0 without it."
        )
        step: Annotated[int, int_range(1, MAX_PAGINATION_VALUE)] | None = Field(
            default=None, description="By how much page or offset grows; page by 1 without it."
        )
        last: Annotated[int, int_range(0, MAX_PAGINATION_VALUE)] | None = Field(
            default=None, description="The last value of page or offset."
        )

        stop_on_repeat: Flag = Field(
            default=True,
            description="With page or offset: end where a page has the items of an earlier page of the list.",
        )

        @property
        def page_kind(self) -> str:
            """What kind of page it is read from: html, json, or any."""
            if self.json is not None or self.cursor is not None:
                return "json"
            return "html" if self.css is not None or self.xpath is not None else "any"

        @model_validator(mode="after")
        def _check_exactly_one_way(self) -> NextSection:
            ways = [
                key for key in ("css", "xpath", "json", "page", "offset", "cursor") if getattr(self, key) is not None
            ]
            ways += ["rel"] if self.rel else []
            if len(ways) != 1:
                raise InvalidValueError("expected one of css, xpath, json, rel, page, offset and cursor")
            if (self.cursor is None) != (self.param is None):
                raise InvalidValueError("cursor and param belong together: a value, and the parameter it goes into")
            if self.offset is not None and self.step is None:
                raise InvalidValueError("offset needs step: how many items a page has", key="offset")
            if ways[0] not in ("page", "offset"):
                for key in ("first", "step", "last"):
                    if getattr(self, key) is not None:
                        raise InvalidValueError(f"means nothing beside {ways[0]}", key=key)
            return self


FollowEntry = Annotated[FollowSection, CSS_SHORTHAND]
NextEntry = Annotated[NextSection, CSS_SHORTHAND]
