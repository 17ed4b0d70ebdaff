"""Whatever a hook raises, it is an ordinary error of its URL; a cancellation of the run is not taken for one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from scraper.engine.hook_chain import HookChain, HookRaisedError
from scraper.engine.run_state import StopReason
from scraper.errors import SinkError
from scraper.events import CrawlEnded
from scraper.hooks.interface import Hook
from scraper.model import ErrorKind, StopKind
from scraper.testing.fakes import FakeFetcher, make_request
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EngineHarness

A = "http://a.example"
ERRORS = [
    ValueError("odd"),
    asyncio.CancelledError(),
    KeyboardInterrupt(),
    SystemExit(3),
    GeneratorExit(),
    BaseException("bare"),
    SinkError("not yours"),
]
METHODS = [name for name in vars(Hook) if name.startswith("on_")]


def raising_hook(method: str, error: BaseException, asynchronous: bool) -> Hook:
    """A hook of which one method raises for the URL /bad."""

    def plain(self: Hook, value: Any, *context: Any) -> Any:
        request = getattr(context[0] if context else value, "request", value)
        if request.url.href.endswith("/bad"):
            raise error
        return value

    async def waiting(self: Hook, value: Any, *context: Any) -> Any:
        await asyncio.sleep(0.1)
        return plain(self, value, *context)

    return type("Raising", (Hook,), {method: waiting if asynchronous else plain})()  # type: ignore[no-any-return]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("method", METHODS)
@virtual_run
async def test_what_a_hook_raises_is_recorded_and_the_run_goes_on(
    method: str, asynchronous: bool, error: BaseException
) -> None:
    """One page has the error `other`; all others have their records, and the run ends by itself."""
    found: dict[str, list[str | dict[str, str]]] = {f"{A}/": [f"{A}/bad", f"{A}/1"], f"{A}/bad": [{"name": "x"}]}
    harness = EngineHarness(FakeFetcher(default="<p>"), found, hooks=[raising_hook(method, error, asynchronous)])
    stop = await harness.run(f"{A}/")
    assert stop.kind is StopKind.FINISHED
    errors = {result.url: result.error for result in harness.sink.flushed}
    assert errors == {f"{A}/": None, f"{A}/1": None, f"{A}/bad": ErrorKind.OTHER}


@virtual_run
async def test_the_hook_is_named_in_what_is_recorded() -> None:
    """Whoever reads the record knows where to look."""
    chain = HookChain([raising_hook("on_request", asyncio.CancelledError(), False)])
    with pytest.raises(HookRaisedError, match=r"raised CancelledError"):
        await chain.on_request(make_request(f"{A}/bad"))


class SlowHook(Hook):
    """Waits for an hour before every request."""

    async def on_request(self, request: Any) -> Any:
        await asyncio.sleep(3600)
        return request


@virtual_run
async def test_a_cancelled_run_ends_while_a_hook_waits() -> None:
    """The cancellation is the run's own: it is not recorded on a URL."""
    harness = EngineHarness(FakeFetcher(default="<p>"), hooks=[SlowHook()])
    run = asyncio.get_running_loop().create_task(harness.run(f"{A}/"))
    await asyncio.sleep(1)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert harness.sink.flushed == []


@virtual_run
async def test_a_stopped_run_does_not_wait_for_a_hook() -> None:
    """After `shutdown_timeout` its worker is cancelled, and its URL is requested by the next run."""
    harness = EngineHarness(FakeFetcher(default="<p>"), hooks=[SlowHook()])

    async def interrupt() -> None:
        await asyncio.sleep(1)
        assert harness.engine is not None
        harness.engine.stop(StopReason(StopKind.INTERRUPTED, "SIGINT"))

    async with asyncio.TaskGroup() as group:
        group.create_task(interrupt())
        stop = await harness.run(f"{A}/")
    assert stop.kind is StopKind.INTERRUPTED
    assert len(harness.events_of(CrawlEnded)) == 1
    assert harness.sink.flushed == []
    assert (await harness.frontier.counts()).waiting == 1


@pytest.mark.parametrize("value", [1, None], ids=["a value", "None"])
@virtual_run
async def test_hooks_are_called_in_order_until_one_says_no(value: int | None) -> None:
    """After None no further hook is called."""
    calls: list[str] = []

    def hook(name: str, result: Callable[[Any], Any]) -> Hook:
        def on_request(self: Hook, request: Any) -> Any:
            calls.append(name)
            return result(request)

        return type(name, (Hook,), {"on_request": on_request})()  # type: ignore[no-any-return]

    chain = HookChain([hook("first", lambda r: r if value else None), hook("second", lambda r: r), Hook()])
    request = make_request(f"{A}/")
    assert await chain.on_request(request) is (request if value else None)
    assert calls == (["first", "second"] if value else ["first"])
    assert (chain.has_on_request, chain.has_on_item) == (True, False)
