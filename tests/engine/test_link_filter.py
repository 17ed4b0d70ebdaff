"""Which links of a page are queued, which are recorded as skipped, and which are known already."""

from __future__ import annotations

from scraper.engine.link_filter import LinkFilter
from scraper.model import Extraction, Link, OutOfScope, Priority, Skip
from scraper.testing.fakes import make_request, make_url
from scraper.urls.progress import UrlProgress
from scraper.urls.traps import TrapSettings

A = "http://a.example"
PAGE = make_request(f"{A}/", depth=2)
DENIED = OutOfScope("scope", "other host")


def test_a_link_becomes_a_request_once() -> None:
    """One step deeper than its page, with that depth as its priority; not again from another page."""
    links = LinkFilter(10, 100)
    found = Extraction(links=(Link(make_url(f"{A}/1")), Link(make_url(f"{A}/2"))))
    requests, skips = links.select(PAGE, found)
    assert [(r.url.href, r.depth, r.priority, r.parent) for r in requests] == [
        (f"{A}/1", 3, 3, f"{A}/"),
        (f"{A}/2", 3, 3, f"{A}/"),
    ]
    assert skips == ()
    assert links.select(PAGE, found) == ((), ())


def test_a_denied_link_is_skipped_once() -> None:
    """With the reason; and not at all when an allowed link led there before."""
    links = LinkFilter(10, 100)
    allowed, denied = Link(make_url(f"{A}/1")), Link(make_url("http://b.example/"), DENIED)
    _, skips = links.select(PAGE, Extraction(links=(allowed, denied, allowed._replace(denied=DENIED))))
    assert skips == (Skip(denied.url, f"{A}/", "scope", "other host"),)
    assert links.select(PAGE, Extraction(links=(denied,))) == ((), ())


def test_a_link_that_was_skipped_may_be_allowed_later() -> None:
    """On another page another rule may decide."""
    links = LinkFilter(10, 100)
    url = make_url(f"{A}/deep")
    links.select(PAGE, Extraction(links=(Link(url, DENIED),)))
    requests, _ = links.select(PAGE, Extraction(links=(Link(url),)))
    assert [request.url for request in requests] == [url]


def test_what_a_rule_requests_goes_before_a_link_to_the_same_page() -> None:
    """It carries the label that chooses the rules."""
    wanted = make_request(f"{A}/1", label="product")
    requests, _ = LinkFilter(10, 100).select(PAGE, Extraction(links=(Link(wanted.url),), requests=(wanted,)))
    assert requests == (wanted,)


def test_files_and_sitemaps_go_first_and_have_the_depth_of_their_page() -> None:
    """They are no pages, so they do not count as a step."""
    found = Extraction(links=(Link(make_url(f"{A}/f"), kind="file"), Link(make_url(f"{A}/s"), kind="sitemap")))
    (file, sitemap), _ = LinkFilter(10, 100).select(PAGE, found)
    assert (file.kind, file.priority, file.depth, file.sitemap_depth) == ("file", Priority.FILE, 2, 0)
    assert (sitemap.kind, sitemap.priority, sitemap.depth, sitemap.sitemap_depth) == ("sitemap", Priority.SITEMAP, 2, 1)


def test_sitemaps_in_sitemaps_have_an_end() -> None:
    """One that is nested too deep is a skip; pages and files it names are not."""
    source = make_request(f"{A}/map.xml", kind="sitemap", sitemap_depth=2)
    found = Extraction(links=(Link(make_url(f"{A}/s"), kind="sitemap"), Link(make_url(f"{A}/p"))))
    requests, skips = LinkFilter(2, 100).select(source, found)
    assert [request.url.href for request in requests] == [f"{A}/p"]
    assert [(skip.url.href, skip.reason) for skip in skips] == [(f"{A}/s", "sitemap")]


def test_links_to_more_of_a_closed_pattern_are_skipped_until_a_better_page_has_them() -> None:
    """Recorded with rule and page, once; and queued when a page that brings something new names them."""
    links = LinkFilter(10, 100, UrlProgress(TrapSettings(max_unproductive=1)))

    def select(month: int, target: str, text: bytes) -> tuple[list[str], list[tuple[str, str, str]]]:
        page = make_request(f"{A}/cal/2024-{month:02}", parent=f"{A}/cal/2024-{month - 1:02}")
        requests, skips = links.select(page, Extraction(links=(Link(make_url(f"{A}{target}")),)), text)
        return [one.url.target for one in requests], [(one.url.target, one.reason, one.rule) for one in skips]

    rule = f"traps.max_unproductive: 1 ({A}/cal/{{date}})"
    assert select(2, "/cal/2024-03", b"<p>nothing planned")[0] == ["/cal/2024-03"]
    select(3, "/cal/2024-04", b"<p>nothing planned")  # passed over, as the page before brought words
    assert select(4, "/cal/2024-05", b"<p>nothing planned") == ([], [("/cal/2024-05", "trap", rule)])
    assert select(5, "/cal/2024-05", b"<p>nothing planned") == ([], [])
    assert select(6, "/cal/2024-05", b"<p>a feast") == (["/cal/2024-05"], [])
