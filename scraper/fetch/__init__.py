"""Asking for a URL: the port and everything HTTP.

`FastTransport` is of use on its own: `httpx.AsyncClient(transport=scraper.fetch.FastTransport())`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scraper.fetch.guard import AddressGuard
    from scraper.fetch.limits import Timeouts, TransportSettings
    from scraper.fetch.transport import FastTransport

__all__ = ["AddressGuard", "FastTransport", "Timeouts", "TransportSettings"]

_MODULE_OF = {
    "AddressGuard": "scraper.fetch.guard",
    "FastTransport": "scraper.fetch.transport",
    "Timeouts": "scraper.fetch.limits",
    "TransportSettings": "scraper.fetch.limits",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'scraper.fetch' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)
