"""Finds lines in a run's record files, reading them as streams: nothing is kept but what matches.

A line is parsed only when the wanted address stands in it as bytes, so that a file of a hundred thousand records is
searched in a fraction of a second. A last line that is just being written is passed over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from scraper.model import Url
from scraper.urls.canonicalize import KeyRules

PAGES_FILE, ITEMS_FILE, SKIPPED_FILE = "pages.jsonl", "items.jsonl", "skipped.jsonl"
# Steps back to the seed that are looked up; each is a pass over pages.jsonl.
MAX_CHAIN_URLS = 20
ITEMS_SHOWN = 3
# Records of one URL that are looked at: it may have been posted to with many contents.
MAX_RECORDS = 100

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class UrlRecords:
    """What the record files hold about one URL.

    `record` is its own record, or the one among several (of POSTs with different contents) that is meant; `others` are
    the rest of those. `same` are URLs with the same key that have a record, `same_record` is the first one's.
    `led_to` is the record of a chain of redirects that it is part of. `chain` are the URLs from its parent back to the
    seed. `left` is its line in skipped.jsonl. `items` are the first of its items.
    """

    record: Record | None = None
    same_key_urls: tuple[str, ...] = ()
    same_key_record: Record | None = None
    redirect_record: Record | None = None
    found_via: tuple[str, ...] = ()
    skip_record: Record | None = None
    items: tuple[Record, ...] = ()
    other_records: tuple[Record, ...] = ()


def read_records(path: Path, containing: str) -> Iterator[Record]:
    """The records of a JSON-lines file in whose line `containing` stands. A file that is not there has none."""
    needle = orjson.dumps(containing)[1:-1]
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


def search_records(folder: Path, url: Url, keys: KeyRules, body: str | None = None) -> UrlRecords:
    """Look for `url` in the files of `folder`; with `body` for a POST of something that holds this text.

    Without it a GET is meant, where there is one, else the latest POST.
    """
    # Rules for keys only ever touch the query, so every URL with this key begins like it.
    head = url.href.partition("?")[0]
    get: Record | None = None
    held: Record | None = None
    posts: deque[Record] = deque(maxlen=MAX_RECORDS)
    led_to: Record | None = None
    same: dict[str, Record] = {}
    for record in read_records(folder / PAGES_FILE, head):
        answered, asked = record.get("url"), record.get("requested_url")
        if url.href in (answered, asked):
            text = posted_text(record)
            if text is None:
                get = record
            else:
                posts.append(record)
                held = record if body is not None and body in text else held
        elif any(hop.get("url") == url.href for hop in record.get("redirects") or ()):
            led_to = record
        elif isinstance(answered, str) and keys.key(answered) == url.key and len(same) < MAX_CHAIN_URLS:
            same[answered] = record
    own = held if body is not None else get or (posts[-1] if posts else None)
    others = tuple(record for record in (get, *posts) if record is not None and record is not own)
    same_record = next(iter(same.values()), None)
    found = own or led_to or same_record
    left = next((skip for skip in read_records(folder / SKIPPED_FILE, head) if skip.get("url") == url.href), None)
    parent = found.get("parent") if found else left.get("parent") if left else None
    items = []
    # Items have the page's URL alone: of several answers of one URL nobody can tell whose they are.
    if found is not None and found.get("items") and not others:
        for item in read_records(folder / ITEMS_FILE, head):
            if item.get("url") == found.get("url"):
                items.append(item)
            if len(items) >= ITEMS_SHOWN:
                break
    return UrlRecords(own, tuple(same), same_record, led_to, referrer_chain(folder, parent), left, tuple(items), others)


def posted_text(record: Record) -> str | None:
    """What was posted, as far as the record shows it; None of a GET. After some redirects nobody knows any more."""
    hops = record.get("redirects") or [{}]
    was_post = record.get("method") == "POST" or (isinstance(hops[0], dict) and hops[0].get("method") == "POST")
    return str(record.get("body", "")) if was_post else None


def referrer_chain(folder: Path, parent: str | None) -> tuple[str, ...]:
    """`parent` and the pages before it, back to a seed, at most `MAX_CHAIN_URLS`."""
    chain: list[str] = []
    while parent and parent not in chain and len(chain) < MAX_CHAIN_URLS:
        chain.append(parent)
        found = (r for r in read_records(folder / PAGES_FILE, parent) if r.get("url") == parent)
        record = next(found, None)
        parent = record.get("parent") if record else None
    return tuple(chain)
