"""Endless sites: a crawl ends by a rule, reports it, and can be configured to continue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply, Route
from tests.hostile.crawl_process import crawl


@dataclass(frozen=True)
class Trap:
    """An endless site; `links` makes the links of a page from its target. `rule` is what ends the crawl."""

    links: Callable[[str], list[str]]
    rule: str
    sets: tuple[str, ...] = ()
    most: int = 40


def calendar(target: str) -> list[str]:
    """The next day, as a path below this one."""
    return [f"{target.rstrip('/')}/{len(target):02d}"]


def growing(_: str) -> list[str]:
    """A relative link that should have been absolute."""
    return ["a/b/"]


def queries(target: str) -> list[str]:
    """One filter more."""
    count = target.count("=")
    return [f"{target}{'&' if count else '?'}f{count}=1"]


def long(target: str) -> list[str]:
    """A longer state each time."""
    return [f"/?s={'x' * (len(target) * 2)}"]


def sessions(target: str) -> list[str]:
    """The same page under a new session id, in the query and in the path."""
    number = sum(target.encode()) * 7 % 100_000
    return [f"/?PHPSESSID={number}", f"/page;jsessionid={number}AB?x=1"]


def deep(target: str) -> list[str]:
    """The next page of a list that has no last one."""
    return [f"/?page={int(target.partition('=')[2] or 0) + 1}"]


def months(target: str) -> list[str]:
    """The month before and the month after, for ever."""
    if target == "/":
        return ["/cal/2024-01"]
    year, month = map(int, target.removeprefix("/cal/").split("-"))
    return [f"/cal/{number // 12}-{number % 12 + 1:02}" for number in (year * 12 + month - 2, year * 12 + month)]


def facets(target: str) -> list[str]:
    """Every combination of six filters, in every order."""
    path, _, query = target.partition("?")
    chosen = query.split("&") if query else []
    free = [name for name in "abcdef" if not any(one.startswith(f"{name}=") for one in chosen)]
    return [f"/list?{'&'.join([*chosen, f'{name}={value}'])}" for name in free for value in (1, 2, 3)]


def no_scheme(target: str) -> list[str]:
    """Names of hosts without `//`, each relative to a page that answers under any path."""
    return [f"{target.rstrip('/')}/http:/{host}.example" for host in ("one", "two", "three")]


UNPRODUCTIVE = "scope.traps={max_unproductive: 10}"

TRAPS = {
    "months": Trap(months, "traps.max_unproductive: 10 ({site}/cal/{{date}})", (UNPRODUCTIVE,)),
    "facets": Trap(facets, "traps.max_unproductive: 10 ({site}/list?a&b&c)", (UNPRODUCTIVE,), most=600),
    "no-scheme": Trap(no_scheme, "traps.max_unproductive: 10 ({site}/http:/...)", (UNPRODUCTIVE,)),
    "calendar": Trap(calendar, "traps.max_segments: 16"),
    "growing-path": Trap(growing, "traps.max_repeats: 2"),
    "filters": Trap(queries, "traps.max_params: 10"),
    "state": Trap(long, "traps.max_length: 2048"),
    "pages": Trap(deep, "scope.max_depth: 20", ("scope.max_depth=20",)),
}


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
async def test_a_trap_ends_by_a_rule_that_is_reported(tmp_path: Path, trap: Trap) -> None:
    """The crawl finishes, and skipped.jsonl names the limit that ended it."""
    async with LocalServer({"*": _serving(trap)}) as site:
        run = await crawl(tmp_path, [site.url("/")], *trap.sets)
    assert run.code == 0
    assert 2 < len(run.pages) <= trap.most
    assert trap.rule.format(site=site.url("")) in {line["rule"] for line in run.skipped}
    assert all(line["parent"] and line["reason"] in ("trap", "depth") for line in run.skipped)


async def test_a_resumed_crawl_knows_which_patterns_brought_nothing(tmp_path: Path) -> None:
    """It ends after the few pages that tell it again what they contain, not after another streak."""
    async with LocalServer({"*": _serving(TRAPS["months"])}) as site:
        sets = ("scope.traps={max_unproductive: 40}", "politeness.per_host={rate: unlimited, concurrency: 1}")
        first = await crawl(tmp_path, [site.url("/")], *sets, "limits.max_pages=35")
        assert len(first.pages) == 35
        second = await crawl(tmp_path, [site.url("/")], *sets, "limits.max_pages=400")
    assert second.code == 0
    assert "trap" in {line["reason"] for line in second.skipped}
    assert len(second.pages) < 35 + 30
    assert b"page after page brings nothing new" in second.screen


@pytest.mark.parametrize("name", ["calendar", "growing-path", "filters"])
async def test_a_trap_can_be_allowed(tmp_path: Path, name: str) -> None:
    """URLs that match `scope.traps.allow` are no trap; the page budget ends the crawl then."""
    async with LocalServer({"*": _serving(TRAPS[name])}) as site:
        run = await crawl(tmp_path, [site.url("/")], "scope.traps={allow: ['127']}", "limits.max_pages=50")
    assert run.code == 0
    assert len(run.pages) == 50
    assert "trap" not in {line["reason"] for line in run.skipped}


async def test_session_ids_are_stripped_from_the_identity(tmp_path: Path) -> None:
    """One page under any number of session ids is asked for once, also where the id stands in the path."""
    async with LocalServer({"*": _serving(Trap(sessions, ""))}) as site:
        run = await crawl(tmp_path, [site.url("/")], "limits.max_pages=50")
    assert run.code == 0
    assert len(run.pages) == 2


def _serving(trap: Trap) -> Callable[[ReceivedRequest], Awaitable[Route]]:
    async def page(asked: ReceivedRequest) -> Reply:
        return Reply(200, "".join(f"<a href='{link}'>on</a>" for link in trap.links(asked.target)).encode())

    return page
