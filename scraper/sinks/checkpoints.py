"""What checkpoints of outputs have in common: reading them, and the error of an output that no longer holds one."""

from __future__ import annotations

from pathlib import Path

from scraper.errors import SinkError

# Digits of the largest count: beyond 64 bits no file has a length.
_MAX_DIGITS = 18


def parse_count_checkpoint(path: Path | str, checkpoint: str) -> int:
    """Read a checkpoint that is a count of bytes, rows or lines. Raises `SinkError` for anything else."""
    if checkpoint.isascii() and checkpoint.isdigit() and len(checkpoint) <= _MAX_DIGITS:
        return int(checkpoint)
    raise foreign_checkpoint_error(path, checkpoint)


def foreign_checkpoint_error(path: Path | str, checkpoint: str) -> SinkError:
    """The `SinkError` for a text that `flush` of this output cannot have returned."""
    return SinkError(f"{path}: {checkpoint[:40]!r} is not a checkpoint of this output; start over with --fresh")


def incomplete_error(path: Path, what: str) -> SinkError:
    """The `SinkError` for an output that no longer holds what was committed to it."""
    return SinkError(
        f"{path} {what}: it was changed since the run stopped, and the run cannot be continued exactly; "
        "put the file back, or start over with --fresh"
    )
