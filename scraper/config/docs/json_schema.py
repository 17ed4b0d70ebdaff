"""The JSON Schema of a config file, for editors that complete and check while the user types.

It accepts everything that the loader accepts, apart from the cases in tests/config/docs/test_json_schema.py. What it
cannot express (whether a selector compiles, whether a file exists, whether two keys fit together) is for
`scrape validate` to check.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from scraper.config.docs.key_tree import value_format_of, walk_keys
from scraper.config.schema.crawl import CrawlConfig

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


# Building takes some 30 ms, and the models never change.
@lru_cache(maxsize=1)
def _build_schema() -> dict[str, Any]:
    schema = _simplify(CrawlConfig.model_json_schema(mode="validation", by_alias=True))
    for key in walk_keys():
        section_schema = schema if key.section is CrawlConfig else schema["$defs"][key.section.__name__]
        key_schema = section_schema["properties"][key.path.rpartition(".")[2]]
        # Pydantic shows the value that the program uses (30.0), a user writes the one with its unit (30s).
        if (
            "default" in key_schema
            and (value_format := value_format_of(key.field)) is not None
            and not isinstance(key.field.default, tuple)
        ):
            key_schema["default"] = value_format.to_plain(key.field.default)
    return {"$schema": SCHEMA_DIALECT, "title": "scraper: a crawl's config", **schema}


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of what may be written in a config file, units and shorthands included."""
    return dict(_build_schema())


def _simplify(node: Any, *, keys_are_names: bool = False) -> Any:
    """The schema without pydantic's titles, which repeat the keys, and without empty defaults.

    An editor inserts a default after the key that the user picked, and nobody wants `css: null`. With `keys_are_names`
    the node's keys are names of the config or of models: `title` and `default` among them stay.
    """
    if isinstance(node, dict):
        return {
            key: _simplify(value, keys_are_names=key in ("properties", "$defs") and not keys_are_names)
            for key, value in node.items()
            if keys_are_names or (key != "title" and not (key == "default" and value in (None, [], {})))
        }
    return [_simplify(value) for value in node] if isinstance(node, list) else node
