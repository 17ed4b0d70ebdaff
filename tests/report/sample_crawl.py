"""One crawl as its events: what the listeners' tests watch."""

from __future__ import annotations

from scraper.events import (
    BreakerClosed,
    BreakerHalfOpen,
    BreakerOpened,
    BytesReceived,
    CrawlEnded,
    CrawlStarted,
    Event,
    EventsLost,
    FetcherReplaced,
    FetchFinished,
    FetchStarted,
    HostParked,
    HostSample,
    ItemRejected,
    ItemWritten,
    PageSettled,
    QueuesSampled,
    RetryPlanned,
    RobotsFetched,
    Skipped,
    Warned,
)

T0 = 1_700_000_000.0
GOOD, SLOW = "good.example", "slow.example"
EVIL = "https://good.example/\x1b[31m\x1b]0;owned\x07[red]x[/red]\u202etxt.exe\r\nforged line"


def started(at: float = T0, **changes: object) -> CrawlStarted:
    values: dict[str, object] = {
        "name": "books",
        "folder": "out/books",
        "resumed": False,
        "known": 0,
        "waiting": 3,
        "concurrency": 64,
        "max_pages": None,
    }
    return CrawlStarted(at, **{**values, **changes})  # type: ignore[arg-type]


def finished(
    at: float, url: str, host: str = GOOD, status: int | None = 200, error: str | None = None, detail: str = ""
) -> FetchFinished:
    return FetchFinished(at, url, host, status, error, detail, 0.2, 30_000, "page")


def page(at: float, url: str, host: str = GOOD, outcome: str = "ok", items: int = 0) -> list[Event]:
    """A page that is fetched and settled."""
    status = int(outcome[5:]) if outcome.startswith("http_") else 200
    return [
        FetchStarted(at, url, host, 0, "fetcher-01"),
        finished(at + 0.2, url, host, status, "http" if status >= 400 else None),
        PageSettled(at + 0.3, url, host, outcome, 1, items, 4),
        *(ItemWritten(at + 0.3, url, 0) for _ in range(items)),
    ]


def sampled(at: float, *hosts: HostSample, waiting: int = 40, delayed: int = 2, in_flight: int = 5) -> QueuesSampled:
    return QueuesSampled(at, waiting, delayed, in_flight, 3, 0.002, hosts)


def host(at: float, name: str, breaker: str = "closed", wait: float = 0.0, waiting: int = 20) -> HostSample:
    return HostSample(at, name, waiting, 2, 0.5, at + wait, breaker)


def crawl() -> list[Event]:
    """Twenty seconds of a crawl in which nearly everything happens."""
    events: list[Event] = [
        started(),
        RobotsFetched(T0 + 0.1, f"https://{GOOD}", "rules", 1.5, ""),
        RobotsFetched(T0 + 0.2, f"https://{SLOW}", "unreachable", None, "timeout"),
    ]
    for second in range(20):
        events += page(T0 + second, f"https://{GOOD}/{second}.html", items=1)
        states = host(T0 + second, GOOD), host(T0 + second, SLOW, "open", 60.0, 9)
        events.append(sampled(T0 + second + 0.5, *states))
    events += page(T0 + 20.0, f"https://{GOOD}/gone.html", outcome="http_404")
    events += [
        FetchStarted(T0 + 20.1, f"https://{SLOW}/", SLOW, 0, "fetcher-02"),
        BytesReceived(T0 + 20.2, f"https://{SLOW}/", SLOW, 10_000, 30_000),
        finished(T0 + 20.3, f"https://{SLOW}/", SLOW, None, "timeout", "no answer in 30 s"),
        RetryPlanned(T0 + 20.3, f"https://{SLOW}/", SLOW, T0 + 22.3, 1, "timeout"),
        HostParked(T0 + 20.4, SLOW, T0 + 140.4, "Retry-After"),
        BreakerOpened(T0 + 20.5, SLOW, T0 + 80.5, "6 failures in a row", 1),
        BreakerHalfOpen(T0 + 20.6, SLOW),
        BreakerClosed(T0 + 20.7, SLOW),
        ItemRejected(T0 + 20.8, f"https://{GOOD}/3.html", "price", "not a decimal"),
        Skipped(T0 + 20.8, "https://other.example/", "scope", "mode: host"),
        FetcherReplaced(T0 + 20.9, "fetcher-07", EVIL, "KeyError: 'x'"),
        Warned(T0 + 21.0, f"a strange page: {EVIL}"),
        EventsLost(T0 + 21.1, 12),
        CrawlEnded(T0 + 21.2, "finished", ""),
    ]
    return events
