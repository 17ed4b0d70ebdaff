"""Jobs of the database thread, and how they fail."""

from __future__ import annotations

import sqlite3

import pytest

from scraper.errors import FrontierError
from scraper.frontier.sqlite.db_thread import DatabaseThread, identity


class FailingStore:
    """A resource whose work and whose close fail."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True
        raise sqlite3.OperationalError("an error of close is ignored")

    def fail(self, error: Exception) -> None:
        raise error


async def test_the_thread_stops_at_the_first_failure() -> None:
    """A job that fails gives its sentence to itself and to every later one, which does not run."""
    thread: DatabaseThread[FailingStore] = DatabaseThread(lambda error: f"explained: {error}")
    await thread.open(FailingStore)
    first = thread.submit(lambda box: box.fail(sqlite3.OperationalError("x")), identity)
    second = thread.submit(lambda box: pytest.fail("must not run"), identity)
    for waiter in (first, second):
        with pytest.raises(FrontierError, match="explained: x"):
            await waiter
    with pytest.raises(FrontierError, match="explained: x"):
        thread.submit(lambda box: None, identity)
    await thread.aclose()


async def test_a_bug_is_raised_as_itself_and_ends_it() -> None:
    """An error that is not the database's is not disguised, in the thread or on the loop."""
    for work, apply in ((lambda _: 1 / 0, identity), (identity, lambda _: 1 / 0)):
        thread: DatabaseThread[FailingStore] = DatabaseThread(str)
        await thread.open(FailingStore)
        with pytest.raises(ZeroDivisionError):
            await thread.submit(work, apply)
        with pytest.raises(FrontierError, match="division"):
            thread.raise_if_failed()
        await thread.aclose()


async def test_a_store_that_cannot_be_made_is_an_error() -> None:
    """What the factory raises comes out of `open`, database errors as sentences."""
    thread: DatabaseThread[FailingStore] = DatabaseThread(lambda error: f"explained: {error}")

    def make() -> FailingStore:
        raise sqlite3.DatabaseError("no")

    with pytest.raises(FrontierError, match="explained: no"):
        await thread.open(make)
