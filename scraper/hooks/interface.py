"""The port for user code that may change what a crawl does. Listeners only watch: see events.py."""

from __future__ import annotations

from collections.abc import Awaitable

from scraper.model import Item, Request, Response


class Hook:
    """Override what you need; every method may be a plain or an async function.

    An exception in a hook is recorded on its URL (`error: other`, with the hook's name) and the crawl goes on.
    """

    def on_request(self, request: Request) -> Request | Awaitable[Request | None] | None:
        """Before a request is sent; return it (changed or not), or None to skip the URL.

        What is asked stays: URL, `method` and `content` are those of the entry, whatever is returned.
        """
        return request

    def on_page(self, page: Response) -> Response | Awaitable[Response | None] | None:
        """When a response is complete; return it (changed or not), or None to record it without extracting."""
        return page

    def on_item(self, item: Item, page: Response) -> Item | Awaitable[Item | None] | None:
        """For every item extracted; return it (changed or not), or None to drop it."""
        return item
