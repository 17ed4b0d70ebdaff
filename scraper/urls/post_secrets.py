"""Keeps passwords out of everything that a crawl writes about its POST requests.

What a seed posts may hold secrets. In the request, and so in the queue on disk, in records and on the screen, each of
them is a marker; only when the request is sent, the markers are filled in from the config. So a password stands in no
file of the run, and one that was changed in the config is sent from then on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from scraper.model import Content

MASK = "********"
# `q` marks a value of JSON that is no string: it is filled in without the quotes.
_MARKER = re.compile(rb'"scrape-secret-[0-9a-f]{16}-\d+q"|scrape-secret-[0-9a-f]{16}-\d+(?!\d*q)')
_SHOWN_MARKER = re.compile(r"scrape-secret-[0-9a-f]{16}-\d+q?")


class UnknownSecretError(Exception):
    """A marker for which the config has no secret any more."""


def marker(base: str, number: int, *, quoted: bool = False) -> str:
    """The text in place of secret `number` of a body; `base` (16 hex digits) tells bodies apart."""
    return f"scrape-secret-{base}-{number}{'q' if quoted else ''}"


def fill_secrets(content: Content, secrets: Mapping[bytes, bytes]) -> Content:
    """`content` as it is sent; raises `UnknownSecretError`."""

    def value(found: re.Match[bytes]) -> bytes:
        secret = secrets.get(found[0].strip(b'"'))
        if secret is None:
            raise UnknownSecretError("the secret that this POST was queued with is no longer in the config")
        return secret

    return Content(_MARKER.sub(value, content.data), content.type)


def mask_secrets(text: str) -> str:
    """`text` with stars in place of the markers."""
    return _SHOWN_MARKER.sub(MASK, text)
