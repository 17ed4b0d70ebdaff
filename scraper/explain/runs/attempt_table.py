"""All attempts at one URL, from its record in pages.jsonl or from its queued request, as rows and as a text table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scraper.model import Request
from scraper.report.text.formatting import latency_text
from scraper.sinks.records import attempt_record

# One attempt, with the keys of a record's `tries`: attempt, at, status, error, detail, elapsed_ms, and wait_s, the
# seconds until the next attempt (None: it was the last).
AttemptRow = dict[str, Any]

HEADINGS = ("#", "when", "what", "took", "next")


def attempts_of_record(record: Mapping[str, Any]) -> list[AttemptRow]:
    """The attempts in a record of pages.jsonl, the successful or last one at the end; none when there was only one."""
    listed = record.get("tries")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    if not rows:
        return []
    number = rows[-1].get("attempt")
    last = {
        "attempt": number + 1 if isinstance(number, int) else None,
        "at": record.get("fetched_at"),
        "status": record.get("status"),
        "error": record.get("error"),
        "detail": record.get("error_detail") or "",
        "elapsed_ms": record.get("elapsed_ms"),
        "wait_s": None,
    }
    return [*rows, last]


def attempts_of_request(request: Request) -> list[AttemptRow]:
    """The failed attempts of a queued request."""
    return [attempt_record(one, request) for one in request.failed_attempts]


def table_lines(rows: Sequence[AttemptRow]) -> Iterator[str]:
    """`rows` as lines of aligned columns, headings first; no lines without rows."""
    if not rows:
        return
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cells(row: AttemptRow) -> tuple[str, str, str, str, str]:
    took, wait = row.get("elapsed_ms"), row.get("wait_s")
    return (
        str(row.get("attempt") or "?"),
        str(row.get("at") or "?"),
        _outcome_text(row),
        f"{took:g} ms" if isinstance(took, int | float) else "?",
        f"after {latency_text(wait)}" if isinstance(wait, int | float) else "-",
    )


def _outcome_text(row: AttemptRow) -> str:
    error, detail = row.get("error"), str(row.get("detail") or "")
    text = str(row.get("status") or "?") if not error else detail if error == "http" else f"{error}: {detail}"
    source_url = row.get("url")
    # Whitespace is collapsed: a server's text may contain line breaks, and a row must stay one line.
    return " ".join((f"{text} from {source_url}" if source_url else text).split())
