"""What both recipes (crawl.py, download.py) share: the parts a caller brings, and the engine wired to its ports.

A recipe has three phases, in this order:

1. translate: the config or the options become each room's own settings. No I/O: what is wrong is found here.
2. open: lock, state, listeners, fetcher, outputs, each put on an exit stack, so that all are closed in reverse order,
   also when a later one cannot be opened.
3. wire: the engine is given its ports; listeners hear that the run starts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from scraper.clock import Clock
from scraper.engine.engine import Engine
from scraper.engine.mirror_routing import MirrorPolicy
from scraper.engine.recorder import Outputs
from scraper.engine.run_context import RunRules
from scraper.engine.settings import EngineSettings
from scraper.events import CrawlStarted, EventBus, Listener, Warned
from scraper.extract.interface import Extractor
from scraper.fetch.interface import Fetcher
from scraper.frontier.interface import InspectableFrontier
from scraper.hooks.interface import Hook
from scraper.model import Result
from scraper.sinks.interface import Sink

OnResult = Callable[[Result], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class CustomParts:
    """Parts that a caller brings. `sinks`, `hooks` and `listeners` come beside those of the config, the others in
    place of what would be made. The run opens and closes them; each can be used for one run."""

    sinks: Sequence[Sink] = ()
    fetcher: Fetcher | None = None
    extractor: Extractor | None = None
    frontier: InspectableFrontier | None = None
    hooks: Sequence[Hook] = ()
    listeners: Sequence[Listener] = ()


@dataclass(frozen=True, slots=True)
class Ports:
    """The open ports of one run, as the engine wants them."""

    frontier: InspectableFrontier
    fetcher: Fetcher
    extractor: Extractor
    outputs: Outputs
    bus: EventBus
    clock: Clock


@dataclass(frozen=True, slots=True)
class RunParts:
    """A run that is ready: everything is open, nothing has been fetched."""

    engine: Engine
    ports: Ports


def wire(
    settings: EngineSettings,
    rules: RunRules,
    ports: Ports,
    *,
    hooks: Sequence[Hook] = (),
    on_result: OnResult | None = None,
    mirror_policy: MirrorPolicy | None = None,
) -> RunParts:
    """The engine over its ports. `on_result` is awaited for every settled result; `mirror_policy` is of downloads."""
    engine = Engine(
        settings,
        rules,
        ports.frontier,
        ports.fetcher,
        ports.extractor,
        ports.outputs,
        ports.bus,
        ports.clock,
        frontier_view=ports.frontier,
        hooks=hooks,
        on_result=on_result,
        mirror_policy=mirror_policy,
    )
    return RunParts(engine, ports)


def announce(ports: Ports, started: CrawlStarted, warnings: Iterable[str]) -> None:
    """Tell listeners that the run starts, and what the user should know about it."""
    ports.bus.emit(started)
    for sentence in warnings:
        ports.bus.emit(Warned(ports.clock.now(), sentence))
