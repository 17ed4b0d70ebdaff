"""The interface for user code that may change what a crawl does. Listeners only observe: see events.py."""

from __future__ import annotations

from collections.abc import Awaitable

from scraper.model import Item, Request, Response


class Hook:
    """Override the methods you need; each may be a plain or an async function.

    An exception in a hook is recorded on its URL (`error: other`, with the hook's name), and the crawl goes on. A
    method that looks like one of these and is not (`on_respnse`) is an error when the hook is loaded.
    """

    def on_request(self, request: Request) -> Request | Awaitable[Request | None] | None:
        """Before a request is sent; return it (changed or not), or None to skip the URL.

        A hook cannot change what is requested: URL, `method` and `content` stay those of the frontier's entry, whatever
        is returned.
        """
        return request

    def on_response(self, page: Response) -> Response | Awaitable[Response | None] | None:
        """When a response is complete; return it (changed or not), or None to record it without extracting.

        Called for responses of pages and sitemaps with a status below 300, not for robots.txt and files.
        """
        return page

    def on_item(self, item: Item, page: Response) -> Item | Awaitable[Item | None] | None:
        """For every item extracted from `page`; return it (changed or not), or None to drop it."""
        return item
