from __future__ import annotations

import socket
from typing import Any

import pytest

from scraper.bench.measure.plan import BenchPlan, parse_latency, parse_levels
from scraper.bench.run_own_urls import (
    NothingFetchedError,
    OwnUrlsPlan,
    bench_own_urls,
    parse_rate_option,
    read_url_list,
)
from scraper.errors import ConfigError


def plan(*urls: str, **values: float) -> OwnUrlsPlan:
    return OwnUrlsPlan(read_url_list(urls, "list"), **values)  # type: ignore[arg-type]


def test_a_list_is_read_line_by_line() -> None:
    """Comments, empty lines and repeated URLs are passed over."""
    found = read_url_list(
        ["# mine", "", " https://a.example/x ", "https://a.example/x#top", "http://b.example"], "list"
    )
    assert [url.href for url in found] == ["https://a.example/x", "http://b.example/"]


def test_a_line_that_is_no_url_is_named() -> None:
    """The sentence has the file and the line."""
    with pytest.raises(ConfigError, match="list:2: 'books'"):
        read_url_list(["https://a.example/", "books"], "list")


@pytest.mark.parametrize("lines", [[], ["# nothing", ""]], ids=["empty", "comments"])
def test_an_empty_list_is_refused(lines: list[str]) -> None:
    """There is nothing to measure."""
    with pytest.raises(ConfigError, match="holds no URL"):
        OwnUrlsPlan(read_url_list(lines, "list"))


@pytest.mark.parametrize(
    ("urls", "values", "asks"),
    [
        (10, {}, False),
        (49, {}, False),
        (51, {}, True),
        (2, {"rate": 1.5}, True),
        (20, {"repeat": 3}, True),
    ],
    ids=["few", "just-within", "many", "fast", "repeated"],
)
def test_much_is_not_asked_without_leave(urls: int, values: dict[str, float], asks: bool) -> None:
    """Above 200 requests, or one a second to a host, the user must agree."""
    assert plan(*(f"https://a.example/{n}" for n in range(urls)), **values).needs_confirmation is asks


@pytest.mark.parametrize("values", [{"rate": 50.0}, {"per_host": 30}], ids=["rate", "connections"])
def test_servers_of_others_are_never_overloaded(values: dict[str, float]) -> None:
    """Not even with leave; one's own machine may be."""
    with pytest.raises(ConfigError, match="must not overload"):
        plan("https://a.example/", **values)
    assert plan("http://127.0.0.1:8000/", "http://localhost/", **values).hosts == 2


def test_the_budget_is_told() -> None:
    """Every URL once at each level and once by the loop, robots.txt once a run; the fullest host decides how long."""
    found = plan("https://a.example/1", "https://a.example/2", "https://b.example/", levels=(1, 4), rate=2.0)  # type: ignore[arg-type]
    assert found.requests == 3 * 3 + 2 * 2
    assert found.seconds == pytest.approx(2 / 2.0 * 3)


@pytest.mark.parametrize("text", ["unlimited", "fast", "-1/s"])
def test_a_pace_is_a_limit(text: str) -> None:
    """A benchmark of other people's servers has one."""
    with pytest.raises(ConfigError, match="--rate"):
        parse_rate_option(text)


def test_paces() -> None:
    """They are written as in a config."""
    assert parse_rate_option("30/m") == 0.5


async def test_a_dead_server_is_a_sentence() -> None:
    """When no host can be reached nothing is asked for, and the exit code says so."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(NothingFetchedError, match="connection refused") as caught:
            await bench_own_urls(plan(f"http://127.0.0.1:{port}/"), lambda _: None, lambda _: None)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("text", "levels"), [("1,4,16", (1, 4, 16)), ("16, 4,4", (4, 16)), ("8", (8,))], ids=["plain", "sorted", "one"]
)
def test_levels(text: str, levels: tuple[int, ...]) -> None:
    """Levels rise and none is there twice."""
    assert parse_levels(text) == levels


@pytest.mark.parametrize("text", ["", "0", "-1", "a", "1,,2", "9999", ",".join(map(str, range(1, 40)))])
def test_levels_that_make_no_sense(text: str) -> None:
    """A bad number is a sentence that names the option."""
    with pytest.raises(ConfigError, match="--concurrency"):
        parse_levels(text)


@pytest.mark.parametrize(("text", "seconds"), [("50ms", 0.05), ("0.2s", 0.2), ("1", 1.0), ("0", 0.0)])
def test_latencies(text: str, seconds: float) -> None:
    """They have a unit or are seconds."""
    assert parse_latency(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "fast", "-5ms", "11s", "1e9", "50 min"])
def test_latencies_that_make_no_sense(text: str) -> None:
    """A bad duration is a sentence that names the option."""
    with pytest.raises(ConfigError, match="--latency"):
        parse_latency(text)


@pytest.mark.parametrize("values", [{"repeat": 0}, {"pages": 0}, {"port": 70_000}, {"latency": -1.0}])
def test_plans_that_make_no_sense(values: dict[str, Any]) -> None:
    """Every number of a plan has a range."""
    with pytest.raises(ConfigError, match="--"):
        BenchPlan(**values)


def test_a_measurement_has_enough_waves() -> None:
    """High concurrency needs many pages, a slow server few, and the user's bound holds."""
    short = BenchPlan(seconds=1.0)
    assert short.pages_at(1, 20.0) == 20
    assert short.pages_at(256, 300.0) == 6 * 256
    assert BenchPlan(pages=30).pages_at(256, 5000.0) == 30
