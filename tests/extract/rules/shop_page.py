"""A shop page with structured data and tables, and an extractor for it."""

from __future__ import annotations

import json
from typing import Any

from scraper.extract.page_extractor import ExtractSettings, PageExtractor
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.rule import RuleSettings
from scraper.model import Body, Extraction, Headers, Request, Response, Url
from scraper.urls.canonicalize import canonicalize
from scraper.urls.scope import Scope, ScopeSettings

ADDRESS = "http://shop.example/a/index.html"

LD = {
    "@graph": [
        {
            "@type": "WebPage",
            "mainEntity": {"@type": ["Product", "Thing"], "name": "Lamp", "offers": {"price": "19.90"}},
        },
        {"@type": "http://schema.org/NewsArticle", "headline": "Light"},
    ]
}

PAGE = f"""<!DOCTYPE html><html><head><title>Shop</title>
<meta property="og:type" content="product"><meta property="og:title" content="OG lamp">
<meta property="og:image" content="/1.png"><meta property="og:image" content="/2.png">
<meta property="product:price:amount" content="5"><meta name="description" content="d">
<script type="application/ld+json">{json.dumps(LD)}</script>
<script type="application/ld+json">not json at all</script>
<script>var sku = "X-17"; var other = "X-18";</script>
<script id="state" type="application/json">{{"page": {{"stock": 7, "tags": ["a", "b"]}}}}</script></head><body>
<article class="p"><h1 class="t">Amber <b>Lamp</b></h1><a href="/lamp">see</a><i data-n="1">1</i><i data-n="2">2</i>
<ul><li class="r"><b>Ann</b> <span>5</span></li><li class="r"><b>Bob</b></li></ul></article>
<div itemscope itemtype="https://schema.org/Product"><span itemprop="name">Micro lamp</span>
<a itemprop="url" href="/m">m</a><div itemprop="offers" itemscope itemtype="https://schema.org/Offer">
<meta itemprop="price" content="7.50"><span itemprop="color">red</span><span itemprop="color">blue</span></div></div>
<table class="s"><thead><tr><th>Name</th><th>Size</th><th>Size</th></tr></thead><tbody>
<tr><td rowspan="2">Cup</td><td>1</td><td>x</td></tr><tr><td colspan="2">2</td></tr><tr><td>Jug</td></tr>
</tbody></table>
<table class="b"><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table></body></html>"""


def url_of(text: str) -> Url:
    url = canonicalize(text)
    assert isinstance(url, Url)
    return url


def page_of(text: str, kind: str = "text/html") -> Response:
    data = text.encode()
    headers = Headers([(b"content-type", kind.encode())])
    return Response(Request(url_of(ADDRESS)), 200, headers, Body(len(data), len(data), "", data))


def extract(*rules: RuleSettings, text: str = PAGE, kind: str = "text/html") -> Extraction:
    extractor = PageExtractor(ExtractSettings(Scope(ScopeSettings(), [url_of(ADDRESS)]), rules))
    return extractor.extract(page_of(text, kind))


def fields_of(*fields: FieldSettings, text: str = PAGE, kind: str = "text/html", **rule: Any) -> list[dict[str, Any]]:
    found = extract(RuleSettings(fields=fields, **rule), text=text, kind=kind)
    assert found.problem is None or (text is PAGE and found.problem.startswith("1 of 2 scripts of JSON-LD"))
    assert found.field_errors == ()
    return [dict(item.fields) for item in found.items]


def value_of(text: str = PAGE, kind: str = "text/html", **field: Any) -> Any:
    (item,) = fields_of(FieldSettings("it", **field), text=text, kind=kind)
    return item["it"]


API = json.dumps({"items": [{"id": 1, "name": " A ", "price": 9.5, "ok": True, "tags": ["x"], "at": "2024-03-12T10:00"},
                            {"id": 2, "name": "", "price": None, "url": "/b"}], "total": 2})  # fmt: skip
