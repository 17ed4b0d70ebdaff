"""The JSON Schema of a config file, for editors that complete and check while one types."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from scraper.config.schema import CrawlConfig

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@lru_cache(maxsize=1)
def _generated() -> dict[str, Any]:
    schema = _untitled(CrawlConfig.model_json_schema(mode="validation", by_alias=True))
    return {"$schema": DIALECT, "title": "scraper: a crawl's config", **schema}


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of what may be written in a config file, units and shorthands included."""
    return dict(_generated())


def _untitled(node: Any, *, names: bool = False) -> Any:
    """Without pydantic's titles, which repeat the keys; `names` says that the node's keys are free names."""
    if isinstance(node, dict):
        return {
            key: _untitled(value, names=key in ("properties", "$defs") and not names)
            for key, value in node.items()
            if names or key != "title"
        }
    return [_untitled(value) for value in node] if isinstance(node, list) else node
