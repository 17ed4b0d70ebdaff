"""Keys of POST requests: `POST <digest of the content> <key of the URL>`.

Two POSTs with different contents to one URL are different requests, and neither is the GET of that URL. Their keys
begin with `POST `, which no URL does, so everything that compares keys (the seen set, the skipped file, redirects)
keeps them apart without knowing about methods.
"""

from __future__ import annotations

import json
from typing import Any

from xxhash import xxh3_128_hexdigest

from scraper.model import Content, Url

POST_KEY_PREFIX = "POST "
# Index of the URL in such a key: behind the prefix, 32 hexadecimal digits and a space.
POST_KEY_URL_START = len(POST_KEY_PREFIX) + 32 + 1


def with_post_key(url: Url, content: Content | None) -> Url:
    """`url` with the key of a POST of `content`; without content, with the key of a GET."""
    plain = strip_post_prefix(url.key)
    if content is None:
        return url if plain == url.key else url._replace(key=plain)
    digest = xxh3_128_hexdigest(content.type.encode("utf-8", "replace") + b"\0" + content.data)
    return url._replace(key=f"{POST_KEY_PREFIX}{digest} {plain}")


def strip_post_prefix(key: str) -> str:
    """The URL's part of a key of any method."""
    return key[POST_KEY_URL_START:] if key.startswith(POST_KEY_PREFIX) else key


def post_key_or_none(key: str | None) -> str | None:
    """`key` if it is the key of a POST, else None."""
    return key if key is not None and key.startswith(POST_KEY_PREFIX) else None


def json_bytes(value: Any) -> bytes:
    """`value` as compact JSON with members in their order: equal requests give equal bytes, so they have one key.

    Raises `ValueError` for numbers and texts that JSON lacks (NaN, infinity, half a surrogate pair), `TypeError` for
    objects that are no JSON values, `RecursionError` for values nested too deeply.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
