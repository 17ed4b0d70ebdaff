"""The identity of a POST: its URL's key, what it is called for short, and its content.

Two POSTs of different contents to one URL are two questions, and neither is the GET of that URL. So the key of a POST
begins with a word that no URL begins with, and everything that compares keys (what is known, what is skipped, what was
passed on) tells them apart without knowing about methods.
"""

from __future__ import annotations

import json
from typing import Any

from xxhash import xxh3_128_hexdigest

from scraper.model import Content, Url

POST_KEY_PREFIX = "POST "
# Where the URL's part of such a key begins: behind the digest and a space.
POST_KEY_URL_START = len(POST_KEY_PREFIX) + 32 + 1


def with_post_key(url: Url, content: Content | None) -> Url:
    """`url` as it is known when `content` is posted to it; without content as it is known to a GET."""
    plain = strip_post_prefix(url.key)
    if content is None:
        return url if plain == url.key else url._replace(key=plain)
    digest = xxh3_128_hexdigest(content.type.encode("utf-8", "replace") + b"\0" + content.data)
    return url._replace(key=f"{POST_KEY_PREFIX}{digest} {plain}")


def strip_post_prefix(key: str) -> str:
    """The URL's part of a key, whatever the method."""
    return key[POST_KEY_URL_START:] if key.startswith(POST_KEY_PREFIX) else key


def post_key_or_none(key: str | None) -> str | None:
    """`key` if it is that of a POST, else None."""
    return key if key is not None and key.startswith(POST_KEY_PREFIX) else None


def json_bytes(value: Any) -> bytes:
    """`value` as compact JSON, members in their order: one question is always written alike, so it has one key.

    Raises `ValueError` for what JSON lacks (NaN, infinity, half of a surrogate pair), `TypeError` for what is no value
    of JSON, `RecursionError` for what is nested too deeply.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
