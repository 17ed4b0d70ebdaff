"""A redirect and its target are settled one after the other: what a kill between the two leaves is put right."""

from __future__ import annotations

from pathlib import Path

import pytest

from scraper.frontier.interface import Granted
from scraper.frontier.sqlite.frontier import SqliteFrontier
from scraper.model import Hop, Request
from scraper.testing.fakes import make_request
from scraper.testing.frontier_contract import make_post

A, B, C = "http://a.example/1", "http://b.example/2", "http://a.example/3"
ONE, TWO = make_post(A, b"1"), make_post(A, b"2")
SEEN = make_request(B, redirects=(Hop(A, 303),), posted_keys=(ONE.url.key,))
MOVED = make_post(B, b"1", redirects=(Hop(A, 307),), posted_keys=(ONE.url.key,))


async def reopen_and_drain(tmp_path: Path, *requests: Request) -> list[str]:
    """What waits after a process that queued `requests` was killed, and the next one has opened the frontier."""
    async with await SqliteFrontier.open(tmp_path / "frontier.sqlite") as frontier:
        assert await frontier.add(requests) == len(requests)
    async with await SqliteFrontier.open(tmp_path / "frontier.sqlite") as frontier:
        waiting = [request.url.href async for request in frontier.waiting()]
        assert frontier.depths().waiting == len(waiting)
        leased: list[str] = []
        while isinstance(answer := await frontier.lease(8, 0.0), Granted):
            leased += [lease.request.url.href for lease in answer.leases]
            for lease in answer.leases:
                frontier.park(lease.request.url.host, 0.0)
        assert sorted(leased) == sorted(waiting)
        return sorted(waiting)


@pytest.mark.parametrize(
    ("requests", "left"),
    [
        pytest.param([make_request(A), make_request(B, redirects=(Hop(A, 301),))], [B], id="the redirect goes"),
        pytest.param(
            [make_request(B, redirects=(Hop(A, 301),)), make_request(C, redirects=(Hop(A, 301), Hop(B, 302)))],
            [C],
            id="one in the middle of a chain goes",
        ),
        pytest.param(
            [make_request(A, redirects=(Hop(C, 302),)), make_request(B, redirects=(Hop(A, 301),))],
            [A, B],
            id="one with a chain of its own stays",
        ),
        pytest.param([make_request(A), make_request(C)], [A, C], id="what was not redirected stays"),
        pytest.param(
            [ONE, TWO, make_request(A), SEEN], [A, A, B], id="of several POSTs the one that was redirected goes"
        ),
        pytest.param([ONE, TWO, make_request(A), MOVED], [A, A, B], id="also when the target is posted to"),
        pytest.param([ONE, make_request(A), make_request(B, redirects=(Hop(A, 301),))], [A, B], id="a POST is no GET"),
    ],
)
async def test_a_redirect_whose_target_waits_is_done(tmp_path: Path, requests: list[Request], left: list[str]) -> None:
    """It leaves the queue when the frontier is opened, for its target's record speaks for both; nothing else does."""
    assert await reopen_and_drain(tmp_path, *requests) == left


async def test_many_redirects(tmp_path: Path) -> None:
    """Of more redirects than one statement takes the newest are looked at: those of the last group are among them."""
    old = [make_request(f"http://a.example/t{n}", redirects=(Hop(f"http://a.example/s{n}", 301),)) for n in range(600)]
    last = [make_request(f"http://a.example/s{n}") for n in range(536, 600)]
    assert len(await reopen_and_drain(tmp_path, *last, *old)) == 600
