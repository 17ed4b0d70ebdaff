from __future__ import annotations

from pathlib import Path

import pytest

from scraper.errors import SinkError
from scraper.model import Result
from scraper.sinks.fanout import Fanout
from scraper.sinks.jsonl import ItemsSink, PagesSink
from scraper.testing.fakes import make_result


class RecordingSink:
    """A sink that records the calls it gets, and fails at `fails_at`."""

    def __init__(self, name: str, log: list[str], fails_at: str = "", error: Exception | None = None) -> None:
        self.name = name
        self._log = log
        self._fails_at = fails_at
        self._error = error or OSError("the disk failed")

    def _record(self, what: str) -> None:
        self._log.append(f"{self.name} {what}")
        if what == self._fails_at:
            raise self._error

    async def open(self, checkpoint: str | None) -> None:
        self._record("open")

    def write(self, result: Result) -> None:
        self._record("write")

    async def flush(self) -> str:
        self._record("flush")
        return f"checkpoint of {self.name}"

    async def aclose(self) -> None:
        self._record("close")


async def test_every_sink_takes_every_result_and_checkpoints_are_by_name(tmp_path: Path) -> None:
    """One write reaches all; a flush gives a checkpoint for each; reopening hands each its own."""
    fanout = Fanout([PagesSink(tmp_path), ItemsSink(tmp_path)])
    await fanout.open({"config": "a name of someone else's"})
    fanout.write(make_result("https://a.example/1", "", 200, {"n": 1}, {"n": 2}))
    checkpoints = await fanout.flush()
    await fanout.aclose()
    assert checkpoints == {name: str((tmp_path / name).stat().st_size) for name in fanout.names}
    again = Fanout([PagesSink(tmp_path), ItemsSink(tmp_path)])
    await again.open(checkpoints)
    assert await again.flush() == checkpoints
    await again.aclose()


async def test_a_failing_sink_names_itself_and_the_others_are_closed() -> None:
    """When one cannot be closed, all the others are, and the error says which it was."""
    log: list[str] = []
    fanout = Fanout([RecordingSink("a", log), RecordingSink("b.jsonl", log, "close"), RecordingSink("c", log)])
    await fanout.open({})
    with pytest.raises(SinkError, match=r"b\.jsonl: the disk failed"):
        await fanout.aclose()
    assert log[3:] == ["c close", "b.jsonl close", "a close"]
    await fanout.aclose()
    assert len(log) == 6


async def test_a_failing_flush_names_its_sink() -> None:
    """The message of a foreign error is given its sink's name; one that has it is left as it is."""
    for error, message in [(ValueError(), "^b: ValueError$"), (SinkError("b is full"), "^b is full$")]:
        fanout = Fanout([RecordingSink("a", []), RecordingSink("b", [], "flush", error)])
        await fanout.open({})
        with pytest.raises(SinkError, match=message):
            await fanout.flush()
        await fanout.aclose()


async def test_when_one_cannot_be_opened_the_opened_are_closed() -> None:
    """A failed start leaves nothing open."""
    log: list[str] = []
    fanout = Fanout([RecordingSink("a", log), RecordingSink("b", log, "open"), RecordingSink("c", log)])
    with pytest.raises(SinkError, match="b: the disk failed"):
        await fanout.open({})
    assert log == ["a open", "b open", "b close", "a close"]


async def test_a_sink_that_joins_a_running_crawl_is_refused(tmp_path: Path) -> None:
    """An output without a checkpoint beside others with one would lack what came before."""
    with pytest.raises(SinkError, match=r"items\.jsonl was not among.*--fresh"):
        await Fanout([PagesSink(tmp_path), ItemsSink(tmp_path)]).open({"pages.jsonl": "0"})


def test_two_sinks_of_one_name_are_refused(tmp_path: Path) -> None:
    """Names are what checkpoints are kept under: each is unique."""
    with pytest.raises(SinkError, match=r"two outputs are called pages\.jsonl"):
        Fanout([PagesSink(tmp_path), PagesSink(tmp_path / "b")])
