"""The JSON Schema of a config file, for editors that complete and check while one types.

It never refuses what the loader takes, apart from what is named in tests/config/schema/test_crawl.py; what it cannot
say (whether a selector is one, whether a file exists, what two keys mean to each other) `scrape validate` says.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from scraper.config.docs.key_tree import value_format_of, walk_keys
from scraper.config.schema.crawl import CrawlConfig

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@lru_cache(maxsize=1)
def _build_schema() -> dict[str, Any]:
    schema = _simplify(CrawlConfig.model_json_schema(mode="validation", by_alias=True))
    for key in walk_keys():
        home = schema if key.section is CrawlConfig else schema["$defs"][key.section.__name__]
        place = home["properties"][key.path.rpartition(".")[2]]
        if (
            "default" in place
            and (form := value_format_of(key.field)) is not None
            and not isinstance(key.field.default, tuple)
        ):
            place["default"] = form.to_plain(key.field.default)
    return {"$schema": SCHEMA_DIALECT, "title": "scraper: a crawl's config", **schema}


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of what may be written in a config file, units and shorthands included."""
    return dict(_build_schema())


def _simplify(node: Any, *, names: bool = False) -> Any:
    """Without pydantic's titles, which repeat the keys, and without defaults that are empty.

    An editor writes a default out behind the key that was chosen, and `css: null` is nobody's wish. `names` says that
    the node's keys are free names.
    """
    if isinstance(node, dict):
        return {
            key: _simplify(value, names=key in ("properties", "$defs") and not names)
            for key, value in node.items()
            if names or (key != "title" and not (key == "default" and value in (None, [], {})))
        }
    return [_simplify(value) for value in node] if isinstance(node, list) else node
