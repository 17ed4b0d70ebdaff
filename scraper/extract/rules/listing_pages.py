"""Whether a page of a list that is counted by number is one that came before.

Many sites give their last page, or the first one, for every number behind the end. The page has items, so counting
would go on without end. Each request for a next page therefore carries digests of earlier pages of its list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from selectolax.lexbor import LexborNode
from xxhash import xxh3_64_hexdigest

from scraper.extract.rules.json_document import write_json

# Digests of earlier pages that a request carries: of the first pages of its list, and of those before it.
FIRST_DIGESTS = 4
LATEST_DIGESTS = 8


def page_digest(items: Sequence[tuple[Any, Mapping[str, Any] | None]]) -> str:
    """A digest of the items of a page: of each its element or JSON value, and its fields (None: it could not be read).

    Their order does not count. Of an element only the visible text does, because its markup may hold the page's number
    or a session; links and attributes count as far as fields hold them, and without fields the markup counts.
    """
    return xxh3_64_hexdigest(b"\n".join(sorted(_item_bytes(node, fields) for node, fields in items)))


def add_digest(earlier: tuple[str, ...], digest: str) -> tuple[str, ...]:
    """`earlier` with `digest`, bounded: the first and the latest are kept."""
    kept = earlier if digest in earlier else (*earlier, digest)
    return kept if len(kept) <= FIRST_DIGESTS + LATEST_DIGESTS else (*kept[:FIRST_DIGESTS], *kept[-LATEST_DIGESTS:])


def _item_bytes(node: Any, fields: Mapping[str, Any] | None) -> bytes:
    if not isinstance(node, LexborNode):
        content = node if isinstance(node, str) else write_json(node)
    elif fields:
        content = " ".join(node.text(deep=True, separator=" ").split())
    else:
        content = node.html or ""
    values = orjson.dumps(fields or {}, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return content.encode("utf-8", "replace") + b"\0" + values
