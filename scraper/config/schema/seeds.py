"""The section `seeds`: where a crawl begins."""

from __future__ import annotations

import warnings
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from scraper.config.schema.posting import BODY_FORMAT, JSON_VALUE_FORMAT, MEDIA_TYPE_FORMAT
from scraper.config.schema.section import Section, exactly_one_of
from scraper.config.types.checks import LABEL_FORMAT, LIST_FILE_FORMAT, URL_FORMAT
from scraper.config.types.post_secret import PostJson, PostText
from scraper.config.types.value_format import InvalidValueError, Shorthand
from scraper.model import Content
from scraper.urls.post_identity import json_bytes
from scraper.urls.post_secrets import marker

# Keys that say what a POST sends.
POST_KEYS = ("json", "body", "content_type")

with warnings.catch_warnings():
    # The key is called json, and so is a deprecated method of pydantic models.
    warnings.filterwarnings("ignore", 'Field name "json"')

    class SeedSection(Section):
        """Where a crawl begins: one URL, a file of URLs, or a sitemap. A plain text is a URL.

        With `method: POST` the value of `json` or `body` is sent, for APIs that are read in this way. Like every
        request it is repeated when there was no response, so it must not change anything on the server.
        """

        model_config = exactly_one_of("url", "file", "sitemap")
        omits_unset_keys: ClassVar[bool] = True

        url: Annotated[str, URL_FORMAT] | None = Field(default=None, description="A page to begin with.")
        file: Annotated[Path, LIST_FILE_FORMAT] | None = Field(
            default=None, description="A file with one URL per line; relative to the config's own folder."
        )
        sitemap: Annotated[str, URL_FORMAT] | None = Field(default=None, description="A sitemap whose URLs are seeds.")
        label: Annotated[str, LABEL_FORMAT] | None = Field(
            default=None, description="Only rules with this label are applied to these pages."
        )
        method: Literal["GET", "POST"] = Field(default="GET", description="The method of the request.")
        json: Annotated[Any, JSON_VALUE_FORMAT] = Field(
            default=None, description="What is posted, as JSON; ${NAME} works in its texts."
        )
        body: Annotated[PostText, BODY_FORMAT] | None = Field(
            default=None, description="What is posted, unchanged but for ${NAME}."
        )
        content_type: Annotated[str, MEDIA_TYPE_FORMAT] | None = Field(
            default=None, description="The media type of body; that of json is application/json without it."
        )

        @property
        def content(self) -> Content | None:
            """What is sent with the request, a marker in place of each secret; None for a GET."""
            return self.content_and_secrets("")[0]

        def content_and_secrets(self, origin: str) -> tuple[Content | None, dict[bytes, bytes]]:
            """What is sent, and what its markers stand for (`urls.post_secrets`); `origin` tells seeds apart."""
            if self.method == "GET":
                return None, {}
            secrets: dict[bytes, bytes] = {}
            shown = json_bytes(self.json.plain()) if isinstance(self.json, PostJson) else str(self.body or "").encode()
            base = blake2b(f"{origin}\n{self.content_type}\n".encode() + shown, digest_size=8).hexdigest()

            def mark(secret: str, quoted: bool) -> str:
                text = marker(base, len(secrets), quoted=quoted)
                secrets[text.encode()] = secret.encode()
                return text

            if "json" in self.model_fields_set:
                value = self.json.marked(mark) if isinstance(self.json, PostJson) else self.json
                return Content(json_bytes(value), self.content_type or "application/json"), secrets
            media_type = self.content_type or ""
            data = self.body.encode(media_type, mark) if self.body is not None else b""
            return Content(data, media_type), secrets

        @model_validator(mode="after")
        def _check_exactly_one_source(self) -> SeedSection:
            if sum(v is not None for v in (self.url, self.file, self.sitemap)) != 1:
                raise InvalidValueError("expected a URL, or one of file: and sitemap:")
            if self.label is not None and self.sitemap is not None:
                raise InvalidValueError("a sitemap is no page; only a url or a file of URLs has a label", key="label")
            if self.method == "POST" and self.url is None:
                raise InvalidValueError("POST is for a url alone", key="method")
            return self

        @model_validator(mode="after")
        def _check_post_keys(self) -> SeedSection:
            given = [key for key in POST_KEYS if key in self.model_fields_set]
            if given and self.method != "POST":
                raise InvalidValueError("is sent with POST alone", "add method: POST", key=given[0])
            if given[:2] == ["json", "body"]:
                raise InvalidValueError("means nothing beside json: one of them is posted", key="body")
            if self.body is not None and self.content_type is None:
                raise InvalidValueError("needs content_type: what the text is, such as text/plain", key="body")
            if given == ["content_type"]:
                raise InvalidValueError("means nothing without body or json", key="content_type")
            return self


def _expand_url(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


def _collapse_url(value: Any) -> Any:
    return value["url"] if isinstance(value, dict) and value.keys() == {"url"} else value


SeedEntry = Annotated[SeedSection, Shorthand("a URL", URL_FORMAT.schema, _expand_url, _collapse_url)]
