"""Reading checkpoints that are counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from scraper.errors import SinkError
from scraper.sinks.checkpoints import parse_count_checkpoint


@pytest.mark.parametrize("checkpoint", ["", "-1", "1.0", "0x10", " 1", "\u0663", "9" * 19, "x" * 10_000])
def test_only_a_count_is_a_count_checkpoint(checkpoint: str) -> None:
    """Only plain digits of a sensible number are taken; the message stays short."""
    with pytest.raises(SinkError, match="not a checkpoint") as caught:
        parse_count_checkpoint(Path("/out/pages.jsonl"), checkpoint)
    assert len(str(caught.value)) < 200
