"""How much of one page is read: the bounds, and the count of what lies beyond each of them.

Nothing is cut in silence. Whoever cuts counts what it leaves out under the config key of the bound; the counts end up
in the page's record (`problem`), in summary.json (`bounds`) and in a warning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

LINKS_KEY = "limits.max_links"
ITEMS_KEY = "limits.max_items"
FOLLOW_KEY = "limits.max_follow"
VALUES_KEY = "limits.max_values"
TABLE_CELLS_KEY = "limits.max_table_cells"
OBJECTS_KEY = "limits.max_objects"
RULE_CHARS_KEY = "limits.max_rule_chars"
REGEX_CHARS_KEY = "limits.max_regex_chars"
URL_CHARS_KEY = "URLs of 65,536 characters"
SITEMAP_ENTRIES_KEY = "limits.max_sitemap_entries"

# What is counted under each key, in the plural.
_WHAT_IS_COUNTED = {
    LINKS_KEY: "links",
    ITEMS_KEY: "elements or objects",
    FOLLOW_KEY: "requests of rules",
    VALUES_KEY: "values",
    TABLE_CELLS_KEY: "table rows",
    OBJECTS_KEY: "parts of structured data",
    RULE_CHARS_KEY: "elements",
    REGEX_CHARS_KEY: "characters that no regex searched",
    URL_CHARS_KEY: "longer links",
    SITEMAP_ENTRIES_KEY: "sitemap entries",
}


@dataclass(frozen=True, slots=True)
class PageBounds:
    """The most that is read of one page; each is the config key of the same name under `limits`, with `max_` before it.

    `links`: distinct links, and URLs that `files.css` selects. `items`: elements that one rule makes items of, and
    objects inside items. `follow`: requests that rules make. `values`: values of one field with `many`.
    `table_cells`: cells of one table. `objects`: objects of structured data, and ten times as many properties.
    `rule_chars`: characters and elements that one rule reads; elements inside each other contain the same text, so a
    selector such as `*` reads a page many times over. `regex_chars`: how far into the page's text the regex of a field
    searches. `sitemap_entries`: entries of one sitemap.
    """

    links: int = 100_000
    items: int = 100_000
    follow: int = 100_000
    values: int = 100_000
    table_cells: int = 1_000_000
    objects: int = 10_000
    rule_chars: int = 10_000_000
    regex_chars: int = 1_000_000
    sitemap_entries: int = 50_000


DEFAULT_BOUNDS = PageBounds()


class BeyondBounds:
    """Counts what was left out of one page, by the key of the bound."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def add(self, key: str, count: int) -> None:
        """Count `count` things left out by the bound `key`; nothing for 0 or less."""
        if count > 0:
            self.counts[key] = self.counts.get(key, 0) + count

    def first(self, found: Sequence[T], bound: int, key: str) -> Sequence[T]:
        """The first `bound` of `found`; the others are counted under `key`."""
        if len(found) <= bound:
            return found
        self.add(key, len(found) - bound)
        return found[:bound]


def beyond_sentences(counts: Mapping[str, int]) -> tuple[str, ...]:
    """A sentence for each bound that cut something: how much lies beyond it, and the key that raises it."""
    return tuple(f"{count:,} {_WHAT_IS_COUNTED.get(key, 'things')} left out: {key}" for key, count in counts.items())
