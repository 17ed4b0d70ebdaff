"""scraper: a crawler and bulk downloader, polite by default, fast when allowed, resumable always."""

from __future__ import annotations

__version__ = "0.1.0"
