"""`scrape init` proposes only what it has tried: on the page, and on the one that `next` leads to."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from scraper.config.reading.load import parse_config
from scraper.explain.pages.page_request import UrlRules
from scraper.explain.scaffold.config_writer import write_config
from scraper.explain.scaffold.inspect_url import InspectedPage, UnreadablePage, inspect_url
from scraper.explain.scaffold.propose_rules import Proposal, propose_rules
from scraper.model import Url
from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply, Route
from scraper.urls.canonicalize import canonicalize

FAST = "politeness: {per_host: {rate: 1000/s, concurrency: 4}}\nlimits: {retries: 0}\n"
Site = Callable[[str], str | None]


def rows(first: int) -> str:
    cells = "".join(
        f'<tr><td class="id"><a href="/books/{n}">{n}</a></td><td class="title">Book {n}</td></tr>'
        for n in range(first, first + 5)
    )
    return f"<table class=rows><tbody>{cells}</tbody></table>"


def keyset_list(target: str) -> str | None:
    """Rows lead to /books/N, the next page is /books?after=N: a number that is no page."""
    if target.partition("?")[0] != "/books":
        return "<h1>row</h1>" if target.startswith("/books/") else None
    first = int(target.partition("=")[2] or 0) + 1
    return f'{rows(first)}<p><a href="/books?after={first + 4}">Next page</a></p>'


def list_without_next(target: str) -> str | None:
    """What reads like the next page is an article."""
    if target == "/books":
        return f'{rows(1)}<p><a href="/news/2">Next</a></p>'
    return "<h1>news</h1><p>nothing like it</p>" if target == "/news/2" else None


async def proposal_for(site: Site, path: str, config: str = "") -> tuple[Proposal, str]:
    async def answer(asked: ReceivedRequest) -> Route:
        text = site(asked.target)
        if text is None:
            return Reply(404)
        kind = "application/json" if text[:1] in "[{" else "text/html; charset=utf-8"
        return Reply(body=text.encode(), headers={"Content-Type": kind})

    async with LocalServer({"*": answer}) as server:
        asking = parse_config(f"seeds: ['{server.url(path)}']\n{FAST}{config}")
        url = canonicalize(server.url(path))
        assert isinstance(url, Url)
        seen = await inspect_url(asking, UrlRules.from_config(asking), url, None)
    assert isinstance(seen, InspectedPage), seen
    proposal = propose_rules(seen.ideas, seen.response, seen.following)
    text = write_config(proposal, seen.site_facts)
    parse_config(text)
    return proposal, text


async def test_a_match_lets_the_next_page_in() -> None:
    """The pattern of the list's pages fits the page that `next` leads to, and no page of a row."""
    proposal, text = await proposal_for(keyset_list, "/books")
    assert proposal.drafts[0].get("next") is not None
    assert "tried, 5 items there" in text
    match = parse_config(text).extract[0].match
    assert match is not None
    assert match.endswith(r"/books(\?|$)")


async def test_what_only_looks_like_a_next_page_is_left_out() -> None:
    """A page without such items is no next page, and the config says what was tried."""
    proposal, text = await proposal_for(list_without_next, "/books")
    assert proposal.drafts[0].get("next") is None
    assert "/news/2 looked like the next page" in text
    assert parse_config(text).extract[0].match is None


MATRIX = [[n, f"Book {n}", n + 0.5] for n in range(1, 9)]
JSON_PAGES = {
    "columns_beside": ({"columns": ["id", "title", "price"], "rows": MATRIX, "facets": [{"a": 1, "b": 2}]}, "rows"),
    "objects_beside": ({"d": {"fields": [{"name": n} for n in ("id", "title", "price")], "data": MATRIX}}, "d.data"),
    "header_row": ([["id", "title", "price"], *MATRIX], "@[1:]"),
    "header_row_of_texts": ([["id", "title", "price"], *([str(x) for x in row] for row in MATRIX)], "@[1:]"),
    "no_names": (MATRIX, "@"),
}


