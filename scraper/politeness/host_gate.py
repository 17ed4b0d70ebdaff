"""The one place where the rules about a host come together: from which instant may it be asked again?

Every rule answers that for itself (`rule.Rule`); the gate takes the latest answer. Nobody else asks a rule, and no
fetcher ever waits. To add a rule, write its file and give it a line in `HostGate.__init__`: its starts,
finishes, reasons, events and memory then come by themselves.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import orjson

from scraper.errors import ConfigError
from scraper.events import Event
from scraper.model import Outcome
from scraper.politeness.circuit_breaker import BreakerSettings, BreakerState, CircuitBreaker
from scraper.politeness.crawl_delay import CrawlDelay, LongDelayPolicy
from scraper.politeness.host_budget import PageBudget
from scraper.politeness.limits import ConcurrencyLimit, RateLimiter
from scraper.politeness.retry_after import HostBackoff
from scraper.politeness.rule import HostRule, format_duration
from scraper.politeness.throttle import Throttle

# Name under which the frontier stores a gate (`HostGate.to_json`) among the state of its host.
HOST_STATE_GATE = "gate"
STATE_VERSION = 1


@dataclass(frozen=True, slots=True)
class GateSettings:
    """The rules for one host. Raises ConfigError for values that make no sense.

    `rate` is starts per second and `concurrency` requests at once, None for no limit; `adaptive` slows down with
    the host; `max_retry_after` and `max_crawl_delay` are seconds, `long_crawl_delay` what to do above the latter;
    `max_pages` bounds the pages of this host.
    """

    rate: float | None = 2.0
    concurrency: int | None = 4
    adaptive: bool = True
    breaker: BreakerSettings | None = field(default_factory=BreakerSettings)
    max_retry_after: float = 3600.0
    max_crawl_delay: float = 30.0
    long_crawl_delay: LongDelayPolicy = "slow"
    max_pages: int | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise ConfigError("rate must be above 0 requests a second; leave it out for no limit")
        if self.concurrency is not None and self.concurrency < 1:
            raise ConfigError("concurrency must be at least 1")
        if self.max_pages is not None and self.max_pages < 0:
            raise ConfigError("max_pages_per_host must not be negative")
        if not (0 <= self.max_retry_after < math.inf and 0 <= self.max_crawl_delay < math.inf):
            raise ConfigError("max_retry_after and max_crawl_delay must be lengths of time")


class HostGate:
    """All politeness towards one host.

    Call `on_start` when a request is sent and `on_finish` once for each of them, however it ended. Instants are epoch
    seconds; `now` never steps back.
    """

    __slots__ = (
        "_breaker",
        "_cap",
        "_crawl_delay",
        "_finishing",
        "_holding",
        "_pages",
        "_rate",
        "_rules",
        "_slow_down",
        "_starting",
        "_throttle",
        "host",
    )

    def __init__(self, settings: GateSettings, host: str) -> None:
        self.host = host
        self._rate = RateLimiter(1.0 / settings.rate if settings.rate else 0.0)
        self._cap = ConcurrencyLimit(settings.concurrency)
        self._crawl_delay = CrawlDelay(host, settings.max_crawl_delay, settings.long_crawl_delay)
        self._throttle = Throttle(settings.concurrency) if settings.adaptive else None
        self._slow_down = HostBackoff(host, settings.max_retry_after)
        self._breaker = CircuitBreaker(settings.breaker, host) if settings.breaker else None
        self._pages = PageBudget(host, settings.max_pages)
        # Of two rules with the same instant the one that stands first is named as the reason.
        rules: tuple[HostRule | None, ...] = (
            self._pages,
            self._breaker,
            self._slow_down,
            self._crawl_delay,
            self._throttle,
            self._rate,
            self._cap,
        )
        self._rules = tuple(rule for rule in rules if rule is not None)
        # Those that have something to do then: most hosts have no rate and no budget, and all this is for each request.
        unlimited: list[HostRule] = [] if settings.rate else [self._rate]
        self._starting = [rule for rule in self._rules if rule not in (self._slow_down, *unlimited)]
        self._finishing = [rule for rule in self._rules if rule is not self._rate]
        if settings.max_pages is None:
            unlimited.append(self._pages)
        self._holding = [rule for rule in self._rules if rule not in unlimited]

    def on_start(self, now: float) -> float:
        """A request is being sent; return the instant from which the host may be asked again."""
        for rule in self._starting:
            rule.on_start(now)
        return self.ready_at()

    def on_finish(self, outcome: Outcome, now: float, rng: random.Random, loop_lag: float = 0.0) -> tuple[Event, ...]:
        """A request ended; return what is worth telling.

        `loop_lag` is how late (seconds) the event loop ran its callbacks of late. The probe of a breaker is told
        with its return, as a start has no way to tell.
        """
        told: tuple[Event, ...] = ()
        for rule in self._finishing:
            if events := rule.on_finish(outcome, now, rng, loop_lag):
                told += events
        return told

    def on_replace(
        self, outcome: Outcome, now: float, rng: random.Random, loop_lag: float = 0.0
    ) -> tuple[Event, ...] | None:
        """A request has ended well, and who sent it wants to send another one in its place at once.

        Return what is worth telling when that is done; None when the host must be left alone for now, and then the
        first one still counts as under way.
        """
        pacing = (self._slow_down, self._crawl_delay, self._throttle, self._rate)
        held = any(rule is not None and rule.ready_at() > now for rule in pacing)
        if held or self.breaker_state not in (BreakerState.CLOSED.value, BreakerState.HALF_OPEN.value):
            return None
        told = self.on_finish(outcome, now, rng, loop_lag)
        self.on_start(now)
        return told

    def ready_at(self) -> float:
        """The instant from which the host may be asked: the latest of all rules, `math.inf` until something changes."""
        latest = 0.0
        for rule in self._holding:
            instant = rule.ready_at()
            if instant > latest:
                latest = instant
        return latest

    def wait_reason(self, now: float) -> str:
        """What holds the host back, and for how long; empty when it may be asked at `now`."""
        rule = max(self._rules, key=lambda rule: rule.ready_at())
        wait = rule.ready_at() - now
        if wait <= 0:
            return ""
        return rule.wait_reason() if wait == math.inf else f"{rule.wait_reason()} (for another {format_duration(wait)})"

    def set_crawl_delay(self, seconds: float | None, now: float) -> tuple[Event, ...]:
        """Take over what robots.txt asks for, None for nothing; return what is worth telling."""
        return self._crawl_delay.set_delay(seconds, now)

    @property
    def delay_seconds(self) -> float:
        """Seconds between starts, as things stand."""
        throttle = self._throttle.delay_seconds if self._throttle else 0.0
        return max(self._rate.interval_seconds, self._crawl_delay.seconds, throttle)

    @property
    def crawl_delay(self) -> float | None:
        """Seconds between requests that robots.txt asks for, or None."""
        return self._crawl_delay.seconds or None

    @property
    def breaker_state(self) -> str:
        """The breaker's state in a word: closed, open, half-open or blocked; a dead host's is open."""
        if self._breaker is None:
            return BreakerState.CLOSED.value
        return (BreakerState.OPEN if self._breaker.dead else self._breaker.state).value

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return self._cap.in_flight

    @property
    def pages(self) -> int:
        """Pages the host has given, as far as they count towards `max_pages`."""
        return self._pages.pages

    @property
    def dead(self) -> bool:
        """The host was given up: it did not recover, however often it was tried."""
        return self._breaker is not None and self._breaker.dead

    @property
    def budget_used(self) -> bool:
        """The host has given `max_pages` pages."""
        return self._pages.used_up

    @property
    def gave_up_reason(self) -> str:
        """Why the host will not be asked again in this run, in a word; empty while it may be.

        One of `host_dead`, `blocked`, `max_pages_per_host`, `crawl_delay`.
        """
        if self.budget_used:
            return "max_pages_per_host"
        if self._crawl_delay.skips_host:
            return "crawl_delay"
        if self._breaker is not None and self._breaker.dead:
            return "host_dead"
        return "blocked" if self._breaker is not None and self._breaker.blocked else ""

    def is_unhealthy(self, now: float) -> bool:
        """It is not for others' turns that the host must wait: it fails, refuses us, or has asked for a wait."""
        return (
            bool(self.gave_up_reason)
            or self.breaker_state != BreakerState.CLOSED.value
            or self._slow_down.ready_at() > now
        )

    def deferred(self, now: float) -> bool:
        """The host asked for a wait longer than `max_retry_after`, and it is not over."""
        return self._slow_down.deferred(now)

    def reset_given_up(self, now: float) -> None:
        """Let a dead or blocked host be probed again from `now`: what a new run does."""
        if self._breaker is not None:
            self._breaker.reset_given_up(now)

    def to_json(self) -> str:
        """What must survive the process, as compact JSON."""
        states = {rule.name: state for rule in self._rules if (state := rule.dump_state()) is not None}
        return orjson.dumps({"v": STATE_VERSION, **states}).decode()

    @classmethod
    def from_json(cls, settings: GateSettings, host: str, stored: str) -> HostGate:
        """A gate that remembers what `note` holds. Junk, and what an unknown version wrote, is forgotten."""
        gate = cls(settings, host)
        try:
            raw = orjson.loads(stored)
        except orjson.JSONDecodeError:
            return gate
        if isinstance(raw, dict) and raw.get("v") == STATE_VERSION:
            for rule in gate._rules:
                rule.load_state(raw.get(rule.name))
        return gate
