"""Which politeness settings hold for which host."""

from __future__ import annotations

import pytest

from scraper.errors import ConfigError
from scraper.politeness.circuit_breaker import BreakerSettings
from scraper.politeness.host_gate import GateSettings
from scraper.politeness.host_overrides import HostOverride, PolitenessSettings

SETTINGS = PolitenessSettings(
    GateSettings(),
    {
        "*": HostOverride(rate=1.0),
        "*.example.org": HostOverride(rate=3.0),
        "*.api.example.org": HostOverride(rate=4.0),
        "API.example.org": HostOverride(rate=5.0),
        "example.net:8080": HostOverride(rate=6.0),
        "example.net": HostOverride(rate=7.0),
        "[::1]": HostOverride(rate=8.0),
        "node?.example.com": HostOverride(rate=9.0),
    },
)

HOSTS = [
    ("anything.test", 1.0),
    ("example.org", 1.0),
    ("www.example.org", 3.0),
    ("www.example.org:8443", 3.0),
    ("v2.api.example.org", 4.0),
    ("api.example.org", 5.0),
    ("example.net:8080", 6.0),
    ("example.net:9090", 7.0),
    ("example.net", 7.0),
    ("[::1]:8000", 8.0),
    ("node7.example.com", 9.0),
    ("node77.example.com", 1.0),
    ("notexample.org", 1.0),
    ("www.example.org.evil.test", 1.0),
]


@pytest.mark.parametrize(("host", "rate"), HOSTS, ids=[row[0] for row in HOSTS])
def test_the_most_specific_pattern_alone_applies(host: str, rate: float) -> None:
    """A full name before wildcards, then more literal characters; a pattern without a port means any."""
    assert SETTINGS.for_host(host).rate == rate


def test_an_overlay_changes_what_it_names_and_nothing_else() -> None:
    """None is "no limit" and is not the same as not naming a field."""
    settings = PolitenessSettings(GateSettings(rate=2.0, concurrency=4), {"a.test": HostOverride(rate=None)})
    assert settings.for_host("a.test") == GateSettings(rate=None, concurrency=4)
    assert settings.for_host("b.test") == GateSettings(rate=2.0, concurrency=4)


def test_a_crawl_is_polite_by_default() -> None:
    """The defaults that a user gets who configures nothing."""
    assert PolitenessSettings().for_host("h.example") == GateSettings(
        rate=2.0,
        concurrency=4,
        adaptive=True,
        breaker=BreakerSettings(failures=6, ratio=0.8, window=20, open=60, max_open=3600),
        max_retry_after=3600,
        max_crawl_delay=30,
        long_crawl_delay="slow",
        max_pages=None,
    )


def test_a_nonsensical_overlay_is_found_at_once() -> None:
    """Not when the first URL of such a host comes up hours later."""
    with pytest.raises(ConfigError):
        PolitenessSettings(hosts={"a.test": HostOverride(rate=-1)})


@pytest.mark.parametrize(
    "wrong",
    [{"rate": 0}, {"rate": float("inf")}, {"concurrency": 0}, {"max_pages": -1}, {"max_retry_after": float("nan")}],
    ids=str,
)
def test_gate_settings_without_sense_are_refused(wrong: dict[str, float]) -> None:
    """A rate of zero is a mistake and not "never"."""
    with pytest.raises(ConfigError):
        GateSettings(**wrong)  # type: ignore[arg-type]
