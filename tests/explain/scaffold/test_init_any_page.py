"""Whatever a page holds, the config that `scrape init` writes is right."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.config.reading.load import parse_config
from scraper.explain.scaffold.config_writer import SiteFacts, write_config
from scraper.explain.scaffold.propose_rules import ideas_for_json, propose_rules
from scraper.model import Url
from scraper.urls.canonicalize import canonicalize
from tests.explain.scaffold.proposals import CARDS, address, items_of, page_of, proposed

MACHINES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=8), MACHINES, max_size=5), st.integers(1, 3))
def test_whatever_a_page_says_for_machines_the_config_loads(thing: dict[str, object], count: int) -> None:
    """JSON-LD of any shape: the config is right, and a rule for it finds something."""
    script = json.dumps([{**thing, "@type": "Product"}] * count).replace("<", "\\u003c")
    text = f'<body>{CARDS}<script type="application/ld+json">{script}</script>'
    items_of(text)
    items_of(text.replace(CARDS, ""))
    assert all(proposed(text)[0].yields)


@settings(max_examples=100, deadline=None)
@given(MACHINES, st.text(max_size=20))
def test_whatever_an_api_answers_the_config_loads(value: object, query: str) -> None:
    """JSON of any shape, at any address: the config is right, and every rule of it finds something."""
    text = json.dumps(value)
    found = canonicalize("https://a.example/api?page=1&" + query)
    url = found if isinstance(found, Url) else address("https://a.example/api")
    page = page_of(text, url.href, "application/json")
    proposal = propose_rules(ideas_for_json(json.loads(text), url, page.headers), page)
    assert parse_config(write_config(proposal, SiteFacts(url, url))).seeds
    assert all(proposal.yields)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40), st.text(max_size=30), st.integers(0, 6))
def test_whatever_a_page_holds_the_config_loads(text: str, name: str, count: int) -> None:
    """Classes, texts and attributes of any kind: the config is right, and a line of it stays one line."""
    block = f'<div class="{name}" data-{name}="{text}"><b class="{text}">{text}</b><a href="{text}">{text}</a></div>'
    items_of(f"<body><h1>{text}</h1>{block * count}")


PIECES = [
    "<ul>", "</ul>", "<li class='a b'>", "<a href='/x", "'>", "</a>", "<table><tr>", "<td>", "<dl><dt>", "<dd>", "<div",
    ">",
    "<a rel=next href=?page=2>Next</a>", "<p itemprop='url x'>", "<link rel=alternate type=application/rss+xml href='",
    "<script type=application/ld+json>", "</script>", '{"@type":', '"Product", "name": [', "]}", "<base href='//x'>",
    "<meta property='og:title' content='", "<h1 class=\"'{}[],&*#?|-<>=!%@`\">", "<b class='current'>1</b>", "<!--",
    "\x1b]0;x",
    "<svg><path>", "\u2028", "<x-y:z>", "\0",
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=30), st.integers(1, 5))
def test_whatever_soup_a_page_is_the_config_loads(pieces: list[str], times: int) -> None:
    """Broken, unclosed and hostile markup: the config is right, and every rule of it finds something."""
    text = "".join(pieces) * times
    items_of(text)
    assert all(proposed(text)[0].yields)
