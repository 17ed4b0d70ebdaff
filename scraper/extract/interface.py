"""The port for reading a page: bytes in, links and items out."""

from __future__ import annotations

from typing import Protocol

from scraper.model import Extraction, Response


class Extractor(Protocol):
    """Finds links and items on a page. Synchronous, deterministic, without I/O but the page's own body."""

    def extract(self, page: Response) -> Extraction:
        """Read `page`; return what it holds.

        What is wrong with the page or its values is in the harvest (`rejected`, `problem`), never raised.
        Must be picklable as an object, so that large pages can be read in another process.
        """
        ...
