"""What of CSS the parser's engine gets wrong: a selector that it compiles and that selects something else."""

from __future__ import annotations

import re

# Pseudo-classes that the engine gets wrong, and what to write instead.
WRONG_PSEUDO_CLASSES = {
    "enabled": ":not([disabled])",
    "disabled": "[disabled]",
    "read-only": "[readonly]",
    "read-write": ":not([readonly])",
}
# Pseudo-classes about a visitor, of which a page in a file has none: they match nothing.
VISITOR_PSEUDO_CLASSES = frozenset({"hover", "active", "focus", "focus-within", "focus-visible", "visited", "target"})
_STRING_REGEX = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
_BRACKETED_REGEX = re.compile(r"\[[^\]]*\]")
_PSEUDO_CLASS_REGEX = re.compile(r"(?<![:\\]):([a-z-]+)", re.IGNORECASE)
_NTH_OF_LIST_REGEX = re.compile(r":nth-(?:last-)?child\([^()]*\sof\s[^()]*,", re.IGNORECASE)


def unsupported_in(css: str) -> str | None:
    """Why `css` would select other elements than it says; None if it does not."""
    bare = _BRACKETED_REGEX.sub("[]", _STRING_REGEX.sub('""', css))
    for found in _PSEUDO_CLASS_REGEX.finditer(bare):
        name = found[1].lower()
        if name in WRONG_PSEUDO_CLASSES:
            return f":{name} is not supported; {WRONG_PSEUDO_CLASSES[name]} is"
        if name in VISITOR_PSEUDO_CLASSES:
            return f":{name} is about a visitor, and matches nothing here"
    if _NTH_OF_LIST_REGEX.search(bare):
        return ":nth-child(... of ...) is not supported with a list; :is(...) in it is"
    return None
