"""The parts of an engine without the engine: for tests of one part at a time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from scraper.clock import Clock
from scraper.engine.gate_cache import GateCache
from scraper.engine.host_registry import HostRegistry
from scraper.engine.mirror_routing import AvailabilityOf, HostAvailability, MirrorPolicy, MirrorRouter
from scraper.engine.run_context import RunContext, RunRules
from scraper.engine.run_state import RunState
from scraper.engine.settings import EngineSettings
from scraper.events import Event, EventBus
from scraper.model import Done, ErrorKind, Failure, Lease, Request, Response, Retry
from scraper.politeness.host_gate import GateSettings
from scraper.politeness.host_overrides import PolitenessSettings
from scraper.politeness.retry import RetrySettings
from scraper.politeness.robots_cache import RobotsSettings
from scraper.testing.fakes import make_request, make_url
from scraper.testing.memory_frontier import MemoryFrontier
from scraper.urls.canonicalize import KeyRules
from scraper.urls.scope import Scope, ScopeSettings
from tests.engine.harness import EPOCH, NO_LIMITS

A, B = "http://a.example", "http://b.example"


class RecordingBus(EventBus):
    """Keeps events instead of delivering them."""

    def __init__(self) -> None:
        super().__init__()
        self.listening = True
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


class RecordingFrontier(MemoryFrontier):
    """A frontier that keeps every `park`."""

    def __init__(self) -> None:
        super().__init__()
        self.parked: list[tuple[str, float]] = []

    def park(self, host: str, until: float) -> None:
        self.parked.append((host, until))
        super().park(host, until)


@dataclass
class FakeMirrorPolicy:
    """Every request to a host in `mirrors` has one mirror, on the host it is mapped to."""

    mirrors: dict[str, str]

    def has_mirror(self, host: str) -> bool:
        return host in self.mirrors

    def next_attempt(
        self,
        outcome: Response | Failure,
        verdict: Done | Retry,
        now: float,
        retryable: bool,
        availability: AvailabilityOf,
    ) -> Done | Retry:
        other = self.alternative_for(outcome.request, availability)
        return verdict if other is None else Retry(now, other)

    def alternative_for(self, request: Request, availability: AvailabilityOf) -> Request | None:
        host = self.mirrors.get(request.url.host)
        if host is None or availability(host) is not HostAvailability.OPEN:
            return None
        return make_request(request.url.href.replace(request.url.host, host), kind=request.kind)


@dataclass
class Parts:
    """What the engine makes for its parts; make it inside a running loop."""

    settings: EngineSettings = field(default_factory=lambda: EngineSettings(sitemaps=False, concurrency=4))
    gate: GateSettings = NO_LIMITS
    robots: RobotsSettings = field(default_factory=lambda: RobotsSettings(policy="ignore"))
    retry: RetrySettings = field(default_factory=RetrySettings)
    policy: MirrorPolicy | None = None
    frontier: RecordingFrontier = field(default_factory=RecordingFrontier)
    bus: RecordingBus = field(default_factory=RecordingBus)

    def __post_init__(self) -> None:
        self.clock = Clock(EPOCH)
        self.state = RunState.create(self.settings.concurrency)
        politeness = PolitenessSettings(self.gate)
        self.gates = GateCache(politeness.for_host, self.settings.max_active_hosts, self.settings.max_dormant_hosts)
        self.mirrors = MirrorRouter(self.policy, self.gates, self.frontier, self.clock)
        self.hosts = HostRegistry(self.gates, self.bus, random.Random(1), self.frontier.park, self.mirrors)
        scope = Scope(ScopeSettings(mode="any"), [make_url(f"{A}/")])
        self.rules = RunRules(scope, KeyRules(), politeness, self.retry, self.robots)
        self.context = RunContext(
            self.settings,
            self.rules,
            self.state,
            self.frontier,
            self.frontier,
            self.hosts,
            self.mirrors,
            self.bus,
            self.clock,
        )

    async def lease(self, *hrefs: str, **fields: object) -> Lease:
        """Queue requests, and lease the first one."""
        await self.frontier.add([make_request(href, **fields) for href in hrefs])
        lease = self.frontier.try_lease(self.clock.now())
        assert lease is not None
        return lease

    def break_host(self, host: str) -> None:
        """Make `host` fail until its breaker opens."""
        gate = self.hosts.get_or_restore(host)
        for _ in range(50):
            if gate.breaker_state != "closed":
                return
            request = make_request(f"http://{host}/probe")
            self.hosts.start(gate, self.clock.now())
            self.hosts.finish(gate, Failure(request, ErrorKind.CONNECT, "refused"), self.clock.now())
        raise AssertionError("the breaker did not open")
