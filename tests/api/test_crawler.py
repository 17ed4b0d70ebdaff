"""The Python API: a whole run, results as they come, and leaving early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import scraper
from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply


def page(*links: str) -> Reply:
    """An HTML page with a heading and these links."""
    body = "<h1>T</h1>" + "".join(f'<a href="{link}">x</a>' for link in links)
    return Reply(200, body.encode(), {"Content-Type": "text/html"})


def config(site: LocalServer, folder: Path, **more: Any) -> dict[str, Any]:
    """A config for `site`, as fast as it goes."""
    return {
        "seeds": [site.url("/")],
        "politeness": {"per_host": {"rate": "unlimited"}},
        "sitemaps": "off",
        "extract": [{"fields": {"title": "h1"}}],
        "output": {"folder": str(folder)},
        **more,
    }


ROUTES = {"/": page("/a", "/b"), "/a": page("/c"), "/b": page("/c", "/gone"), "/c": page("/")}


async def test_crawl_returns_the_summary(tmp_path: Path) -> None:
    """`await scraper.crawl(mapping)` runs to the end and counts what it found."""
    async with LocalServer(ROUTES) as site:
        summary = await scraper.crawl(config(site, tmp_path / "out"))
    assert (summary.why, summary.ok, summary.failed, summary.items) == ("finished", 4, 1, 4)
    assert (tmp_path / "out" / "summary.json").exists()


async def test_crawl_takes_a_path(tmp_path: Path) -> None:
    """`await scraper.crawl(path)` reads the YAML file."""
    async with LocalServer(ROUTES) as site:
        path = tmp_path / "shop.yaml"
        path.write_text(
            f"seeds: ['{site.url('/')}']\nsitemaps: off\npoliteness: {{per_host: {{rate: unlimited}}}}\n"
            f"output: {{folder: '{tmp_path / 'out'}'}}\n"
        )
        assert (await scraper.crawl(path)).ok == 4


async def test_results_come_one_by_one(tmp_path: Path) -> None:
    """`async for result in crawler.results()` gives every result, with items."""
    async with LocalServer(ROUTES) as site:
        async with scraper.Crawler(config(site, tmp_path / "out")) as crawler:
            results = [result async for result in crawler.results()]
        assert sorted(result.url for result in results) == [site.url(path) for path in ("/", "/a", "/b", "/c", "/gone")]
    assert crawler.summary is not None
    assert crawler.summary.items == sum(len(result.items) for result in results) == 4


async def test_leaving_early_keeps_the_run_resumable(tmp_path: Path) -> None:
    """A loop that is left after one result stops the crawl; a second run completes it, each page once."""
    routes = {"/": page(*(f"/{n}" for n in range(300)))} | {f"/{n}": page() for n in range(300)}
    async with LocalServer(routes) as site:
        settings = config(site, tmp_path / "out")
        async with scraper.Crawler(settings) as crawler:
            async for result in crawler.results():
                assert result.status == 200
                break
        assert (await scraper.crawl(settings)).ok == 301
    lines = (tmp_path / "out" / "pages.jsonl").read_text().splitlines()
    assert len(lines) == 301


async def test_a_finished_run_asks_nothing(tmp_path: Path) -> None:
    """The same config again: the summary says so and the server hears nothing."""
    async with LocalServer(ROUTES) as site:
        await scraper.crawl(config(site, tmp_path / "out"))
        before = len(site.requests)
        summary = await scraper.crawl(config(site, tmp_path / "out"))
        assert (summary.idle, summary.ok, len(site.requests)) == (True, 4, before)


async def test_fresh_starts_over(tmp_path: Path) -> None:
    """`fresh=True` deletes the earlier run and nothing else in the folder."""
    async with LocalServer(ROUTES) as site:
        await scraper.crawl(config(site, tmp_path / "out"))
        (tmp_path / "out" / "mine.txt").write_text("keep")
        summary = await scraper.crawl(config(site, tmp_path / "out"), fresh=True)
        assert (summary.idle, summary.ok) == (False, 4)
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"
    assert len((tmp_path / "out" / "pages.jsonl").read_text().splitlines()) == 5


async def test_two_runs_on_one_folder_are_refused(tmp_path: Path) -> None:
    """The second run raises RunLockedError, naming the folder."""
    async with LocalServer(ROUTES) as site, scraper.Crawler(config(site, tmp_path / "out")):
        with pytest.raises(scraper.RunLockedError, match="out"):
            await scraper.crawl(config(site, tmp_path / "out"))


def test_public_names_are_those_of_all() -> None:
    """Every name of `__all__` can be had, and the module offers no other public name."""
    for name in scraper.__all__:
        assert getattr(scraper, name) is not None
    assert sorted(scraper.__all__) == dir(scraper)
    with pytest.raises(AttributeError, match="nothing"):
        _ = scraper.nothing


def sitemap(*urls: str, tag: str = "urlset") -> Reply:
    """A sitemap of these URLs, or an index of these sitemaps."""
    entry = "url" if tag == "urlset" else "sitemap"
    text = f"<{tag}>" + "".join(f"<{entry}><loc>{url}</loc></{entry}>" for url in urls) + f"</{tag}>"
    return Reply(200, text.encode(), {"Content-Type": "application/xml"})


@pytest.mark.parametrize(
    "scope",
    [{"max_depth": 0}, {"mode": "page"}, {"mode": "prefix"}, {"allow": ["/nothing"]}, {"max_depth": 0, "mode": "page"}],
    ids=str,
)
async def test_what_a_seed_sitemap_lists_are_seeds(tmp_path: Path, scope: dict[str, Any]) -> None:
    """Also by way of an index and of a redirect; links of those pages are not, and another host stays out of scope."""
    async with LocalServer({}) as site:
        moved = Reply(301, b"", {"Location": "/shop/a/"})
        site.routes = {
            "/maps/index.xml": sitemap(site.url("/maps/1.xml"), tag="sitemapindex"),
            "/maps/1.xml": sitemap(site.url("/shop/a"), site.url("/shop/b"), "http://other.example/"),
            "/shop/a": moved,
            "/shop/a/": page("/further"),
            "/shop/b": page("/further"),
            "/further": page(),
        }
        seen = []
        async with scraper.Crawler(
            config(
                site,
                tmp_path / "out",
                scope=scope,
                seeds=[{"sitemap": site.url("/maps/index.xml")}],
                headers={"X": "y"},
            )
        ) as crawler:
            seen = [result async for result in crawler.results()]
        fetched = {result.url: result.request for result in seen if result.request.kind == "page"}
        asked = [request for request in site.requests if request.target.startswith("/shop")]
    assert sorted(fetched) == [site.url("/shop/a/"), site.url("/shop/b")]
    assert {request.depth for request in fetched.values()} == {0}
    assert all(request.headers.get("x") == "y" for request in asked), "the config's headers are sent to seeds"
    skipped = (tmp_path / "out/skipped.jsonl").read_text()
    assert "other.example" in skipped
    records = [line for line in (tmp_path / "out/pages.jsonl").read_text().splitlines() if '"sitemap"' in line]
    assert len(records) == 2
    assert all('"depth":0' in line for line in records)


@pytest.mark.parametrize("way", ["a form for each page", "one form", "in place", "logged_in"])
async def test_pages_without_the_login_are_asked_for_again(tmp_path: Path, way: str) -> None:
    """The run stops when the login has ended; with a new one every page is recorded, and no form in place of one."""
    count, ends_after = 40, 8
    form = b"<title>Log in</title><form><input type='password' name=p></form>"
    good = b"<a href=/out>Log out</a>" + b"".join(b"<a href=/m/%d>x</a>" % i for i in range(count))
    served = 0

    def member(asked: ReceivedRequest) -> Reply:
        nonlocal served
        served += 1
        if asked.headers.get("cookie") == "sid=new" or served <= ends_after:
            return Reply(200, good, {"Content-Type": "text/html"})
        if way == "in place":
            return Reply(200, form, {"Content-Type": "text/html"})
        if way == "logged_in":
            return Reply(200, b"<p>welcome, guest</p>", {"Content-Type": "text/html"})
        query = f"?next={asked.target}" if way == "a form for each page" else ""
        return Reply(302, b"", {"Location": f"/gate{query}"})

    async def answer(asked: ReceivedRequest) -> Reply:
        return member(asked)

    routes = {f"/m/{i}": answer for i in range(count)}
    async with LocalServer({"/": answer, **routes, "/gate": Reply(200, form, {"Content-Type": "text/html"})}) as site:
        more = {"scope": {"deny": ["/out"]}, "login": {"logged_in": {"regex": "Log out"}} if way == "logged_in" else {}}
        settings = config(site, tmp_path / "out", headers={"Cookie": "sid=old"}, **more)
        first = await scraper.crawl(settings)
        second = await scraper.crawl({**settings, "headers": {"Cookie": "sid=new"}})
        if second.why == "logged_out":  # forms that the first session had queued came in a row
            second = await scraper.crawl({**settings, "headers": {"Cookie": "sid=new"}})
        waiting = second.values["pages"]["waiting"]
    assert first.why == "logged_out"
    assert first.ok <= ends_after + 2
    assert (second.why, waiting) == ("finished", 0)
    urls = [line.split('"')[3] for line in (tmp_path / "out/pages.jsonl").read_text().splitlines()]
    assert set(urls) >= {site.url("/"), *(site.url(f"/m/{i}") for i in range(count))}
    assert len(set(urls)) == len(urls)
