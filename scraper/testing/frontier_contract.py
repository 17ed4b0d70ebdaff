"""The conformance suite for frontiers, to be run by pytest with `asyncio_mode = "auto"`.

Subclass what applies, name the class `Test...`, and say how to open your store:

    class TestMyFrontier(DurableFrontierContract, FrontierViewContract):
        @asynccontextmanager
        async def open_frontier(self, folder):
            frontier = await MyFrontier.open(folder / "state")
            try:
                yield frontier
            finally:
                await frontier.aclose()

`FrontierContract` is for every frontier, `DurableFrontierContract` adds what one that survives its process must do,
`FrontierViewContract` the port `FrontierView`. Nothing here sleeps: instants are arguments.
"""

from __future__ import annotations

from scraper.testing.frontier_suite_basic import FrontierContract
from scraper.testing.frontier_suite_durable import DurableFrontierContract, FrontierViewContract
from scraper.testing.frontier_suite_steps import (
    NOW,
    FrontierSuite,
    drain_host,
    full_request,
    make_post,
    make_request,
    make_settlement,
    make_url,
    take_hrefs,
    take_leases,
)

__all__ = [
    "NOW",
    "DurableFrontierContract",
    "FrontierContract",
    "FrontierSuite",
    "FrontierViewContract",
    "drain_host",
    "full_request",
    "make_post",
    "make_request",
    "make_settlement",
    "make_url",
    "take_hrefs",
    "take_leases",
]
