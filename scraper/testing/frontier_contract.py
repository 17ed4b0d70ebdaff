"""The frontier's conformance suite: a store is finished when it passes. Runs under pytest with `asyncio_mode = "auto"`.

Subclass what applies, name the class `Test...`, and say how to open your store:

    class TestMyFrontier(DurableFrontierContract, LedgerContract):
        @asynccontextmanager
        async def open_frontier(self, folder):
            frontier = await MyFrontier.open(folder / "state")
            try:
                yield frontier
            finally:
                await frontier.aclose()

`FrontierContract` is for every frontier, `DurableFrontierContract` adds what one that survives its process must do,
`LedgerContract` the port `Ledger`. Nothing here sleeps: instants are arguments.
"""

from __future__ import annotations

from scraper.testing.frontier_suite_basic import FrontierContract
from scraper.testing.frontier_suite_durable import DurableFrontierContract, LedgerContract
from scraper.testing.frontier_suite_steps import (
    NOW,
    LedgerFrontier,
    OpensFrontier,
    drain_host,
    hrefs,
    leases,
    make_post,
    make_request,
    make_url,
    rich_request,
    settled,
)

__all__ = [
    "NOW",
    "DurableFrontierContract",
    "FrontierContract",
    "LedgerContract",
    "LedgerFrontier",
    "OpensFrontier",
    "drain_host",
    "hrefs",
    "leases",
    "make_post",
    "make_request",
    "make_url",
    "rich_request",
    "settled",
]
