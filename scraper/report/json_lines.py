"""Progress for programs: every event as one JSON object a line.

    {"event": "page_settled", "at": 1700000000.25, "url": "https://...", "outcome": "ok", ...}

`event` is the event's name in snake case; the other keys are its fields, as events.py documents them. Instants are
epoch seconds. Infinity, which JSON lacks, is null.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import fields
from typing import Any, TextIO, get_args

import orjson

from scraper.events import CrawlEnded, CrawlStarted, Event, QueuesSampled
from scraper.report.terminal.safe_stream import SafeStream

FLUSH_SECONDS = 0.2
_FLUSH_EVENTS = (CrawlStarted, QueuesSampled, CrawlEnded)


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


# The name of every event type.
EVENT_NAMES: dict[type, str] = {kind: _snake_case(kind.__name__) for kind in get_args(Event)}
_FIELD_NAMES: dict[type, tuple[str, ...]] = {kind: tuple(f.name for f in fields(kind)) for kind in EVENT_NAMES}


class JsonLines:
    """A listener that writes JSON lines to `stream` (standard output, as a rule).

    `only` names the events to write (`{"page_settled", "crawl_ended"}`); None writes all. When the reader has gone
    (a broken pipe) it stops writing without an error.
    """

    def __init__(self, stream: TextIO, only: Collection[str] | None = None) -> None:
        self._out = SafeStream(stream)
        self._wanted = {kind: name for kind, name in EVENT_NAMES.items() if only is None or name in only}
        self._flushed_at = 0.0

    def __call__(self, event: Event) -> None:
        """Write one event."""
        name = self._wanted.get(type(event))
        if name is not None and not self._out.lost:
            self._out.write(event_line(name, event))
        # Flush at most every `FLUSH_SECONDS`: a flush for each event would cost a system call each.
        if isinstance(event, _FLUSH_EVENTS) or event.at - self._flushed_at >= FLUSH_SECONDS:
            self._flushed_at = event.at
            self._out.flush()


def event_line(name: str, event: Event) -> str:
    """`event` as one line of JSON, line end included."""
    record: dict[str, Any] = {"event": name}
    for key in _FIELD_NAMES[type(event)]:
        record[key] = getattr(event, key)
    try:
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE).decode()
    except TypeError:  # a lone surrogate in a string, which is not valid UTF-8
        valid = {k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for k, v in record.items()}
        return orjson.dumps(valid, default=str, option=orjson.OPT_APPEND_NEWLINE).decode()
