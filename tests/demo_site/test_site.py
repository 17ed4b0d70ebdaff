"""The bundled site: what it promises in `expected` is what a client finds, and it starts and stops cleanly."""

from __future__ import annotations

import asyncio
import gzip
import re
import struct
import zlib
from html import unescape

import pytest

from scraper.demo_site.site import LIMITED_BURST, ShopSite, SiteSettings, main
from scraper.extract.page_extractor import ExtractSettings, FileSettings, PageExtractor
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.number_parser import parse_decimal
from scraper.extract.rules.rule import RuleSettings
from scraper.model import Body, Headers, Request, Response, Url
from scraper.urls.canonicalize import BaseUrl, KeyRules, canonicalize
from scraper.urls.scope import Scope, ScopeSettings
from tests.demo_site.client import QUICK, ReceivedResponse, connect, fetch

KEYS = KeyRules(("utm_*", "sid"))


def links(page: Url, body: bytes) -> list[Url]:
    found = re.findall(rb'<a [^>]*href="([^"]*)"', body)
    urls = (canonicalize(unescape(href.decode()), BaseUrl.of(page), KEYS) for href in found)
    return [url for url in urls if isinstance(url, Url)]


def url_of(text: str) -> Url:
    url = canonicalize(text, None, KEYS)
    assert isinstance(url, Url)
    return url


async def crawl(site: ShopSite) -> dict[str, ReceivedResponse]:
    """Everything reachable from the home page by links, without what robots.txt forbids and the calendar, by key."""
    start = url_of(site.url)
    waiting, known, got = [start], {start.key}, {}
    while waiting:
        url = waiting.pop()
        answer = await fetch(url.origin, url.target)
        got[url.key] = answer
        more = links(url, answer.body) if answer.whole else []
        if location := answer.headers.get("location"):
            more.append(url_of(url.origin + location))
        for link in more:
            inside = link.origin in (site.url, site.supplier_url)
            if inside and link.key not in known and not re.match(r"/(private/|cart|calendar)", link.target):
                known.add(link.key)
                waiting.append(link)
    return got


async def test_a_crawl_finds_exactly_what_is_expected() -> None:
    """Following every link within the rules leads to the expected pages, redirects and errors, and to nothing else."""
    async with ShopSite(QUICK) as site:
        want = site.expected
        got = await crawl(site)
        got |= {again: await fetch(site.url, again.removeprefix(site.url)) for again in got if "/once" in again}
        good = {key for key, answer in got.items() if answer.status == 200 and answer.whole}
        bad = {key: answer.status if answer.whole else 0 for key, answer in got.items() if answer.status >= 400}
        bad |= {key: 0 for key, answer in got.items() if not answer.whole}
        moved = {key for key, answer in got.items() if 300 <= answer.status < 400}
    assert good == want.pages | want.supplier_pages | want.downloads
    assert bad == want.broken
    assert moved == set(want.redirects) | want.loops


async def test_every_product_page_shows_its_product() -> None:
    """Name, price and tags on a product's page are those of `expected.products`, and the price text can be read."""
    async with ShopSite(QUICK) as site, connect(site.url) as client:
        assert len(site.expected.products) > 40
        for url, product in site.expected.products.items():
            text = (await client.get(url.removeprefix(site.url))).body.decode()
            assert f"<h1>{product.name}</h1>" in text
            price = re.search(r'class="price_color">([^<]*)<', text)
            assert price is not None
            assert parse_decimal(price[1]) == product.price
            assert [unescape(tag) for tag in re.findall(r'class="tag">([^<]*)<', text)] == list(product.tags)


