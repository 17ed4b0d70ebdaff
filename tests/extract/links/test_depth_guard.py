"""Pages that would take long to parse because of their nesting."""

from __future__ import annotations

import pytest

from scraper.extract.links.depth_guard import is_too_deep
from scraper.extract.links.document import TOO_DEEP_PROBLEM, parse_document
from tests.extract.links.test_document import PAGE


@pytest.mark.parametrize(
    "markup",
    [
        b"<div>" * 100_000,
        b"<table><tr><td>" * 50_000,
        b"<b>" * 20_000 + b"</p>" * 20_000,
        b"<div></x>" * 50_000,
        b"<div><script></div></script>" * 50_000,
        b"<div><!--</div>-->" * 50_000,
        b"<div title='</div>'>" * 50_000,
    ],
    ids=lambda markup: markup[:30].decode(),
)
def test_a_page_that_would_take_seconds_is_not_parsed(markup: bytes) -> None:
    """Elements nested by the ten thousand are rejected with a reason, however the nesting is hidden."""
    document = parse_document(markup, "text/html; charset=utf-8", PAGE)
    assert document.problem == TOO_DEEP_PROBLEM
    assert document.tree.css("div") == []


@pytest.mark.parametrize(
    "markup",
    [
        b"<ul>" + b"<li><a href=x><b>text</b></a>" * 30_000,
        b"<p>text<br><img src=x>" * 30_000,
        b"<table>" + b"<tr><td>x<td>y" * 30_000,
        b"<div><p>x</p></div>" * 30_000,
        b"<!-- x --><script>if (a < b) '</div>'</script>" * 10_000,
        b"<" * 100_000,
        b"<a '" * 20_000,
    ],
    ids=lambda markup: markup[:30].decode(),
)
def test_a_large_flat_page_is_parsed(markup: bytes) -> None:
    """Size alone is no reason to refuse."""
    assert not is_too_deep(markup)