@pytest.mark.parametrize("case", JSON_PAGES)
async def test_rows_that_are_lists_are_items(case: str) -> None:
    """One item for each row, named by the columns where these have names."""
    pytest.importorskip("jmespath")
    value, where = JSON_PAGES[case]
    proposal, text = await proposal_for(lambda target: json.dumps(value) if target == "/d.json" else None, "/d.json")
    rule = parse_config(text).extract[0]
    assert proposal.yields == (len(MATRIX),)
    assert f"{{json: {where}" in text.replace("'", "")
    expected = ["column_1", "column_2", "column_3"] if case == "no_names" else ["id", "title", "price"]
    assert list(rule.fields) == expected


LOREM = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod "
CARD = '<div class=card><h2><a href="/p/{n}">Lamp {n}</a></h2>{image}<b class=price>{n},90 €</b></div>'
LAZY = '<img src="data:image/gif;base64,R0=" data-src="/i{n}.jpg">'
PIXEL = '<img src="/count{n}.gif" width=1 height=1>'
HTML_PAGES = {
    "lazy_images": ("".join(CARD.format(n=n, image=LAZY.format(n=n)) for n in range(1, 8)), "attr: data-src", ""),
    "tracking_pixels": ("".join(CARD.format(n=n, image=PIXEL.format(n=n)) for n in range(1, 8)), "each:", "image"),
    "thead": (f"<table><thead><tr><td>Id</td><td>T</td></tr></thead>{rows(1)[18:]}", "tbody tr", "when"),
    "head_of_th": (rows(1).replace("<tbody>", "<tbody><tr><th>Id</th><th>T</th></tr>"), "when: td", "next"),
    "permalinks": (f"<article><h1>Title<a class=headerlink href='#t'>¶</a></h1><p>{LOREM}</p>", "strip:", "link:"),
    "article": (f"<nav>x</nav><article><h1>T</h1><p>{LOREM * 3}</p><p>{LOREM * 4}</p></article>", "text:", "each"),
    "package_list": ("".join(f"<a href='/s/{n}/'>package {n}</a><br>" for n in range(30)), "body a[href]", "files"),
    "file_index": (
        "<pre><a href='../'>../</a>\n"
        + "".join(f"<a href='/f/a-{n}.tar.gz'>a-{n}.tar.gz</a> 2024\n" for n in range(9)),
        r"\.(tar\.gz)",
        "extract",
    ),
    "login": (rows(1) + "<form><input type=password name=p></form>", "login form", "password"),
}


@pytest.mark.parametrize("case", HTML_PAGES)
async def test_what_is_on_a_page_is_proposed_as_what_it_is(case: str) -> None:
    """Images where they are, heads apart from rows, texts of articles, links of indexes; nothing that only looks so."""
    page, there, missing = HTML_PAGES[case]
    body = f"<html><body>{page}</body></html>"
    proposal, text = await proposal_for(lambda target: body if target == "/x" else None, "/x")
    rules = text[text.index("sitemaps:") :]
    assert there in rules
    assert not missing or f"{missing}:" not in rules.replace("::", ":")
    assert all(proposal.yields)
    if case in ("thead", "head_of_th"):
        assert proposal.yields[0] == 5


async def test_a_page_behind_a_token_is_asked_with_the_configs_headers() -> None:
    """Headers of the config are sent, and the written config names them without their values."""

    async def answer(asked: ReceivedRequest) -> Route:
        if asked.target == "/x" and asked.headers.get("x-token") == "secret":
            return Reply(body=rows(1).encode(), headers={"Content-Type": "text/html"})
        return Reply(401 if asked.target == "/x" else 404)

    async with LocalServer({"*": answer}) as server:
        for config, readable in (("headers: {X-Token: secret}\n", True), ("", False)):
            asking = parse_config(f"seeds: ['{server.url('/x')}']\n{FAST}{config}")
            url = canonicalize(server.url("/x"))
            assert isinstance(url, Url)
            seen = await inspect_url(asking, UrlRules.from_config(asking), url, None)
            assert isinstance(seen, InspectedPage) is readable
            if isinstance(seen, UnreadablePage):
                assert "--header" in seen.reason
