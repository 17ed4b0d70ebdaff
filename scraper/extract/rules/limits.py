"""How much one rule may read of one page. Every limit is reported when it is reached, and none cuts a value."""

from __future__ import annotations

# Longest text or markup of one value, in characters. Longer ones are rejected.
MAX_VALUE_CHARS = 1_000_000
# How far into a text a field's regex searches, in characters. This bounds the time of sensible patterns; one that
# backtracks exponentially, such as `(a+)+$`, it does not.
MAX_REGEX_CHARS = 50_000
# Values of one field with `many`.
MAX_VALUES = 10_000
# Items that one rule makes of one page.
MAX_ITEMS = 10_000
# What one rule may read of one page, in characters and elements. Elements inside each other contain the same text, so a
# selector such as `*` reads a page many times over.
MAX_RULE_CHARS = 10_000_000
