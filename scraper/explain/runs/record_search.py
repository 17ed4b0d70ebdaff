"""Search a run's record files for one URL, as streams: only matching records are kept in memory.

A line is parsed only when it contains the URL as bytes, so that a file of a hundred thousand records is searched in a
fraction of a second. An incomplete last line, which a running crawl is still writing, is ignored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from scraper.model import Url
from scraper.rundir.layout import RunLayout
from scraper.urls.canonicalize import KeyRules

# Pages on the way back to the seed that are looked up; each costs a pass over pages.jsonl.
MAX_CHAIN_URLS = 20
ITEMS_SHOWN = 3
# POST records of one URL that are kept, the latest ones: a URL may be posted to with many contents.
MAX_RECORDS = 100

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class UrlRecords:
    """What the record files hold about one URL.

    `record` is its own record; of several (a GET, and POSTs with different contents) the one asked about, and
    `other_records` are the rest. `same_key_urls` are URLs with the same key that have a record, `same_key_record` is
    the record of the first. `redirect_record` is the record of a redirect chain that the URL is part of. `found_via`
    are the URLs from its parent back to the seed. `skip_record` is its line in skipped.jsonl. `items` are its first
    items.
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
    """The records of a JSON-lines file whose line has `containing` in it. A missing file has none."""
    needle = orjson.dumps(containing)[1:-1]
    try:
        with path.open("rb") as file:
            for line in file:
                if needle in line and (record := parse_record(line)) is not None:
                    yield record
    except OSError:
        return


def parse_record(line: bytes) -> Record | None:
    """One line as a record; None when it is not a complete JSON object."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def search_records(folder: Path, url: Url, keys: KeyRules, body: str | None = None) -> UrlRecords:
    """Search for `url` in the files of `folder`; with `body`, for the POST whose content contains this text.

    Without `body` a GET is preferred to the latest POST.
    """
    # Key rules change only the query, so all URLs with this key have the same beginning.
    head = url.href.partition("?")[0]
    get: Record | None = None
    matching_post: Record | None = None
    posts: deque[Record] = deque(maxlen=MAX_RECORDS)
    redirect_record: Record | None = None
    same_key: dict[str, Record] = {}
    for record in read_records(RunLayout(folder).pages, head):
        final_url, requested_url = record.get("url"), record.get("requested_url")
        if url.href in (final_url, requested_url):
            text = posted_text(record)
            if text is None:
                get = record
            else:
                posts.append(record)
                matching_post = record if body is not None and body in text else matching_post
        elif any(redirect.get("url") == url.href for redirect in record.get("redirects") or ()):
            redirect_record = record
        elif isinstance(final_url, str) and keys.key(final_url) == url.key and len(same_key) < MAX_CHAIN_URLS:
            same_key[final_url] = record
    own = matching_post if body is not None else get or (posts[-1] if posts else None)
    others = tuple(record for record in (get, *posts) if record is not None and record is not own)
    same_key_record = next(iter(same_key.values()), None)
    found = own or redirect_record or same_key_record
    skip_record = next(
        (skip for skip in read_records(RunLayout(folder).skipped, head) if skip.get("url") == url.href), None
    )
    parent = found.get("parent") if found else skip_record.get("parent") if skip_record else None
    items = []
    # Items carry only the URL of their page. With several records of that URL they cannot be assigned to one.
    if found is not None and found.get("items") and not others:
        for item in read_records(RunLayout(folder).items, head):
            if item.get("url") == found.get("url"):
                items.append(item)
            if len(items) >= ITEMS_SHOWN:
                break
    return UrlRecords(
        own,
        tuple(same_key),
        same_key_record,
        redirect_record,
        referrer_chain(folder, parent),
        skip_record,
        tuple(items),
        others,
    )


def posted_text(record: Record) -> str | None:
    """The posted content as recorded; None for a GET. Empty after a redirect that changed the method to GET."""
    redirects = record.get("redirects") or [{}]
    was_post = record.get("method") == "POST" or (
        isinstance(redirects[0], dict) and redirects[0].get("method") == "POST"
    )
    return str(record.get("body", "")) if was_post else None


def referrer_chain(folder: Path, parent: str | None) -> tuple[str, ...]:
    """`parent`, the page that links to it, and so on back to a seed, at most `MAX_CHAIN_URLS`."""
    chain: list[str] = []
    while parent and parent not in chain and len(chain) < MAX_CHAIN_URLS:
        chain.append(parent)
        found = (r for r in read_records(RunLayout(folder).pages, parent) if r.get("url") == parent)
        record = next(found, None)
        parent = record.get("parent") if record else None
    return tuple(chain)
