"""Why an XPath expression selects nothing."""

from __future__ import annotations

import pytest

from scraper.explain.pages.expressions import probe_expression
from tests.explain.sample_pages import html

MISSES: dict[str, tuple[str, str]] = {
    "a typo in a name": ("//artcle/h3", "no 'artcle' on this page; there is: article 2x"),
    "names that look alike": ("//artcle/h3", "similar: article"),
    "how far it gets": ("//article/h2", "'//article' is there 2x"),
    "its children": ("//article/h2", "no 'h2' directly in it; there is: h3 2x, span 1x, img 1x, a 1x"),
    "a level too few": ("//table/tr", "no 'tr' directly in it; there is: tbody 1x"),
    "no such attribute": ("//img/@scr", "none has the attribute 'scr'; there is: src 1x; similar: src"),
    "an attribute's value": ("//article[@class='prodct']", "their 'class' is: 'product big' 1x, 'product' 1x"),
    "a value that looks alike": ("//article[@class='prodct']", "similar: 'product'"),
    "a condition on no attribute": ("//article[@id='x']",
        "none of them has the attribute 'id'; there is: class 2x"),
    "the second condition": ("//article[h3][h4]/h3", "'//article[h3]' is there 2x, but none meets [h4]"),
    "a text": ("//th[text()='Weight']/following-sibling::td", "their text is: 'Size' 1x"),
    "text further down": ("//td/text()", "there is no text directly in it; it is in: b 1x"),
    "a sibling": ("//th/following-sibling::dd", "no 'dd' on its following-sibling::; there is: td 1x"),
    "capital letters": ("//ARTICLE", "similar: article"),
    "from the top": ("/body/div", "no 'body' at the top; there is: html 1x"),
    "inside a function": ("string(//h9)", "no 'h9' on this page"),
    "a union": ("//h8 | //h9", "no 'h9' on this page"),
    "too high a number": ("//article[7]", "'//article' is there 2x, but none meets [7]"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISSES)
def test_what_is_not_found_gets_near_misses(case: str) -> None:
    """The first step that fails, what is there instead, and similar names."""
    text, says = MISSES[case]
    found = probe_expression(html(), "xpath", text)
    assert (found.count, found.problem) == (0, None)
    assert any(says in hint for hint in found.hints), found.hints
