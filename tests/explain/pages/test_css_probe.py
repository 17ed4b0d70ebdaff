"""What a CSS selector matches, and near misses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.explain.pages.css_probe import PageNames, css_misses, probe_css
from scraper.extract.links.document import Document, parse_document
from scraper.model import Url
from scraper.urls.canonicalize import canonicalize
from tests.explain.sample_pages import PRODUCT_PAGE


def document(text: str = PRODUCT_PAGE) -> Document:
    url = canonicalize("http://h.example/")
    assert isinstance(url, Url)
    return parse_document(text.encode(), "text/html; charset=utf-8", url)


MISSES = {
    "a typo in a class": (".prise_color", "the page has .price_color"),
    "a class without its dot": ("product", "the page has .product"),
    "a part of a name": (".title", ".product-title"),
    "how far it gets": ("article.product .cost", "'article.product' is there 1x, but nothing in it is '.cost'"),
    "an id": ("#abuot", "the page has #about"),
    "a wrong order": ("h3 article", "'h3' is there 1x"),
    "an attribute": ("article[data-x]", "without '[data-x]' it matches 1x"),
    "a pseudo-class": ("article:has(video)", "without ':has(video)' it matches 1x"),
    "an id of digits": ("#123", "no '#123' on this page"),
    "a child that is none": ("article > b", "no 'b' on this page"),
    "names apart": ("h3.product", "each of its names is on the page, but never together"),
    "an escaped name": (r".md\:flex", r"no '.md\\:flex' on this page"),
    "another script": (".überschrift", "no '.überschrift' on this page"),
    "a blank in a text": ('article[title="a b"]', "without '[title=\"a b\"]' it matches 1x"),
    "nothing alike": (".zzzzqqqq", "no '.zzzzqqqq' on this page"),
}


@pytest.mark.parametrize("case", MISSES)
def test_a_selector_that_finds_nothing_gets_proposals(case: str) -> None:
    """Names that look alike, and the part of the selector that does find something."""
    selector, says = MISSES[case]
    probe = probe_css(document(), selector)
    assert probe.count == 0
    assert any(says in hint for hint in probe.hints), probe.hints


@given(st.text(max_size=60))
def test_no_expression_breaks_a_probe(text: str) -> None:
    """Whatever is typed is answered: matches, hints, or that it is no selector."""
    probe = probe_css(document(), text)
    assert probe.count or probe.hints or probe.problem is not None


def test_an_attribute_that_is_not_there() -> None:
    """The attributes that the elements have are named."""
    assert probe_css(document(), "img@srcset").hints == ("none of them has the attribute 'srcset'; they have: src",)


def test_near_misses_are_bounded_on_a_huge_page() -> None:
    """Ten thousand classes: only so many are inspected."""
    page = document("".join(f'<p class="c{n}">' for n in range(10_000)))
    vocabulary = PageNames.from_document(page)
    assert len(vocabulary.classes) == 4_000
    assert css_misses(page, ".c99999", vocabulary)


@pytest.mark.parametrize("text", ['<p class="md:flex überschrift c9999" id="123">t</p>' + '<i class="x{n}"></i>' * 3])
@pytest.mark.parametrize("selector", [r".md\:flex", ".überschrift", "#123", ".c9999", "P"])
def test_what_is_there_is_never_said_to_be_missing(text: str, selector: str) -> None:
    """Each hint is tried on the page; a name that it has is not among those that it lacks."""
    filler = "".join(f'<b class="f{n}">' for n in range(5_000))
    probe = probe_css(document(filler + text), f"{selector} video")
    assert not any(hint.startswith(f"no {selector!r}") for hint in probe.hints)
    assert any(hint.startswith("no 'video'") for hint in probe.hints)