async def test_the_extractor_reads_every_product() -> None:
    """Fields of every type come out of the shop's pages as they went in, and covers are files to fetch."""
    rule = RuleSettings(
        match=r"/catalogue/[^/]+/index\.html$",
        each="article.product_page",
        fields=(
            FieldSettings("name", "h1", required=True),
            FieldSettings("price", ".price_color", type="decimal", required=True),
            FieldSettings("stock", ".availability", type="int", regex=r"\d+", default=0),
            FieldSettings("rating", attr="data-rating", type="int"),
            FieldSettings("tags", ".tag", many=True),
            FieldSettings("added", "time", attr="datetime", type="date"),
            FieldSettings("cover", "img.cover", type="url"),
        ),
    )
    async with ShopSite(QUICK) as site, connect(site.url) as client:
        scope = Scope(ScopeSettings(), [url_of(site.url)])
        extractor = PageExtractor(ExtractSettings(scope, (rule,), KEYS, files=FileSettings(css=("img.cover@src",))))
        for url, product in site.expected.products.items():
            got = await client.get(url.removeprefix(site.url))
            headers = Headers([(b"Content-Type", got.headers["content-type"].encode())])
            body = Body(len(got.body), len(got.body), "xxh3:0", data=got.body)
            harvest = extractor.extract(Response(Request(url_of(url)), got.status, headers, body))
            assert (harvest.problem, harvest.field_errors, harvest.canonical) == (None, (), url)
            assert harvest.items[0].fields == {
                "name": product.name,
                "price": product.price,
                "stock": product.stock,
                "rating": product.rating,
                "tags": list(product.tags),
                "added": product.added,
                "cover": site.url + product.cover_path,
            }
            assert [link.url.href for link in harvest.links if link.kind == "file"] == [site.url + product.cover_path]


async def test_pictures_papers_and_what_only_the_sitemap_names_are_there() -> None:
    """Every cover is a PNG that decodes, every paper a PDF, and unlinked pages answer."""
    async with ShopSite(QUICK) as site, connect(site.url) as client:
        for url in site.expected.media:
            picture = await client.get(url.removeprefix(site.url))
            assert picture.headers["content-type"] == "image/png"
            width, height = struct.unpack(">II", picture.body[16:24])
            length = struct.unpack(">I", picture.body[33:37])[0]
            assert len(zlib.decompress(picture.body[41 : 41 + length])) == height * (1 + 3 * width)
        for url in site.expected.downloads:
            assert (await client.get(url.removeprefix(site.url))).body.startswith(b"%PDF-1.4")
        for url in site.expected.sitemap_only:
            assert (await client.get(url.removeprefix(site.url))).status == 200


async def test_the_sitemaps_name_every_product() -> None:
    """robots.txt names the index, the index two sitemaps, and the gzipped one every product."""
    async with ShopSite(QUICK) as site, connect(site.url) as client:
        robots = (await client.get("/robots.txt")).body.decode()
        assert f"Sitemap: {site.url}/sitemap.xml" in robots
        assert "Crawl-delay" not in robots
        index = (await client.get("/sitemap.xml")).body.decode()
        nested = re.findall(r"<loc>([^<]*)</loc>", index)
        assert len(nested) == 2
        bodies = [(await client.get(url.removeprefix(site.url))).body for url in nested]
        texts = [gzip.decompress(body).decode() if body[:2] == b"\x1f\x8b" else body.decode() for body in bodies]
        named = set(re.findall(r"<loc>([^<]*)</loc>", "".join(texts)))
    assert named >= set(site.expected.products) | site.expected.sitemap_only


async def test_two_starts_with_one_seed_give_the_same_site() -> None:
    """Content depends on the seed alone, but for the ports in absolute addresses."""
    seen = []
    for seed in (7, 7, 8):
        async with ShopSite(SiteSettings(pages=60, seed=seed)) as site, connect(site.url) as client:
            bodies = {}
            for path in sorted(url.removeprefix(site.url) for url in {*site.expected.pages, *site.expected.media}):
                if not path.startswith(("/flaky/", "/slow/", "/limited/")):
                    body = (await client.get(path)).body
                    bodies[path] = body.replace(site.url.encode(), b"S").replace(site.supplier_url.encode(), b"T")
            seen.append(bodies)
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


