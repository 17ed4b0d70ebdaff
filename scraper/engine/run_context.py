"""What most parts of the engine work with, given to each of them as one value."""

from __future__ import annotations

from dataclasses import dataclass

from scraper.clock import Clock
from scraper.engine.host_registry import HostRegistry
from scraper.engine.mirror_routing import MirrorRouter
from scraper.engine.run_state import RunState
from scraper.engine.settings import EngineSettings
from scraper.events import EventBus
from scraper.frontier.interface import Frontier, FrontierView
from scraper.politeness.host_overrides import PolitenessSettings
from scraper.politeness.retry import RetrySettings
from scraper.politeness.robots_cache import RobotsSettings
from scraper.urls.canonicalize import KeyRules
from scraper.urls.scope import Scope


@dataclass(frozen=True, slots=True)
class RunRules:
    """The pure rules of one run: what is in scope, which URLs are the same, how hosts are treated."""

    scope: Scope
    key_rules: KeyRules
    politeness: PolitenessSettings
    retry: RetrySettings
    robots: RobotsSettings


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run's settings and rules, its shared state, and its ports.

    For parts that need more than four of these; the others take what they need by name. `frontier_view` answers
    questions about the frontier's queues; an embedded frontier is its own view.
    """

    settings: EngineSettings
    rules: RunRules
    state: RunState
    frontier: Frontier
    frontier_view: FrontierView
    hosts: HostRegistry
    mirrors: MirrorRouter
    bus: EventBus
    clock: Clock
