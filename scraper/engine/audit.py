"""The audit at the end of a run: whether everything that came in has left a record, a reason, or a place in the queue.

Each count is kept where the thing happens, and compared with one that is kept somewhere else: leases where they are
taken and where they are settled, links where they are found and where they are stored, items where they are read and in
the frontier's totals, URLs in the frontier's table of known ones and in its outcomes. What does not add up is a bug of
ours; it ends the run as one (exit code 70), and what is still queued can be resumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from scraper.frontier.interface import FrontierCounts
from scraper.model import Extraction, Lease, Settlement
from scraper.sinks.interface import WrittenRecords

# Name of the checkpoint with the counts of what lay beyond bounds, over all sessions of the run.
BOUNDS_CHECKPOINT = "bounds"
# The bounds on links and on requests of rules.
LINK_BOUNDS = ("limits.max_links", "limits.max_follow", "limits.max_sitemap_entries")
# URLs of lost leases that are named in one sentence.
MAX_LEASES_NAMED = 3


@dataclass(slots=True)
class PageCounts:
    """What was found on pages, until it is settled: links, those beyond a bound, and items.

    `links_repeated` were passed on recently and are not passed on again.
    """

    links_found: int = 0
    links_repeated: int = 0
    links_beyond: int = 0
    items_found: int = 0
    items_rejected: int = 0
    items_dropped: int = 0
    # By the config key of each bound.
    beyond: dict[str, int] = field(default_factory=dict)

    def add_page(self, extraction: Extraction) -> None:
        """Count what was found on one page, before any hook saw it."""
        self.links_found += len(extraction.links) + len(extraction.requests)
        self.items_found += len(extraction.items) + extraction.items_rejected
        self.items_rejected += extraction.items_rejected
        if extraction.beyond:
            self.links_beyond += sum(extraction.beyond.get(key, 0) for key in LINK_BOUNDS)
            self.add_beyond(extraction.beyond)

    def add_beyond(self, counts: Mapping[str, int]) -> None:
        """Count what lay beyond bounds."""
        for key, count in counts.items():
            self.beyond[key] = self.beyond.get(key, 0) + count

    def add(self, other: PageCounts) -> None:
        """Add the counts of a batch that has been settled."""
        self.links_found += other.links_found
        self.links_repeated += other.links_repeated
        self.links_beyond += other.links_beyond
        self.items_found += other.items_found
        self.items_rejected += other.items_rejected
        self.items_dropped += other.items_dropped
        if other.beyond:
            self.add_beyond(other.beyond)


@dataclass(slots=True)
class RunCounts:
    """The counts of one session. All are of what has been settled; `pages.beyond` is of the whole run."""

    leases_taken: int = 0
    leases_settled: int = 0
    # Returned when the run ended: the next session takes them.
    leases_released: int = 0
    # Links that became requests or skips, and how many of the requests were new.
    links_queued: int = 0
    links_new: int = 0
    links_skipped: int = 0
    items_written: int = 0
    results_written: int = 0
    pages: PageCounts = field(default_factory=PageCounts)
    # Bounds were counted that no checkpoint holds yet.
    bounds_unsaved: bool = False
    # What is wrong although all counts agree.
    lost: list[str] = field(default_factory=list)

    def restore_bounds(self, checkpoint: str | None) -> None:
        """Take over what earlier sessions have counted beyond bounds."""
        try:
            stored = orjson.loads(checkpoint or "{}")
        except ValueError:
            return
        if isinstance(stored, dict):
            self.pages.add_beyond({str(key): count for key, count in stored.items() if isinstance(count, int)})

    def add_bounds(self, counts: Mapping[str, int]) -> None:
        """Count what lay beyond bounds outside of pages."""
        self.pages.add_beyond(counts)
        self.bounds_unsaved = True

    def bounds_checkpoint(self, batch: PageCounts) -> str:
        """What `restore_bounds` reads, with the counts of a batch that is being settled."""
        total = PageCounts(beyond=dict(self.pages.beyond))
        total.add_beyond(batch.beyond)
        return orjson.dumps(total.beyond).decode()

    def add_batch(self, found: PageCounts, settlements: Sequence[Settlement], new: int) -> None:
        """Count a batch that has just been stored; `new` of its requests were not known before."""
        self.pages.add(found)
        self.bounds_unsaved = False
        self.links_new += new
        for settlement in settlements:
            self.results_written += bool(settlement.outcome_code)
            self.items_written += settlement.items
            self.links_queued += len(settlement.discovered)
            self.links_skipped += len(settlement.skipped)

    def add_lost_leases(self, leases: Sequence[Lease]) -> None:
        """Note leases that nobody works on and that were never settled."""
        urls = ", ".join(lease.request.url.href for lease in leases[:MAX_LEASES_NAMED])
        more = f" and {len(leases) - MAX_LEASES_NAMED:,} more" if len(leases) > MAX_LEASES_NAMED else ""
        self.lost.append(f"{len(leases):,} requests were taken up and never settled: {urls}{more}")


@dataclass(frozen=True, slots=True)
class Balance:
    """What was known and what became of it. `values` is JSON; `missing` has a sentence for all that does not add up."""

    values: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def detail(self) -> str:
        """The sentences as one text."""
        return "; ".join(self.missing)


def audit(
    counts: RunCounts,
    before: FrontierCounts,
    after: FrontierCounts,
    written: Sequence[WrittenRecords] = (),
    *,
    cut_short: bool = False,
) -> Balance:
    """Balance one session: `before` and `after` are the frontier's counts when it began and now.

    `cut_short`: the recorder was stopped in the middle of a batch, so outputs may be ahead of what is settled.
    """
    missing = list(counts.lost)
    values: dict[str, Any] = {
        "urls": _balance_urls(after, missing),
        "links": _balance_links(counts, missing),
        "items": _balance_items(counts, after.items - before.items, missing, cut_short),
        "leases": _balance_leases(counts, after, missing),
    }
    expected = {"results": counts.results_written, "items": counts.items_written}
    for output, records_of, count in written:
        wanted = expected[records_of]
        if count < wanted or (count > wanted and not cut_short):
            missing.append(f"{output} has {count:,} new records where {wanted:,} {records_of} were settled")
    values["missing"] = missing
    return Balance(values, tuple(missing))


def _balance_urls(after: FrontierCounts, missing: list[str]) -> dict[str, int]:
    """Of the whole run: known = recorded + skipped + redirected + waiting."""
    waiting = after.waiting + after.delayed + after.leased
    values = {"known": after.known, "recorded": after.settled, "waiting": waiting}
    if after.dropped is None or after.redirected is None:  # a frontier of the caller that does not count them
        return values
    values |= {"skipped": after.dropped, "redirected": after.redirected}
    rest = after.known - after.settled - waiting - after.dropped - after.redirected
    if rest:
        parts = ", ".join(f"{count:,} {word}" for word, count in values.items())
        what = "known URLs have no record, no reason and no place in the queue" if rest > 0 else "URLs counted twice"
        missing.append(f"{abs(rest):,} {what} ({parts})")
    return values


def _balance_links(counts: RunCounts, missing: list[str]) -> dict[str, int]:
    """Of this session: found = queued + known + skipped + beyond a bound."""
    pages = counts.pages
    found = pages.links_found + pages.links_beyond
    accounted = counts.links_queued + counts.links_skipped + pages.links_repeated
    if (rest := pages.links_found - accounted) or counts.links_new > counts.links_queued:
        missing.append(
            f"{abs(rest):,} links too {'few' if rest > 0 else 'many'}: {pages.links_found:,} found, "
            f"{counts.links_queued:,} queued or known, {counts.links_skipped:,} skipped, "
            f"{pages.links_repeated:,} repeated"
        )
    return {
        "found": found,
        "queued": counts.links_new,
        "known": counts.links_queued - counts.links_new + pages.links_repeated,
        "skipped": counts.links_skipped,
        "beyond": pages.links_beyond,
    }


def _balance_items(counts: RunCounts, stored: int, missing: list[str], cut_short: bool) -> dict[str, int]:
    """Of this session: found = written + rejected + dropped by a hook. `stored` is what the frontier has counted."""
    pages = counts.pages
    rest = pages.items_found - counts.items_written - pages.items_rejected - pages.items_dropped
    # The transaction of a batch that was cut short may have been committed all the same.
    if rest or stored < counts.items_written or (stored > counts.items_written and not cut_short):
        missing.append(
            f"{abs(rest) or abs(stored - counts.items_written):,} items missing: {pages.items_found:,} found, "
            f"{counts.items_written:,} written, {stored:,} stored, {pages.items_rejected:,} rejected, "
            f"{pages.items_dropped:,} dropped by hooks"
        )
    return {
        "found": pages.items_found,
        "written": counts.items_written,
        "rejected": pages.items_rejected,
        "dropped": pages.items_dropped,
    }


def _balance_leases(counts: RunCounts, after: FrontierCounts, missing: list[str]) -> dict[str, int]:
    """Of this session: taken = settled + released, and none is left in the frontier."""
    rest = counts.leases_taken - counts.leases_settled - counts.leases_released
    if (rest or after.leased) and not counts.lost:
        missing.append(
            f"{max(abs(rest), after.leased):,} requests were taken up and never settled: "
            f"{counts.leases_taken:,} taken, {counts.leases_settled:,} settled, {counts.leases_released:,} returned, "
            f"{after.leased:,} still out"
        )
    return {"taken": counts.leases_taken, "settled": counts.leases_settled, "released": counts.leases_released}
