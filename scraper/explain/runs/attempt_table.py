"""Every try of a URL, as the record tells them, or the request that still waits: rows, and a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scraper.model import Request
from scraper.report.text.formatting import latency_text
from scraper.sinks.records import attempt_record

# One try as in a record's `tries`: attempt, at, status, error, detail, elapsed_ms, wait_s (None: it was the last).
AttemptRow = dict[str, Any]

HEADINGS = ("#", "when", "what", "took", "next")


def attempts_of_record(record: Mapping[str, Any]) -> list[AttemptRow]:
    """The tries that a record of pages.jsonl tells of, its own at the end; none when the first one was the only one."""
    told = record.get("tries")
    rows = [row for row in told if isinstance(row, dict)] if isinstance(told, list) else []
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
    """The tries of a request that waits for the next one."""
    return [attempt_record(one, request) for one in request.failed_attempts]


def table_lines(rows: Sequence[AttemptRow]) -> Iterator[str]:
    """`rows` as lines of aligned columns, headings first; nothing when there are none."""
    if not rows:
        return
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


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
    where = row.get("url")
    # One line: what came from a server may hold anything.
    return " ".join((f"{text} from {where}" if where else text).split())
