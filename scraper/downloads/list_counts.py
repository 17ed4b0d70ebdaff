"""What has been found in a list so far: counts, and the first lines that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from scraper.rundir.layout import MANIFEST_FILE

# Messages that are kept in memory; the manifest has a record of every line.
MAX_PROBLEMS = 1_000


@dataclass(slots=True)
class ListCounts:
    """What has been found in the list so far. Written by the feed's thread, read from any thread to show progress.

    `lines` counts entries and bad lines. Each of them is one of these: `requested`; `complete` before this run
    (`complete_bytes` in all); `bad_lines`, which name no file; `repeated`, the same as an earlier one; `skipped`,
    because the user wants it so (`--collision skip`); `unnamed`, for which no name is free.

    `fully_read`: the end of the list has come. `expected_lines` is about the number of lines of the whole list, 0 when
    it is not known.
    """

    lines: int = 0
    requested: int = 0
    complete: int = 0
    complete_bytes: int = 0
    bad_lines: int = 0
    repeated: int = 0
    skipped: int = 0
    unnamed: int = 0
    fully_read: bool = False
    expected_lines: int = 0
    # Sentences about the first bad and unnamed lines.
    problems: list[str] = field(default_factory=list)

    def failed_comments(self) -> Iterator[str]:
        """Sentences for failed.txt about lines without a request."""
        yield from self.problems
        if (more := self.bad_lines + self.unnamed - len(self.problems)) > 0:
            yield f"and {more:,} more lines without a download: {MANIFEST_FILE} has a record of each"
