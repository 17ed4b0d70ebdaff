"""Finds lines in a run's record files, reading them as streams: nothing is kept but what matches.

A line is parsed only when the wanted address stands in it as bytes, so that a file of a hundred thousand records is
searched in a fraction of a second. A last line that is just being written is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from scraper.model import Url
from scraper.urls.canonicalise import KeyRules

PAGES, ITEMS, SKIPPED = "pages.jsonl", "items.jsonl", "skipped.jsonl"
CHAIN = 20
"""Steps back to the seed that are looked up; each is a pass over pages.jsonl."""
ITEMS_SHOWN = 3

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Traces:
    """What the record files hold about one URL.

    `record` is its own record. `same` are URLs with the same key that have a record, `same_record` is the first one's.
    `led_to` is the record of a chain of redirects that it is part of. `chain` are the URLs from its parent back to the
    seed. `left` is its line in skipped.jsonl. `items` are the first of its items.
    """

    record: Record | None = None
    same: tuple[str, ...] = ()
    same_record: Record | None = None
    led_to: Record | None = None
    chain: tuple[str, ...] = ()
    left: Record | None = None
    items: tuple[Record, ...] = ()


def read_records(path: Path, holding: str) -> Iterator[Record]:
    """The records of a JSON-lines file in whose line `holding` stands. A file that is not there has none."""
    needle = orjson.dumps(holding)[1:-1]
    try:
        with path.open("rb") as file:
            for line in file:
                if needle in line and (record := parse_record(line)) is not None:
                    yield record
    except OSError:
        return


def parse_record(line: bytes) -> Record | None:
    """One line as a record; None for what is none."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def trace(folder: Path, url: Url, keys: KeyRules) -> Traces:
    """Look for `url` in the files of `folder`."""
    # Rules for keys only ever touch the query, so every URL with this key begins like it.
    head = url.href.partition("?")[0]
    own: Record | None = None
    led_to: Record | None = None
    same: dict[str, Record] = {}
    for record in read_records(folder / PAGES, head):
        answered, asked = record.get("url"), record.get("requested_url")
        if url.href in (answered, asked):
            own = record
        elif any(hop.get("url") == url.href for hop in record.get("redirects") or ()):
            led_to = record
        elif isinstance(answered, str) and keys.key(answered) == url.key and len(same) < CHAIN:
            same[answered] = record
    same_record = next(iter(same.values()), None)
    found = own or led_to or same_record
    left = next((skip for skip in read_records(folder / SKIPPED, head) if skip.get("url") == url.href), None)
    parent = found.get("parent") if found else left.get("parent") if left else None
    items = []
    if found is not None and found.get("items"):
        for item in read_records(folder / ITEMS, head):
            if item.get("url") == found.get("url"):
                items.append(item)
            if len(items) >= ITEMS_SHOWN:
                break
    return Traces(own, tuple(same), same_record, led_to, chain_of(folder, parent), left, tuple(items))


def chain_of(folder: Path, parent: str | None) -> tuple[str, ...]:
    """`parent` and the pages before it, back to a seed, at most `CHAIN`."""
    chain: list[str] = []
    while parent and parent not in chain and len(chain) < CHAIN:
        chain.append(parent)
        found = (r for r in read_records(folder / PAGES, parent) if r.get("url") == parent)
        record = next(found, None)
        parent = record.get("parent") if record else None
    return tuple(chain)
