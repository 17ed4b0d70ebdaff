"""The audit of a download: every line of the list has an outcome, or waits for the next session."""

from __future__ import annotations

from scraper.downloads.list_counts import ListCounts
from scraper.downloads.manifest import SessionTotals


def audit_list(
    counts: ListCounts, totals: SessionTotals, waiting: int, *, finished: bool
) -> tuple[dict[str, int], str]:
    """The balance of the list's lines, and a sentence about what does not add up (empty when all does).

    `waiting` is how many requests are still queued. `finished`: the list was read to its end and nothing was
    interrupted, so what is neither recorded nor queued is lost; otherwise it may not have been queued yet.
    """
    recorded = totals.done + totals.unchanged + totals.failed + totals.skipped
    without_request = counts.complete + counts.bad_lines + counts.repeated + counts.skipped + counts.unnamed
    values = {
        "read": counts.lines,
        "recorded": recorded,
        "complete": counts.complete,
        "bad": counts.bad_lines,
        "repeated": counts.repeated,
        "skipped": counts.skipped,
        "unnamed": counts.unnamed,
        "waiting": max(0, counts.requested - recorded),
    }
    if counts.lines != counts.requested + without_request:
        return values, f"{counts.lines:,} lines were read and {counts.requested + without_request:,} were understood"
    lost = counts.requested - recorded - waiting
    if lost < 0 or (finished and lost):
        what = "lines have no outcome" if lost > 0 else "outcomes too many"
        return values, (
            f"{abs(lost):,} {what}: {counts.requested:,} requested, {recorded:,} recorded, {waiting:,} waiting"
        )
    return values, ""
