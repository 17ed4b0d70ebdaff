"""What a new frontier takes over from the file of an earlier one."""

from __future__ import annotations

from pathlib import Path

import pytest

from scraper.frontier import carryover
from scraper.frontier.carryover import CarryOver, read_carry_over
from scraper.frontier.sqlite.frontier import SqliteFrontier

STATE = {"a.example": {"gate": "open", "robots": "r"}, "b.example": {"gate": "closed"}, "c.example": {"robots": "r"}}


async def written(folder: Path) -> Path:
    """A frontier's file with checkpoints and state of hosts."""
    path = folder / "queue.sqlite"
    async with await SqliteFrontier.open(path) as frontier:
        await frontier.settle([], {"clock": "7"}, STATE)
    return path


async def test_checkpoints_and_wanted_state_come_along(tmp_path: Path) -> None:
    """All checkpoints; of the state the one name, of hosts that are wanted."""
    path = await written(tmp_path)
    assert read_carry_over(path, "gate", lambda host, text: text == "open") == CarryOver(
        {"a.example": {"gate": "open"}}, {"clock": "7"}
    )
    assert read_carry_over(path, "gate", lambda *_: True).host_state.keys() == {"a.example", "b.example"}


async def test_hosts_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more hosts than the bound are held in memory."""
    monkeypatch.setattr(carryover, "MAX_HOSTS", 1)
    assert len(read_carry_over(await written(tmp_path), "gate", lambda *_: True).host_state) == 1


@pytest.mark.parametrize("content", [None, b"", b"not a database " * 100], ids=["missing", "empty", "damaged"])
def test_a_file_that_cannot_be_read_gives_nothing(tmp_path: Path, content: bytes | None) -> None:
    """A download goes on without the state of its hosts."""
    path = tmp_path / "queue.sqlite"
    if content is not None:
        path.write_bytes(content)
    assert read_carry_over(path, "gate", lambda *_: True) == CarryOver({}, {})
