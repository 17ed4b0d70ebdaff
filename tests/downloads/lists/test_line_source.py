"""Files and pipes as lines: compressed, cut off, hostile."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator

import pytest
import zstandard

from scraper.downloads.lists import line_source as source
from scraper.downloads.lists.entry import MAX_SHOWN_CHARS, BadLine, Entry
from scraper.downloads.lists.read import read_list
from tests.downloads.lists.reading import A, B, read


class Pipe(io.RawIOBase):
    """A pipe whose writer makes a piece only when it is asked for; `asked` counts them."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left, self.asked = pieces, b"", 0

    def read(self, size: int = -1) -> bytes:
        if not self._left:
            self.asked += 1
            self._left = next(self._pieces, b"")
        taken, self._left = self._left[:size], self._left[size:]
        return taken


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_a_list_is_read_as_it_comes(pack: type[bytes]) -> None:
    """Entries of an endless list are given out while its writer is at work, and no more is asked for than needed."""

    def pieces() -> Iterator[bytes]:
        number = 0
        while True:
            yield pack(f"http://a.example/{number}\n".encode())
            number += 1

    pipe = Pipe(pieces())
    found = read_list("-", stdin=pipe)  # type: ignore[arg-type]
    assert [next(found) for _ in range(50)][-1] == Entry(50, ("http://a.example/49",))
    assert pipe.asked < 60


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_bomb_is_one_bad_line(pack: type[bytes]) -> None:
    """A line without end is dropped as it comes: what is held never exceeds a piece."""
    found = read(pack(b"x" * 50_000_000 + b"\n" + A.encode()))
    assert [one.line for one in found] == [1, 2]
    assert len(found[0].text if isinstance(found[0], BadLine) else "") == MAX_SHOWN_CHARS


def test_a_list_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit of its unpacked size a list ends with a bad line."""
    monkeypatch.setattr(source, "MAX_LIST_BYTES", 1000)
    found = read(gzip.compress(f"{A}\n".encode() * 100_000))
    assert isinstance(found[-1], BadLine)
    assert "larger than 1,000 bytes" in found[-1].reason


def test_a_device_error_ends_the_list_with_a_bad_line() -> None:
    """What was read before it stays; the user is told where the list was cut."""

    class Failing(Pipe):
        def read(self, size: int = -1) -> bytes:
            if piece := super().read(size):
                return piece
            raise OSError(5, "Input/output error")

    found = list(read_list("-", stdin=Failing(iter([f"{A}\n{B}".encode()]))))  # type: ignore[arg-type]
    assert [one.line for one in found] == [1, 2]
    assert isinstance(found[1], BadLine)
    assert found[1].reason == "the list ends here: Input/output error"
