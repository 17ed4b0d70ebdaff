"""An HTTP/1.1 transport for httpx.

It is of use on its own: `httpx.AsyncClient(transport=scraper.transport.FastTransport())`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scraper.transport.address_guard import AddressGuard
    from scraper.transport.fast_transport import FastTransport
    from scraper.transport.settings import Timeouts, TransportSettings

__all__ = ["AddressGuard", "FastTransport", "Timeouts", "TransportSettings"]

# Imported on first use: commands that send no request start without httpx and asyncio.
_MODULE_OF = {
    "AddressGuard": "scraper.transport.address_guard",
    "FastTransport": "scraper.transport.fast_transport",
    "Timeouts": "scraper.transport.settings",
    "TransportSettings": "scraper.transport.settings",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'scraper.transport' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)
