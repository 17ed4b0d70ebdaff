"""A page with products, read by one rule without an extractor."""

from __future__ import annotations

from typing import Any

from selectolax.lexbor import LexborHTMLParser

from scraper.extract.bounds import DEFAULT_BOUNDS, PageBounds
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.rule import ExtractionRule, RuleSettings
from scraper.model import FieldError, Item, Link, Url
from scraper.urls.canonicalize import BaseUrl, KeyRules, canonicalize

PAGE = """<!DOCTYPE html><html><head><title> A  shop </title></head><body>
<article class="product" data-rating="4"><h1>Amber <b>Lamp</b></h1>
<p class="price_color">£1,234.50</p><p class="availability">In stock (7 available)</p>
<img class="cover" src="../c/1.png" alt=""><time datetime="2024-03-12">12/03/24</time>
<ul><li class="tag">new</li><li class="tag"> eco </li><li class="tag"></li></ul>
<a href="/next?utm_source=x#top">next</a><a name="anchor">none</a><input type="checkbox" checked>
<table><tr><td>Weight</td><td>12 kg</td></tr></table></article>
<article class="product" data-rating="none"><h2>Other</h2><p class="price_color">on request</p></article>
<p class="empty"> </p><script>var sku = "X-17";</script></body></html>"""


def url_of(text: str) -> Url:
    url = canonicalize(text)
    assert isinstance(url, Url)
    return url


def context_of(markup: str = PAGE, links: tuple[Link, ...] = (), bounds: PageBounds = DEFAULT_BOUNDS) -> PageContext:
    root = LexborHTMLParser(markup).root
    assert root is not None
    base = BaseUrl.of(url_of("http://shop.example/a/b/index.html"))
    return PageContext(root, base, KeyRules(("utm_*",)), links, bounds=bounds)


def read_rule(rule: RuleSettings, context: PageContext | None = None) -> tuple[list[Item], list[FieldError]]:
    items: list[Item] = []
    field_errors: list[FieldError] = []
    ExtractionRule(rule, 3).read(context or context_of(), items, field_errors)
    return items, field_errors


def value_of(**settings: Any) -> Any:
    items, field_errors = read_rule(RuleSettings(fields=(FieldSettings("it", **settings),)))
    assert field_errors == []
    return items[0].fields["it"]