@pytest.mark.parametrize("pages", [60, 300, 2000], ids=str)
async def test_the_number_of_pages_is_about_what_was_asked_for(pages: int) -> None:
    """`pages` holds to a few, however large."""
    async with ShopSite(SiteSettings(pages=pages)) as site:
        assert abs(len(site.expected.pages) - pages) <= 2
        names = [product.name for product in site.expected.products.values()]
        assert len(set(names)) == len(names)


async def test_tracking_and_session_parameters_change_nothing() -> None:
    """One page under many addresses has one content, and listings do give out such addresses."""
    async with ShopSite(QUICK) as site, connect(site.url) as client:
        listing = (await client.get("/catalogue/page-1.html")).body
        sid = re.search(rb'href="([^"?]*)(\?sid=[0-9a-f]{8})"', listing)
        assert sid is not None
        plain = await client.get(sid[1].decode())
        for query in (sid[2].decode(), "?utm_source=home&utm_campaign=spring"):
            assert (await client.get(sid[1].decode() + query)).body == plain.body


async def test_the_calendar_has_no_end() -> None:
    """Every month leads to two others, over the turn of the year and from any address."""
    async with ShopSite(QUICK) as site, connect(site.url) as client:
        target, seen = "/calendar?month=2024-11", set()
        for _ in range(30):
            assert target not in seen
            seen.add(target)
            found = re.findall(rb'href="(/calendar[^"]*)"', (await client.get(target)).body)
            assert len(found) == 2
            target = found[1].decode()
        assert target == "/calendar?month=2027-05"
        assert (await client.get("/calendar?month=junk")).status == 200


async def test_the_supplier_fails_first_and_then_recovers() -> None:
    """The first requests meet 500 and a reset, robots.txt is always there, and after the outage all is well."""
    async with ShopSite(SiteSettings(pages=60, outage_s=0.0, outage_requests=3)) as site:
        assert (await fetch(site.supplier_url, "/robots.txt")).status == 200
        assert [(await fetch(site.supplier_url, "/")).status for _ in range(2)] == [500, 500]
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await fetch(site.supplier_url, "/")
        assert (await fetch(site.supplier_url, "/parts/part-1.html")).status == 200
        assert (await fetch(site.supplier_url, "/nowhere")).status == 404


async def test_the_limited_area_asks_for_patience() -> None:
    """A burst is answered, then comes 429 with Retry-After in seconds."""
    async with ShopSite(SiteSettings(pages=60, limited_rate=0.001)) as site, connect(site.url) as client:
        answers = [await client.get(f"/limited/offer-{n % 6 + 1}.html") for n in range(LIMITED_BURST + 1)]
    assert [answer.status for answer in answers] == [200] * LIMITED_BURST + [429]
    assert answers[-1].headers["retry-after"] == "1"


async def test_a_cut_page_is_whole_the_second_time_and_the_other_never() -> None:
    """`/flaky/once.html` heals, `/flaky/truncated.html` does not."""
    async with ShopSite(QUICK) as site:
        assert [(await fetch(site.url, "/flaky/once.html")).whole for _ in range(2)] == [False, True]
        assert [(await fetch(site.url, "/flaky/truncated.html")).whole for _ in range(2)] == [False, False]


async def test_a_taken_port_is_told_and_leaves_nothing_open() -> None:
    """When the second port is taken the first one is given back and OSError is raised."""
    async with ShopSite(QUICK) as site:
        port = int(site.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            await ShopSite(SiteSettings(supplier_port=port)).__aenter__()


async def test_main_says_when_it_cannot_listen(capsys: pytest.CaptureFixture[str]) -> None:
    """The entry returns 1 with a sentence on standard error when its port is taken."""
    async with ShopSite(QUICK) as site:
        port = site.url.rpartition(":")[2]
        assert await asyncio.to_thread(main, ["--port", port, "--pages", "60"]) == 1
    assert "cannot listen" in capsys.readouterr().err
