"""The section `seeds`: where a crawl begins."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from scraper.config.schema.posting import BODY, JSON_VALUE, MEDIA_TYPE
from scraper.config.schema.section import Section, one_of
from scraper.config.types.checks import LABEL, LIST_FILE, URL
from scraper.config.types.forms import FormError, Shorthand
from scraper.model import Content
from scraper.urls.post_identity import json_bytes

OF_POST = ("json", "body", "content_type")
"""Keys that say what a POST sends."""

with warnings.catch_warnings():
    # The key is called json, and so is a method that pydantic keeps for its own past.
    warnings.filterwarnings("ignore", 'Field name "json"')

    class Seed(Section):
        """Where a crawl begins: one URL, a file of URLs, or a sitemap. A plain text is a URL.

        With `method: POST` what stands under `json` or `body` is sent, to APIs that are only read that way: like every
        request it is sent again when no answer came.
        """

        model_config = one_of("url", "file", "sitemap")
        sparse: ClassVar[bool] = True

        url: Annotated[str, URL] | None = Field(default=None, description="A page to begin with.")
        file: Annotated[Path, LIST_FILE] | None = Field(
            default=None, description="A file with one URL a line; relative to the config's own folder."
        )
        sitemap: Annotated[str, URL] | None = Field(default=None, description="A sitemap whose URLs are seeds.")
        label: Annotated[str, LABEL] | None = Field(
            default=None, description="For these pages the rules with this label are read, and no others."
        )
        method: Literal["GET", "POST"] = Field(default="GET", description="How a URL is asked for.")
        json: Annotated[Any, JSON_VALUE] = Field(default=None, description="What is posted, as JSON.")
        body: Annotated[str, BODY] | None = Field(default=None, description="What is posted, as it stands.")
        content_type: Annotated[str, MEDIA_TYPE] | None = Field(
            default=None, description="What body is; of json application/json without it."
        )

        @property
        def content(self) -> Content | None:
            """What is sent with the request, None for a GET."""
            if self.method == "GET":
                return None
            if "json" in self.model_fields_set:
                return Content(json_bytes(self.json), self.content_type or "application/json")
            return Content((self.body or "").encode(), self.content_type or "")

        @model_validator(mode="after")
        def _one_source(self) -> Seed:
            if sum(v is not None for v in (self.url, self.file, self.sitemap)) != 1:
                raise FormError("expected a URL, or one of file: and sitemap:")
            if self.label is not None and self.sitemap is not None:
                raise FormError("a sitemap is no page; only a url or a file of URLs has a label", key="label")
            if self.method == "POST" and self.url is None:
                raise FormError("POST is for a url alone", key="method")
            return self

        @model_validator(mode="after")
        def _posts_one_thing(self) -> Seed:
            given = [key for key in OF_POST if key in self.model_fields_set]
            if given and self.method != "POST":
                raise FormError("is sent with POST alone", "add method: POST", key=given[0])
            if given[:2] == ["json", "body"]:
                raise FormError("means nothing beside json: one of them is posted", key="body")
            if self.body is not None and self.content_type is None:
                raise FormError("needs content_type: what the text is, such as text/plain", key="body")
            if given == ["content_type"]:
                raise FormError("means nothing without body or json", key="content_type")
            return self


def _expand(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


def _collapse(value: Any) -> Any:
    return value["url"] if isinstance(value, dict) and value.keys() == {"url"} else value


SeedEntry = Annotated[Seed, Shorthand("a URL", URL.schema, _expand, _collapse)]
