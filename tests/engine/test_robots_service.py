"""robots.txt in a running engine: checked at every lease, fetched once, remembered over sessions."""

from __future__ import annotations

import pytest

from scraper.engine.robots_service import (
    EARLY_RETRY_SECONDS,
    Allowed,
    Deferred,
    Disallowed,
    RobotsNeeded,
    RobotsService,
)
from scraper.engine.settings import EngineSettings
from scraper.events import RobotsFetched
from scraper.model import ErrorKind, Priority
from scraper.politeness.host_gate import HOST_STATE_GATE
from scraper.politeness.robots_cache import HOST_STATE_ROBOTS, RobotsSettings
from scraper.testing.fakes import FakeFetcher, fail_with, make_request, redirect_to, with_status
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EPOCH
from tests.engine.parts import A, B, Parts

ROBOTS_URL = f"{A}/robots.txt"


def make_service(parts: Parts, answer: object) -> tuple[RobotsService, FakeFetcher]:
    fetcher = FakeFetcher({ROBOTS_URL: answer, f"{B}/robots.txt": "User-agent: *\nDisallow: /b"})  # type: ignore[dict-item]
    return RobotsService(parts.context, fetcher), fetcher


def obeying(sitemaps: bool = False) -> Parts:
    return Parts(robots=RobotsSettings(policy="obey"), settings=EngineSettings(sitemaps=sitemaps, concurrency=4))


@virtual_run
async def test_rules_are_fetched_once_and_checked_for_each_request() -> None:
    """Before that, they are needed; afterwards the host is open again."""
    parts = obeying()
    lease = await parts.lease(f"{A}/1")
    service, fetcher = make_service(parts, "User-agent: *\nDisallow: /no")
    assert service.check(lease.request, None, EPOCH) == RobotsNeeded()
    state = await service.fetch(lease)
    assert service.check(lease.request, None, EPOCH) == Allowed()
    refused = service.check(make_request(f"{A}/no"), None, EPOCH)
    assert isinstance(refused, Disallowed)
    assert set(state["a.example"]) == {HOST_STATE_GATE, HOST_STATE_ROBOTS + A}
    assert parts.frontier.parked == [("a.example", 0.0)]
    assert fetcher.urls() == [ROBOTS_URL]


@virtual_run
async def test_a_later_session_needs_no_fetch() -> None:
    """The rules come with the first lease of their host."""
    parts = obeying()
    lease = await parts.lease(f"{A}/1")
    service, _ = make_service(parts, "User-agent: *\nDisallow: /no")
    state = await service.fetch(lease)
    later, fetcher = make_service(obeying(), "")
    assert isinstance(later.check(make_request(f"{A}/no"), state["a.example"], EPOCH + 60), Disallowed)
    assert fetcher.urls() == []


@virtual_run
async def test_redirects_are_followed_to_other_hosts() -> None:
    """The rules found there are those of the origin asked first (RFC 9309 section 2.3.1.2)."""
    parts = obeying()
    lease = await parts.lease(f"{A}/b")
    service, _ = make_service(parts, redirect_to(f"{B}/robots.txt"))
    await service.fetch(lease)
    assert isinstance(service.check(lease.request, None, EPOCH), Disallowed)


@pytest.mark.parametrize("answer", [with_status(503), fail_with(ErrorKind.TIMEOUT)], ids=["503", "timeout"])
@virtual_run
async def test_an_unreachable_robots_txt_defers_its_host(answer: object) -> None:
    """For a few seconds first; after `robots_attempts` failures the host does not keep the run open."""
    parts = obeying()
    lease = await parts.lease(f"{A}/1")
    service, _ = make_service(parts, answer)
    await service.fetch(lease)
    until = parts.clock.now() + EARLY_RETRY_SECONDS[0]
    assert service.check(lease.request, None, parts.clock.now()) == Deferred(pytest.approx(until))  # type: ignore[arg-type]
    host, parked_until = parts.frontier.parked[-1]
    assert (host, round(parked_until - until, 6)) == ("a.example", 0.0)
    assert parts.state.robots_unreachable == {}
    for _ in range(parts.settings.robots_attempts - 1):
        await service.fetch(lease)
    assert set(parts.state.robots_unreachable) == {A}
    (event, *_) = parts.bus.of(RobotsFetched)
    assert isinstance(event, RobotsFetched)
    assert event.outcome == "unreachable"


@pytest.mark.parametrize(
    ("text", "depth", "names"),
    [
        ("Sitemap: http://a.example/one.xml\nSitemap: http://b.example/two.xml", 0, [f"{A}/one.xml", f"{B}/two.xml"]),
        ("Sitemap: /maps/all.xml\nSitemap: //b.example/x.xml", 0, [f"{A}/maps/all.xml", f"{B}/x.xml"]),
        ("", 0, [f"{A}/sitemap.xml", f"{A}/sitemap_index.xml", f"{A}/sitemap.txt"]),
        ("", 1, []),
    ],
    ids=["named", "named by a path", "default paths of a seed", "none beyond seeds"],
)
@virtual_run
async def test_sitemaps_are_queued_before_pages(text: str, depth: int, names: list[str]) -> None:
    """Those that robots.txt names; without any, the default paths on the origin of a seed."""
    parts = obeying(sitemaps=True)
    lease = await parts.lease(f"{A}/1", depth=depth)
    service, _ = make_service(parts, text)
    await service.fetch(lease)
    queued = [request async for request in parts.frontier.waiting()]
    assert sorted(request.url.href for request in queued) == sorted(names)
    assert all((request.kind, request.priority) == ("sitemap", Priority.SITEMAP) for request in queued)
