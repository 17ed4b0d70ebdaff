"""Items on standard output."""

from __future__ import annotations

import io
import json
import sys

import pytest

from scraper.errors import SinkError
from scraper.model import Extraction, Item, Result
from scraper.sinks.stdout import StdoutSink
from scraper.testing.fakes import make_request, make_response

REQUEST = make_request("http://a.example/")


def result(*numbers: int) -> Result:
    return Result(
        REQUEST, make_response(REQUEST, ""), Extraction(items=tuple(Item({"n": number}) for number in numbers))
    )


async def test_items_are_printed_when_they_are_flushed(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """One line of JSON each; the checkpoint counts them, over sessions."""
    sink = StdoutSink()
    await sink.open("5")
    sink.write(result(1, 2))
    assert capfdbinary.readouterr().out == b""
    assert await sink.flush() == await sink.flush() == "7"
    sink.write(result(3))
    await sink.aclose()
    await sink.aclose()
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert lines == [{"url": "http://a.example/", "n": number} for number in (1, 2, 3)]


async def test_a_checkpoint_of_something_else_is_an_error() -> None:
    """As of every output."""
    with pytest.raises(SinkError, match="--fresh"):
        await StdoutSink().open("no checkpoint")


@pytest.mark.parametrize(
    ("error", "words"), [(BrokenPipeError(), "closed by its reader"), (OSError(28, "full"), "full")]
)
async def test_a_reader_that_left_ends_the_run(error: OSError, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be printed is a `SinkError`, and the run stays resumable."""

    class Broken(io.BytesIO):
        def write(self, _: object) -> int:
            raise error

    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(Broken()))
    sink = StdoutSink()
    await sink.open(None)
    sink.write(result(1))
    with pytest.raises(SinkError, match=words):
        await sink.flush()
