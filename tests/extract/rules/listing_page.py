"""A page that lists items with links, and an extractor that follows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scraper.extract.page_extractor import ExtractSettings, PageExtractor
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.rule import RuleSettings
from scraper.model import Extraction, Headers, Request
from scraper.urls.scope import Scope, ScopeSettings
from tests.extract.rules.shop_page import ADDRESS, page_of, url_of

LISTING = """<a href="/ordinary">o</a><ul>
<li><a class=d href="/d/1">One</a><b>1.50</b><a href="/buy/1">buy</a></li>
<li><a class=d href="/d/2" rel=nofollow>Two</a><b>2.50</b></li>
<li><a class=d href="http://other.example/3">Three</a></li></ul>
<a class=next href="?page=2">next</a><a rel="prev next" href="/rel-next">n</a>"""

TITLE = FieldSettings("title", css="a.d")

PRICE = FieldSettings("price", css="b", type="decimal", required=True)


def extract_listing(
    *rules: RuleSettings,
    text: str = LISTING,
    kind: str = "text/html",
    request: Request | None = None,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    **settings: Any,
) -> Extraction:
    scope = Scope(ScopeSettings(max_depth=settings.pop("max_depth", None)), [url_of(ADDRESS)])
    extractor = PageExtractor(ExtractSettings(scope, rules, **settings))
    page = page_of(text, kind)
    page = replace(page, request=request or page.request, headers=Headers([*page.headers.raw, *headers]))
    found = extractor.extract(page)
    assert found.problem is None
    return found


def requested_targets(found: Extraction) -> list[str]:
    return [request.url.target for request in found.requests]
