"""How much one rule may read of one page. Every limit is reported when it is reached, and none cuts a value.

The bounds that a config may change are in extract/bounds.py.
"""

from __future__ import annotations

# Longest text or markup of one value, in characters. Longer ones are rejected.
MAX_VALUE_CHARS = 1_000_000
# How far into a text a field's regex searches, in characters. This bounds the time of sensible patterns; one that
# backtracks exponentially, such as `(a+)+$`, it does not.
MAX_REGEX_CHARS = 50_000
