from __future__ import annotations

import socket

import pytest

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


def test_the_number_of_requests_is_shown() -> None:
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
