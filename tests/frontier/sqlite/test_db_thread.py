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
    """A job that fails raises, and so do all later ones, with its message; they do not run."""
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
    """An error that is not of the database is raised as it is, from the thread and from the loop."""
    for work, apply in ((lambda _: 1 / 0, identity), (identity, lambda _: 1 / 0)):
        thread: DatabaseThread[FailingStore] = DatabaseThread(str)
        await thread.open(FailingStore)
        with pytest.raises(ZeroDivisionError):
            await thread.submit(work, apply)
        with pytest.raises(FrontierError, match="division"):
            thread.raise_if_failed()
        await thread.aclose()


async def test_a_resource_that_cannot_be_opened_is_an_error() -> None:
    """`open` raises what the function raised; database errors in words."""
    thread: DatabaseThread[FailingStore] = DatabaseThread(lambda error: f"explained: {error}")

    def make() -> FailingStore:
        raise sqlite3.DatabaseError("no")

    with pytest.raises(FrontierError, match="explained: no"):
        await thread.open(make)
