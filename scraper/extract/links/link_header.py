"""Parses the `Link` response header (RFC 8288, section 3).

All links are read: the transport accepts a head of at most `max_head` bytes, which is bound enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_TARGET_REGEX = re.compile(r"<([^<>]*)>")
_PARAMETER_REGEX = re.compile(r"""\s*;\s*([!#$%&'*+\-.^_`|~0-9A-Za-z]*)(?:\s*=\s*("(?:[^"\\]|\\.)*+"?|[^\s",;]*))?""")
_QUOTED_PAIR_REGEX = re.compile(r"\\(.)")


class HeaderLink(NamedTuple):
    """One link: its target as written, and its relation types (`rel`) in lower case."""

    target: str
    rels: frozenset[str]


def parse_link_headers(values: Iterable[str]) -> list[HeaderLink]:
    """The links of all `Link` headers of a response, in order.

    Links with an `anchor` are left out: they start from another resource. Malformed parts are skipped; never raises.
    """
    found: list[HeaderLink] = []
    for value in values:
        at = 0
        while (target := _TARGET_REGEX.search(value, at)) is not None:
            parameters, at = _parse_parameters(value, target.end())
            if not parameters.get("anchor"):
                found.append(HeaderLink(target[1].strip(), frozenset(parameters.get("rel", "").lower().split())))
    return found


def _parse_parameters(value: str, at: int) -> tuple[dict[str, str], int]:
    """The parameters behind a target (the first of equal names counts, section 3.3), and where they end."""
    found: dict[str, str] = {}
    while (match := _PARAMETER_REGEX.match(value, at)) is not None:
        at = match.end()
        text = match[2] or ""
        if text.startswith('"'):
            text = _QUOTED_PAIR_REGEX.sub(r"\1", text[1:].removesuffix('"'))
        found.setdefault(match[1].lower(), text)
    return found, at
