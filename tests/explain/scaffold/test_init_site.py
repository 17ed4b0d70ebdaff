"""`scrape init` on a site: its feeds, its sitemaps, and pages that those name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from scraper.config.reading.load import parse_config
from scraper.crawler import crawl
from scraper.explain.pages.page_request import UrlRules
from scraper.explain.scaffold.config_writer import write_config
from scraper.explain.scaffold.inspect_url import InspectedPage, UnreadablePage, inspect_url
from scraper.explain.scaffold.propose_rules import propose_rules
from scraper.model import Url
from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply, Route
from scraper.urls.canonicalize import canonicalize

FAST = "politeness: {per_host: {rate: 1000/s, concurrency: 4}, robots: obey}\nlimits: {retries: 0}\n"
POSTS = "".join(
    f'<article itemscope itemtype="https://schema.org/BlogPosting"><h2 itemprop="headline">Post {n}</h2>'
    f'<a class="more" href="/post/{n}">read</a><p itemprop="description">About {n}</p></article>'
    for n in range(1, 6)
)
HEAD = '<link rel="alternate" type="application/rss+xml" href="/feed">'


def feed(*paths: str) -> str:
    items = "".join(f"<item><link>BASE{path}</link></item>" for path in paths)
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>F</title>{items}</channel></rss>'


def sitemap(tag: str, *paths: str) -> str:
    inner = {"urlset": "url", "sitemapindex": "sitemap"}[tag]
    entries = "".join(f"<{inner}><loc>BASE{path}</loc></{inner}>" for path in paths)
    return f'<{tag} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</{tag}>'


XML = {"Content-Type": "application/xml"}
RSS = {"Content-Type": "application/rss+xml"}


Pages = Mapping[str, tuple[str, Mapping[str, str]]]


def serving(pages: Pages) -> LocalServer:
    """A site of these pages; BASE in them is its own address."""

    async def answer(asked: ReceivedRequest) -> Route:
        if asked.target not in pages:
            return Reply(404)
        text, headers = pages[asked.target]
        return Reply(body=text.replace("BASE", f"http://{asked.headers.get('host')}").encode(), headers=headers)

    return LocalServer({"*": answer})


async def seen(site: LocalServer, path: str) -> InspectedPage | UnreadablePage:
    url = canonicalize(site.url(path))
    assert isinstance(url, Url)
    plain = parse_config(f"seeds: ['{url.href}']\n{FAST}")
    return await inspect_url(plain, UrlRules.from_config(plain), url, None)


def config_of(sight: InspectedPage | UnreadablePage) -> tuple[str, tuple[int, ...]]:
    """The config as written, which loads, and what its rules gave."""
    assert isinstance(sight, InspectedPage), sight
    proposal = propose_rules(sight.ideas, sight.response)
    text = write_config(proposal, sight.site_facts)
    assert parse_config(text).extract
    return text, proposal.yields


async def test_a_blog_with_a_feed_and_a_sitemap(tmp_path: Path) -> None:
    """The feed is a seed, the sitemap at the usual place is reported, rel=next is a rule; a crawl finds it all."""
    pages: Pages = {
        "/blog/": (HEAD + POSTS + '<a rel="next" href="/blog/page/2/">Older</a>', {}),
        "/blog/page/2/": (POSTS, {}),
        "/feed": (feed("/post/1", "/post/99"), RSS),
        "/sitemap.xml": (sitemap("urlset", "/blog/", "/about"), XML),
        "/post/99": ("<h1>Only the feed names it</h1>", {}),
    }
    async with serving(pages) as site:
        text, gives = config_of(await seen(site, "/blog/"))
        assert gives == (5,)
        assert f"  - {{sitemap: '{site.url('/feed')}'}}" in text
        assert "RSS feed: 2 addresses" in text
        assert "/sitemap.xml: sitemap: 2 addresses" in text
        assert "    next: {rel: true}" in text
        loaded = parse_config(text, overrides=[f"output.folder='{tmp_path}'", "politeness.per_host.rate=1000/s"])
        await crawl(loaded)
        asked = {request.target for request in site.requests}
        assert {"/post/99", "/about", "/blog/page/2/"} <= asked
    items = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    assert len(items) == 10
    assert items[0]["headline"] == "Post 1"


async def test_a_feed_of_another_host_works_when_uncommented(tmp_path: Path) -> None:
    """It would widen the scope, so it stands in a comment; without the mark it is a seed like the others."""
    async with serving({"/feed": (feed("/post/7"), RSS), "/post/7": ("<h1>Seven</h1>", {})}) as other:
        head = HEAD.replace('"/feed"', f'"{other.url("/feed")}"')
        async with serving({"/": (head + POSTS, {})}) as site:
            text, _ = config_of(await seen(site, "/"))
            assert not other.requests
            line = next(line for line in text.splitlines() if line.startswith("  # - {sitemap"))
            assert "of another host" in line
            fast = ["politeness.per_host.rate=1000/s", f"output.folder='{tmp_path}'"]
            await crawl(parse_config(text.replace("  # - {sitemap", "  - {sitemap"), overrides=fast))
        assert "/post/7" in {request.target for request in other.requests}


async def test_a_feed_that_cannot_be_read_is_reported() -> None:
    """What robots.txt forbids, what is not there and what is empty is a comment, and no seed."""
    links = "".join(HEAD.replace("/feed", path) for path in ("/private/feed", "/gone", "/hollow"))
    pages: Pages = {
        "/": (links + POSTS, {}),
        "/robots.txt": ("User-agent: *\nDisallow: /private/\nSitemap: BASE/s.xml", {"Content-Type": "text/plain"}),
        "/hollow": (feed(), RSS),
    }
    async with serving(pages) as site:
        text, _ = config_of(await seen(site, "/"))
        assert "/private/feed" not in {request.target for request in site.requests}
    assert len(parse_config(text).seeds) == 1
    for part in ("robots.txt forbids it", "status 404", "it lists no URLs", "robots.txt names 1"):
        assert part in text


NAMED_BY: dict[str, Pages] = {
    "RSS": {"/x": (feed("/gone", "/list"), RSS)},
    "Atom": {
        "/x": (
            '<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="/list"/></entry></feed>',
            {"Content-Type": "application/atom+xml"},
        )
    },
    "a sitemap": {"/x": (sitemap("urlset", "/list"), XML)},
    "a sitemap of sitemaps": {"/x": (sitemap("sitemapindex", "/y"), XML), "/y": (sitemap("urlset", "/list"), XML)},
    "a text": {"/x": ("BASE/list\n", {"Content-Type": "text/plain"})},
}


@pytest.mark.parametrize("case", NAMED_BY)
async def test_rules_for_what_a_feed_or_sitemap_names(case: str) -> None:
    """It is the seed, and the rules are made from the first page it names that answers."""
    async with serving({**NAMED_BY[case], "/list": (POSTS, {})}) as site:
        text, gives = config_of(await seen(site, "/x"))
        assert parse_config(text).seeds[0].sitemap == site.url("/x")
    assert gives == (5,)
    assert "each: 'body > article'" in text


async def test_a_feed_without_a_page_to_look_at() -> None:
    """When none of its first pages answers there is nothing to make rules from, and why."""
    async with serving({"/x": (feed("/1", "/2", "/3", "/4"), RSS)}) as site:
        blind = await seen(site, "/x")
        assert isinstance(blind, UnreadablePage)
        assert "RSS feed: 4 addresses, but none of the first can be read" in blind.reason
        assert "/4" not in {request.target for request in site.requests}


async def test_an_api_is_crawled_to_its_end(tmp_path: Path) -> None:
    """From the address of a JSON list come each, fields and next; the crawl goes through all pages."""
    pages: Pages = {
        f"/api?page={n}": (
            json.dumps({
                "items": [{"id": 10 * n + k, "name": "x", "owner": {"login": "u"}} for k in range(3)],
                "links": {"next": f"/api?page={n + 1}" if n < 3 else None},
            }),
            {"Content-Type": "application/json"},
        )
        for n in range(1, 4)
    }  # fmt: skip
    async with serving(pages) as site:
        text, gives = config_of(await seen(site, "/api?page=1"))
        assert gives == (3,)
        assert "    next: {json: links.next}" in text
        fast = ["politeness.per_host.rate=1000/s", f"output.folder='{tmp_path}'"]
        await crawl(parse_config(text, overrides=fast))
    items = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    assert [item["id"] for item in items] == [10, 11, 12, 20, 21, 22, 30, 31, 32]
    assert items[0]["owner"] == "u"


async def test_a_cursor_works_when_uncommented(tmp_path: Path) -> None:
    """Which parameter takes a cursor is a guess as long as the address does not show it: a comment that works."""

    def answer(n: int) -> tuple[str, Mapping[str, str]]:
        more = {"nextPageToken": f"t{n + 1}"} if n < 3 else {}
        return json.dumps({"rows": [{"id": n, "a": "b"}], **more}), {"Content-Type": "application/json"}

    pages: Pages = {"/api": answer(1), "/api?pageToken=t2": answer(2), "/api?pageToken=t3": answer(3)}
    async with serving(pages) as site:
        text, _ = config_of(await seen(site, "/api"))
        assert "  #   next: {cursor: nextPageToken, param: pageToken}" in text
        fast = ["politeness.per_host.rate=1000/s", f"output.folder='{tmp_path}'"]
        await crawl(parse_config(text.replace("  #   next", "    next"), overrides=fast))
    assert len((tmp_path / "items.jsonl").read_text().splitlines()) == 3
