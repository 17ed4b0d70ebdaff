"""What was found in a list so far: counts, and the first lines that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

# Bad lines and refusals that are kept as sentences.
MAX_PROBLEMS = 1_000


@dataclass(slots=True)
class ListCounts:
    """What was found in the list so far. Read by whoever shows progress, from any thread.

    `lines` are entries and bad lines; of them `complete` files were there before this run (`complete_bytes`), `bad`
    name no file, `repeated` repeat an earlier one, `skipped` were left out as the user wants (`--collision skip`),
    `refused` got no name, `asked` are asked for. `ended`: there is no more. `expected` lines are about what the whole
    list has, 0 when that is not known.
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
    # The first bad lines and refusals, as sentences.
    problems: list[str] = field(default_factory=list)

    def failed_comments(self) -> Iterator[str]:
        """Sentences about lines that brought no request, for failed.txt."""
        yield from self.problems
        if (more := self.bad_lines + self.unnamed - len(self.problems)) > 0:
            yield f"and {more:,} more lines that cannot be asked for: manifest.jsonl has a record of each"
