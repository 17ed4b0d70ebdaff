"""The addresses of an image: lists of candidates (`srcset`), and images that a script loads when they are seen."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Attributes that are lists of candidates.
SRCSET_ATTRIBUTES = frozenset({"srcset", "imagesrcset", "data-srcset", "data-lazy-srcset"})
# Candidates read from one list.
MAX_CANDIDATES = 1_000

# Where scripts find the address while `src` holds a placeholder.
_LAZY_ATTRIBUTES = ("data-src", "data-lazy-src", "data-original", "data-lazy", "data-original-src", "data-url")
_CANDIDATE_REGEX = re.compile(r"[\t\n\f\r ,]*([^\t\n\f\r ]+)((?:[^,(]|\([^)]*\)?)*)")
_PLACEHOLDER_REGEX = re.compile(
    r"\s*(?:data:|about:|#|javascript:|\Z|(?:[^?#]*[/_.-])?"
    r"(?:blank|placeholder|spacer|pixel|transparent|loading|loader|lazy|grey|gray|empty|dummy|1x1)"
    r"(?:[_.-][\w.-]*)?\.(?:gif|png|svg|jpe?g|webp)(?:[?#]|\Z))",
    re.IGNORECASE,
)


def parse_srcset(text: str) -> list[str]:
    """The addresses of a list of candidates, as written, in order (HTML standard, 4.8.4.2.1, "parse a srcset")."""
    found: list[str] = []
    at = 0
    while len(found) < MAX_CANDIDATES and (candidate := _CANDIDATE_REGEX.match(text, at)) is not None:
        address = candidate[1]
        if address.endswith(","):  # without a descriptor
            at = candidate.end(1)
            address = address.rstrip(",")
        else:
            at = candidate.end()
        if address:
            found.append(address)
    return found


def image_address(attributes: Mapping[str, str | None]) -> str | None:
    """The address of an image: `src`, unless that is a placeholder and another attribute has the real one."""
    src = attributes.get("src")
    if src is not None and _PLACEHOLDER_REGEX.match(src) is None:
        return src
    for name in _LAZY_ATTRIBUTES:
        value = (attributes.get(name) or "").strip()
        if value and not value.startswith(("{", "[", "data:")):
            return value
    for name in ("data-srcset", "data-lazy-srcset", "srcset"):
        candidates = [one for one in parse_srcset(attributes.get(name) or "") if not one.startswith("data:")]
        if candidates:
            return candidates[0]
    return src
