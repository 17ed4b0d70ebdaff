"""Pages that expressions are tried on."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from scraper.explain.pages.parsed_page import ParsedPage
from scraper.model import Body, Headers, Request, Response, Url
from scraper.urls.canonicalize import canonicalize

PAGE = """<!doctype html><title>T</title><body><div class="product-list"><article class="product big" data-id="7">
<h3 class="product-title">One</h3><span class="price_color">EUR 1.00</span><img src="a.png"><a href="/x">x</a></article>
<article class="product"><h3>Two</h3></article></div>
<table class="specs"><tr><th>Size</th><td><b>3</b></td></tr></table><a class="next" href="?page=2">Next</a>
<script id="s" type="application/json">{"page": {"stock": 3}}</script>
<script type="application/ld+json">{"@type": "Book", "name": "B"}</script><p>sku = "AB-1"</p>"""
API = {"items": [{"id": 1, "name": "a"}, {"id": 2, "price": {"amount": 3}}], "meta": {"next": None}, "none": []}
PRODUCT_PAGE = """<!doctype html><title>T</title><body><div class="product-list"><article class="product">
<h3 class="product-title">One</h3><span class="price_color">1.00</span><img src="a.png"></article></div>
<p id="about">x</p></body>"""
PRODUCT_CLASSES = ("product-list", "product-title", "price_color")


def page(text: str = PAGE, kind: str = "text/html; charset=utf-8") -> Response:
    url = canonicalize("http://h.example/list")
    assert isinstance(url, Url)
    body = Body(len(text), len(text), "", text.encode())
    return Response(Request(url), 200, Headers([(b"content-type", kind.encode())]), body)


def html() -> ParsedPage:
    return ParsedPage(page())


def api() -> ParsedPage:
    return ParsedPage(page(json.dumps(API), "application/json"))


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=1), inner, max_size=4),
    max_leaves=10,
)
