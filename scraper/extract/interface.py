"""The port for reading pages: a response in, links and items out."""

from __future__ import annotations

from typing import Protocol

from scraper.model import Extraction, Response


class Extractor(Protocol):
    """Finds links and items on a page. Synchronous, deterministic, and without I/O except reading the page's body."""

    def extract(self, page: Response) -> Extraction:
        """Read `page` and return its links and items.

        Never raises: what is wrong with the page or its values is in the result (`problem`, `field_errors`). The
        extractor must be picklable, because large pages are read in another process.
        """
        ...
