"""The feeds that a page links to."""

from __future__ import annotations

from scraper.explain.scaffold.feeds_and_sitemaps import find_feeds
from tests.explain.scaffold.proposals import document


def test_a_pages_feeds_are_found() -> None:
    """RSS, Atom and JSON feeds, each address once; other alternates are none."""
    head = "".join(
        f'<link rel="{rel}" type="{kind}" href="{href}">'
        for rel, kind, href in (
            ("Alternate", "application/rss+xml; charset=utf-8", "/feed"),
            ("alternate", "application/rss+xml", "/feed"),
            ("alternate", "application/atom+xml", "/atom"),
            ("alternate", "application/json", "/wp-json/page"),
            ("alternate", "application/feed+json", "/feed.json"),
            ("alternate", "text/html", "/de"),
        )
    )
    lines = [(lead.url.target, lead.description) for lead in find_feeds(document(head))]
    json_feed = "JSON feed: `scrape init` on it writes rules for it"
    assert lines == [
        ("/feed", "RSS feed: not read"), ("/atom", "Atom feed: not read"), ("/feed.json", json_feed),
    ]  # fmt: skip
