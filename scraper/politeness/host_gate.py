"""The one place where the rules about a host are combined: from which instant may it get the next request?

Each rule (`rule.PolitenessRule`) gives its own instant; the gate takes the latest. Nothing else calls a rule, and no
worker
ever sleeps for one: the frontier parks the host until then. To add a rule, write its file and add it to the tuple in
`HostGate.__init__`: starts, finishes, reasons, events and stored state follow from that.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import orjson

from scraper.errors import ConfigError
from scraper.events import Event
from scraper.model import ErrorKind, Failure, Outcome, Response
from scraper.politeness.circuit_breaker import BreakerSettings, BreakerState
from scraper.politeness.crawl_delay import CrawlDelay, LongDelayPolicy
from scraper.politeness.host_budget import PageBudget
from scraper.politeness.learned_pace import LearnedPace
from scraper.politeness.limits import ConcurrencyLimit, RateLimiter
from scraper.politeness.origin_health import OriginHealth, given_up_word
from scraper.politeness.retry_after import HostBackoff
from scraper.politeness.rule import PolitenessRule, format_duration
from scraper.politeness.throttle import AdaptiveThrottle

# Name under which the frontier stores a gate (`HostGate.to_json`) among the state of its host.
HOST_STATE_GATE = "gate"
# The version of the stored state: a state of another version is ignored.
STATE_VERSION = 1


@dataclass(frozen=True, slots=True)
class GateSettings:
    """The rules for one host. Raises `ConfigError` for values that make no sense.

    `rate` is starts per second and `concurrency` requests at once, None for no limit. `adaptive` slows down when the
    host does, `learn_pace` when it refuses requests. `max_retry_after` and `max_crawl_delay` are seconds;
    `long_crawl_delay` is what to do above the latter.
    `max_pages` limits the pages of this host.
    """

    rate: float | None = 2.0
    concurrency: int | None = 4
    adaptive: bool = True
    learn_pace: bool = True
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

    Call `on_start` when a request is sent, and `on_finish` once for each of them, however it ended. Instants are epoch
    seconds; `now` never steps back.
    """

    __slots__ = (
        "_backoff",
        "_concurrency",
        "_crawl_delay",
        "_has_breaker",
        "_health",
        "_limiting_rules",
        "_max_retry_after",
        "_pace",
        "_page_budget",
        "_rate",
        "_rules",
        "_rules_on_finish",
        "_rules_on_start",
        "_throttle",
        "host",
    )

    def __init__(self, settings: GateSettings, host: str) -> None:
        self.host = host
        self._rate = RateLimiter(1.0 / settings.rate if settings.rate else 0.0)
        self._concurrency = ConcurrencyLimit(settings.concurrency)
        self._crawl_delay = CrawlDelay(host, settings.max_crawl_delay, settings.long_crawl_delay)
        self._pace = LearnedPace(self._concurrency) if settings.learn_pace else None
        self._throttle = AdaptiveThrottle(settings.concurrency) if settings.adaptive else None
        self._backoff = HostBackoff(host, settings.max_retry_after)
        self._max_retry_after = settings.max_retry_after
        # Without a breaker it only knows which origins are in use.
        self._health = OriginHealth(settings.breaker, host)
        self._has_breaker = settings.breaker is not None
        self._page_budget = PageBudget(host, settings.max_pages)
        # The order matters: of two rules with the same instant the first one is named as the reason to wait.
        rules: tuple[PolitenessRule | None, ...] = (
            self._page_budget,
            self._health if self._has_breaker else None,
            self._backoff,
            self._crawl_delay,
            self._pace,
            self._throttle,
            self._rate,
            self._concurrency,
        )
        self._rules = tuple(rule for rule in rules if rule is not None)
        # The rules that have something to do at each step. All of this runs for every request, and most hosts have no
        # rate and no budget, so rules that cannot object are left out.
        unlimited: list[PolitenessRule] = [] if settings.rate else [self._rate]
        # The origins' health is told apart: it must know which origin a request is for.
        apart = (self._health, self._backoff, self._pace, *unlimited)
        self._rules_on_start = [rule for rule in self._rules if rule not in apart]
        self._rules_on_finish = [rule for rule in self._rules if rule not in (self._rate, self._pace)]
        if self._pace is not None:
            unlimited.append(self._pace)
        if settings.max_pages is None:
            unlimited.append(self._page_budget)
        self._limiting_rules = [rule for rule in self._rules if rule not in unlimited]

    def __repr__(self) -> str:
        gave_up = f", gave up: {self.gave_up_reason}" if self.gave_up_reason else ""
        return (
            f"<HostGate {self.host}: {self.in_flight} in flight, breaker {self.breaker_state}, "
            f"ready at {self.ready_at():.3f}{gave_up}>"
        )

    def on_start(self, now: float, origin: str = "") -> float:
        """A request is being sent; return the instant from which the host may get another one.

        `origin` (as `Url.origin`) is the one it is sent to; it may be left out while the host has one.
        """
        self._health.on_start(now, origin)
        for rule in self._rules_on_start:
            rule.on_start(now)
        return self.ready_at()

    def on_finish(self, outcome: Outcome, now: float, rng: random.Random, loop_lag: float = 0.0) -> tuple[Event, ...]:
        """A request ended; return the events to emit.

        `loop_lag` is how late (seconds) the event loop has recently run its callbacks. The start of a breaker's probe
        is among the events of its end, because `on_start` returns none.
        """
        emitted: tuple[Event, ...] = ()
        repeated: PolitenessRule | None = None
        if self._pace is not None:  # first: it looks at what is in flight, this request included
            if isinstance(outcome, Response) and outcome.status < 400:
                self._pace.on_accepted(now)
            elif self._learn(self._pace, outcome, now):
                repeated = self._health
        for rule in self._rules_on_finish:
            # One burst that was refused is one failure: the breaker hears of the first refusal, and of the others only
            # that they are over.
            told = outcome if rule is not repeated else Failure(outcome.request, ErrorKind.OTHER, "refused as well")
            if events := rule.on_finish(told, now, rng, loop_lag):
                emitted += events
        return emitted

    def _learn(self, pace: LearnedPace, outcome: Outcome, now: float) -> bool:
        """Learn from what is no success; return whether it belongs to an incident that has been counted."""
        repeated = pace.is_repeated(outcome, now)
        pace.on_finish(outcome, now)
        if pace.limits_host and pace not in self._limiting_rules:
            self._obey_pace(pace)
        return repeated

    def _obey_pace(self, pace: LearnedPace) -> None:
        # Not before it has something to say: nearly no host has a learned pace.
        self._limiting_rules.append(pace)
        self._rules_on_start.append(pace)

    def on_replace(
        self, outcome: Outcome, now: float, rng: random.Random, loop_lag: float = 0.0
    ) -> tuple[Event, ...] | None:
        """A request ended well, and its worker wants to send another one to this host at once.

        Return the events to emit when that is allowed: then the end of the first and the start of the second are
        counted. Return None when the host must be left alone for now: then nothing is counted, and the caller finishes
        the first one with `on_finish`.
        """
        # Concurrency and budget cannot object: one request goes, one comes. The pace may: it takes fewer at once now.
        pacing = (self._backoff, self._crawl_delay, self._throttle, self._rate)
        must_wait = any(rule is not None and rule.ready_at() > now for rule in pacing)
        must_wait = must_wait or (self._pace is not None and not self._pace.allows_replacement(now))
        origin = outcome.request.url.origin
        if must_wait or self.breaker_state_of(origin) not in (BreakerState.CLOSED.value, BreakerState.HALF_OPEN.value):
            return None
        events = self.on_finish(outcome, now, rng, loop_lag)
        self.on_start(now, origin)
        return events

    def ready_at(self) -> float:
        """The instant from which the host may get a request, `math.inf` until something changes."""
        latest = 0.0
        for rule in self._limiting_rules:
            instant = rule.ready_at()
            if instant > latest:
                latest = instant
        return latest

    def wait_reason(self, now: float) -> str:
        """What holds the host back, and for how long; empty when it may get a request at `now`."""
        rule = max(self._rules, key=lambda rule: rule.ready_at())
        wait = rule.ready_at() - now
        if wait <= 0:
            return ""
        return rule.wait_reason() if wait == math.inf else f"{rule.wait_reason()} (for another {format_duration(wait)})"

    def set_crawl_delay(self, seconds: float | None, now: float) -> tuple[Event, ...]:
        """Set the Crawl-delay of robots.txt, None for none; return the events to emit."""
        return self._crawl_delay.set_delay(seconds, now)

    @property
    def delay_seconds(self) -> float:
        """Seconds between starts at present: the longest of rate, Crawl-delay, learned pace and throttle."""
        throttle = self._throttle.delay_seconds if self._throttle else 0.0
        pace = self._pace.delay_seconds if self._pace else 0.0
        return max(self._rate.interval_seconds, self._crawl_delay.seconds, pace, throttle)

    @property
    def breaker_state(self) -> str:
        """The state of the worst origin's breaker: closed, open, half-open or blocked; that of a dead host is open."""
        return self._state_word(self._health.worst.state)

    def breaker_state_of(self, origin: str) -> str:
        """The state of one origin's breaker, in the words of `breaker_state`."""
        return self._state_word(self._health.of(origin).state)

    def _state_word(self, state: BreakerState) -> str:
        if not self._has_breaker:
            return BreakerState.CLOSED.value
        return (BreakerState.OPEN if state is BreakerState.DEAD else state).value

    @property
    def is_mixed(self) -> bool:
        """Both origins of the host, http and https, are in use: `ready_at` leaves out their health."""
        return self._health.is_mixed

    @property
    def origin(self) -> str:
        """The origin that was requested first; empty before that."""
        return self._health.origin

    def meet(self, origin: str) -> None:
        """Take note that there are requests for `origin`."""
        self._health.of(origin)

    def expect_other_origin(self) -> None:
        """Take note that there are requests for the host's other origin, of which none has been sent yet."""
        self._health.is_mixed = True

    def origin_ready_at(self, origin: str) -> float:
        """From when `origin` works well enough for a request; `math.inf` while it is probed, and when given up."""
        return self._health.ready_at_of(origin) if self._has_breaker else 0.0

    def has_answered(self, origin: str) -> bool:
        """Whether `origin` has responded before, if only with an error: then a failure is an outage."""
        return self._health.of(origin).answered

    @property
    def in_flight(self) -> int:
        """The number of requests in flight."""
        return self._concurrency.in_flight

    @property
    def budget_used(self) -> bool:
        """The host has given `max_pages` pages."""
        return self._page_budget.used_up

    @property
    def gave_up_reason(self) -> str:
        """Why the host gets no more requests in this run; empty while it may get some.

        One of `host_dead`, `blocked`, `max_pages_per_host`, `crawl_delay`.
        """
        if self.budget_used:
            return "max_pages_per_host"
        if self._crawl_delay.skips_host:
            return "crawl_delay"
        return self._health.given_up_reason if self._has_breaker else ""

    def gave_up_reason_of(self, origin: str) -> str:
        """Why `origin` gets no more requests in this run: `gave_up_reason` for the requests of one origin."""
        if not self.is_mixed or self.budget_used or self._crawl_delay.skips_host:
            return self.gave_up_reason
        return given_up_word(self._health.of(origin)) if self._has_breaker else ""

    def wait_reason_of(self, origin: str, now: float) -> str:
        """What holds `origin` back: `wait_reason` for the requests of one origin."""
        if self.is_mixed and self._has_breaker and self._health.ready_at_of(origin) > now:
            return self._health.of(origin).wait_reason()
        return self.wait_reason(now)

    def long_wait(self, now: float) -> str:
        """Why the host must be left alone for longer than `max_retry_after`, in words; empty if it need not.

        It asked for that with Retry-After or Crawl-delay. Such a host is asked again if the run is still on, and does
        not keep it open.
        """
        if self._backoff.exceeds_max and self._backoff.ready_at() > now:
            return self._backoff.wait_reason()
        delay = self._crawl_delay
        if delay.seconds > self._max_retry_after and now < delay.ready_at() < math.inf:
            return f"deferred: {delay.wait_reason()}"
        return ""

    def is_unhealthy(self, now: float) -> bool:
        """The host fails, refuses us or has asked for a wait: it waits for more than its regular pace."""
        return (
            bool(self.gave_up_reason)
            or self.breaker_state != BreakerState.CLOSED.value
            or self._backoff.ready_at() > now
        )

    def reset_given_up(self, now: float) -> None:
        """Let a dead or blocked host be probed again from `now` on: for a new run."""
        self._health.reset_given_up(now)

    def to_json(self) -> str:
        """What must survive the process, as compact JSON."""
        states = {rule.name: state for rule in self._rules if (state := rule.dump_state()) is not None}
        return orjson.dumps({"v": STATE_VERSION, **states}).decode()

    @classmethod
    def from_json(cls, settings: GateSettings, host: str, stored: str) -> HostGate:
        """A gate with the state that `to_json` returned. Junk and other versions are ignored: the gate is fresh."""
        gate = cls(settings, host)
        try:
            raw = orjson.loads(stored)
        except orjson.JSONDecodeError:
            return gate
        if isinstance(raw, dict) and raw.get("v") == STATE_VERSION:
            for rule in gate._rules:
                rule.load_state(raw.get(rule.name))
            if gate._pace is not None and gate._pace.limits_host:
                gate._obey_pace(gate._pace)
        return gate
