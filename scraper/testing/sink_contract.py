"""The conformance suite for sinks.

Derive a test class that makes the sink and reads its output; pytest (with pytest-asyncio in auto mode) then runs a test
for every rule of the interface:

    class TestMySink(SinkContract):
        def make(self, folder: Path) -> Sink:
            return MySink(folder)

        def stored(self, folder: Path) -> list[str]:
            return [line.split()[0] for line in (folder / "my.txt").read_text().splitlines()]

A kill of the process is simulated by copying the folder: the copy has what was handed to the operating system so far,
and nothing that was still buffered in the sink.
"""

from __future__ import annotations

import math
import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from scraper.errors import SinkError
from scraper.model import ErrorKind, Extraction, Failure, FieldError, Item, NotModified, RequestKind, Result
from scraper.sinks.interface import Sink
from scraper.testing.fakes import make_request, make_response

FOLDER_NAME = "out"


class Unprintable:
    """A value whose `str()` fails, as a hook might put into an item."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class SinkContract(ABC):
    """The rules of `Sink`, as tests. `kind` is the kind of result the sink stores.

    `forgets` is False for a sink that may keep records written after the checkpoint, because writing them again
    replaces them.
    """

    kind: RequestKind = "page"
    forgets = True

    @abstractmethod
    def make(self, folder: Path) -> Sink:
        """A new, unopened sink that writes below `folder`."""

    @abstractmethod
    def stored(self, folder: Path) -> list[str]:
        """The URL of every record in the output below `folder`, repeated if the record is.

        For a sink that stores bodies: the body of each result is its URL.
        """

    def result(self, number: int) -> Result:
        """The result with this number: a fetched page (or file) with one item."""
        href = f"https://contract.example/page-{number}.html"
        request = make_request(href, kind=self.kind)
        return Result(request, make_response(request, href), Extraction(items=(Item({"title": f"Title {number}"}),)))

    async def test_a_new_output_holds_nothing(self, tmp_path: Path) -> None:
        """Opening and closing writes no record."""
        sink = self.make(tmp_path / FOLDER_NAME)
        await sink.open(None)
        await sink.aclose()
        self._assert_stored(tmp_path / FOLDER_NAME, [])

    async def test_what_is_flushed_survives_a_kill(self, tmp_path: Path) -> None:
        """After `flush` every record so far is with the operating system."""
        sink = await self._open_sink(tmp_path)
        await self._write(sink, 1, 2, 3)
        survived = self._copy_after_kill(tmp_path)
        await sink.aclose()
        self._assert_stored(survived, [1, 2, 3])

    async def test_a_reopened_output_holds_what_was_checkpointed_and_then_each_record_once(
        self, tmp_path: Path
    ) -> None:
        """Records after the checkpoint are dropped; written again, they are there once."""
        sink = await self._open_sink(tmp_path)
        await self._write(sink, 1, 2)
        checkpoint = await self._write(sink, 3)
        await self._write(sink, 4, 5)
        sink.write(self.result(6))
        survived = self._copy_after_kill(tmp_path)
        await sink.aclose()

        again = self.make(survived)
        await again.open(checkpoint)
        if self.forgets:
            self._assert_stored(survived, [1, 2, 3])
        await self._write(again, 4, 5)
        await self._write(again, 6, 7)
        await again.aclose()
        self._assert_stored(survived, [1, 2, 3, 4, 5, 6, 7])

    async def test_checkpoints_stay_valid_over_many_sessions(self, tmp_path: Path) -> None:
        """A checkpoint of a resumed session is as valid as any other."""
        folder, checkpoint = tmp_path / FOLDER_NAME, None
        for number in range(5):
            sink = self.make(folder)
            await sink.open(checkpoint)
            checkpoint = await self._write(sink, number)
            await sink.aclose()
        self._assert_stored(folder, list(range(5)))

    async def test_a_flush_without_news_gives_the_same_checkpoint(self, tmp_path: Path) -> None:
        """If nothing was written, the checkpoint does not change."""
        sink = await self._open_sink(tmp_path)
        checkpoint = await self._write(sink, 1)
        assert await sink.flush() == checkpoint
        await sink.aclose()
        self._assert_stored(tmp_path / FOLDER_NAME, [1])

    async def test_closing_writes_what_is_left_and_may_be_repeated(self, tmp_path: Path) -> None:
        """`aclose` flushes; a second one does nothing more."""
        sink = await self._open_sink(tmp_path)
        sink.write(self.result(1))
        await sink.aclose()
        await sink.aclose()
        self._assert_stored(tmp_path / FOLDER_NAME, [1])

    async def test_closing_a_sink_that_was_never_opened_does_nothing(self, tmp_path: Path) -> None:
        """Clean-up after a failed start is harmless."""
        await self.make(tmp_path / FOLDER_NAME).aclose()
        assert not (tmp_path / FOLDER_NAME).exists()

    async def test_a_new_output_starts_from_nothing(self, tmp_path: Path) -> None:
        """`open(None)` on an old output starts over; a sink that replaces records has each of them once."""
        sink = await self._open_sink(tmp_path)
        await self._write(sink, 1, 2)
        await sink.aclose()
        sink = await self._open_sink(tmp_path)
        await self._write(sink, 2)
        await sink.aclose()
        self._assert_stored(tmp_path / FOLDER_NAME, [2] if self.forgets else [1, 2])

    async def test_an_output_that_is_gone_is_an_error_that_names_fresh(self, tmp_path: Path) -> None:
        """A checkpoint without its output cannot be continued; the message says what to do."""
        sink = await self._open_sink(tmp_path)
        checkpoint = await self._write(sink, 1)
        await sink.aclose()
        shutil.rmtree(tmp_path / FOLDER_NAME)
        message = await self._error_of(self.make(tmp_path / FOLDER_NAME), checkpoint)
        assert "--fresh" in message

    async def test_a_checkpoint_of_something_else_is_an_error(self, tmp_path: Path) -> None:
        """A checkpoint that this sink did not return is refused."""
        sink = await self._open_sink(tmp_path)
        await self._write(sink, 1)
        await sink.aclose()
        assert "--fresh" in await self._error_of(self.make(tmp_path / FOLDER_NAME), "not a checkpoint")

    async def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(self, tmp_path: Path) -> None:
        """What the disk refuses becomes a `SinkError` with the path, at the latest with the first flush."""
        (tmp_path / "file").write_text("not a folder")
        folder = tmp_path / "file" / FOLDER_NAME
        assert str(folder) in await self._error_of(self.make(folder), None)

    async def test_writing_raises_nothing_for_any_result(self, tmp_path: Path) -> None:
        """`write` accepts any value that a page or a hook may produce, and the other records stay intact."""
        sink = await self._open_sink(tmp_path)
        sink.write(self.result(1))
        for result in self.odd_results():
            sink.write(result)
            await sink.flush()
        await self._write(sink, 2)
        await sink.aclose()
        stored = self.stored(tmp_path / FOLDER_NAME)
        assert stored.count(self.result(1).url) == 1
        assert stored.count(self.result(2).url) == 1

    def odd_results(self) -> list[Result]:
        """Results with values that are hard to serialize."""
        deep: list[object] = []
        for _ in range(2000):
            deep = [deep]
        values = [
            "\ud800 lone",
            'nul \0 and \r\n, "quotes" and ,;\t',
            10**400,
            math.nan,
            -math.inf,
            deep,
            {1: {"two": (3, b"\xff")}},
            {"a set"},
            Unprintable(),
            None,
        ]
        request = make_request("https://odd.example/x.html", kind=self.kind)
        page = make_response(request, request.url.href)
        failure = Failure(request, ErrorKind.DNS, "no such \ud800 host", started_at=math.inf, elapsed=1e300)
        rejected = Extraction(field_errors=(FieldError("f", "\udfff"),), problem="\ud800", canonical="\ud800")
        outcomes: list[Result] = [
            Result(request, failure),
            Result(request, NotModified(request, page.headers, started_at=math.nan)),
            Result(request, page, rejected, duplicate_of="\ud800"),
        ]
        items = (
            Result(request, page, Extraction(items=(Item({"title": value, "\ud800": value}),))) for value in values
        )
        return [*outcomes, *items]

    async def _open_sink(self, tmp_path: Path) -> Sink:
        sink = self.make(tmp_path / FOLDER_NAME)
        await sink.open(None)
        return sink

    async def _write(self, sink: Sink, *numbers: int) -> str:
        for number in numbers:
            sink.write(self.result(number))
        return await sink.flush()

    def _copy_after_kill(self, tmp_path: Path) -> Path:
        survived = tmp_path / "survived"
        shutil.copytree(tmp_path / FOLDER_NAME, survived)
        return survived

    def _assert_stored(self, folder: Path, numbers: Sequence[int]) -> None:
        assert sorted(self.stored(folder)) == sorted(self.result(number).url for number in numbers)

    async def _error_of(self, sink: Sink, checkpoint: str | None) -> str:
        """Open, write and flush; return what the `SinkError` says."""
        try:
            await sink.open(checkpoint)
            await self._write(sink, 1)
        except SinkError as error:
            return str(error)
        finally:
            await self._close_quietly(sink)
        raise AssertionError("no SinkError was raised")

    async def _close_quietly(self, sink: Sink) -> None:
        try:
            await sink.aclose()
        except SinkError:
            return  # the output still cannot be written
