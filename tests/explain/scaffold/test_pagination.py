"""How `scrape init` finds the way from a page of a list to the next."""

from __future__ import annotations

import pytest

from scraper.explain.scaffold.pagination import by_parameter, page_pattern
from scraper.explain.scaffold.rule_draft import YamlValue
from scraper.explain.scaffold.verify_rules import extract_with
from tests.explain.scaffold.proposals import CARDS, address, proposed

NEXT: dict[str, tuple[str, YamlValue]] = {
    "rel": ('<a rel="noopener next" href="?page=2">x</a>', {"rel": True}),
    "head": ('<link rel="NEXT" href="?page=2">', {"rel": True}),
    "class": ('<li class="next"><a href="?page=2">x</a></li>', ".next a"),
    "text": ('<a href="?page=2">Next page</a>', 'a:lexbor-contains("Next page")'),
    "its own class": ('<a href="/">Home</a><a class="n2" href="?page=2">older posts</a>', "a.n2"),
    "its parent's class": ('<p class="after"><a href="?page=2">next</a></p>', ".after > a"),
    "label": ('<a aria-label="Next" href="?page=2">&gt;</a>', 'a[aria-label="Next"]'),
    "sign": ('<a href="?page=2">»</a>', 'a:lexbor-contains("»")'),
    "after this page's number": ('<b class="current">1</b><a href="?page=2">2</a>', ".current + a"),
    "numbers in the query": ('<a href="?page=2">2</a><a href="?page=3">3</a>', {"page": "page"}),
}


@pytest.mark.parametrize("case", NEXT)
def test_pagination_becomes_next(case: str) -> None:
    """By relation, class, words or numbers; the rule's `next` leads to the page that the link leads to."""
    markup, way = NEXT[case]
    proposal, page = proposed(f"<body>{CARDS}{markup}")
    assert proposal.drafts[0].get("next") == way
    (asked,) = extract_with(proposal.drafts, page).requests
    assert asked.url.href == "https://shop.example/list?page=2"


def test_a_way_that_a_crawl_would_not_go_is_not_written() -> None:
    """A link with nofollow, or to another host: there is no `next`."""
    for link in ('<a rel="next nofollow" href="?page=2">2</a>', '<a class="next" href="https://other.example/2">n</a>'):
        proposal, _ = proposed(f"<body>{CARDS}{link}", "https://shop.example/list")
        assert proposal.drafts[0].get("next") is None


STEPS: dict[str, tuple[str, str, YamlValue | None]] = {
    "items counted": ("/l", "?start=20 ?start=40", {"offset": "start", "step": 20}),
    "from the middle": ("/l?start=40", "?start=0 ?start=20 ?start=60", {"offset": "start", "step": 20}),
    "pages from zero": ("/l?page=0", "?page=1 ?page=2", {"page": "page"}),
    "the first has no number": ("/l", "?p=2", {"page": "p"}),
    "the last page": ("/l?page=3", "?page=1 ?page=2", None),
    "no counting": ("/l", "?id=17", None),
    "uneven": ("/l", "?start=20 ?start=50", None),
}


@pytest.mark.parametrize("case", STEPS)
def test_how_a_parameter_counts(case: str) -> None:
    """By pages or by items, from what the links to the same page say."""
    here, targets, way = STEPS[case]
    url = address(f"https://f.example{here}")
    found = list(by_parameter(url, [f"https://f.example/l{target}" for target in targets.split()]))
    assert [turn.value for turn in found] == ([way] if way is not None else [])


def test_pages_counted_in_the_path_are_followed() -> None:
    """Where no link says next, a rule of its own follows the numbered ones."""
    proposal, page = proposed(
        f"<body>{CARDS}<a href='/list/page/2'>2</a><a href='/list/page/3'>3</a>", "https://a.b/list"
    )
    assert [draft.title for draft in proposal.drafts] == ["each: div.card", "follow"]
    assert proposal.yields == (8, 2)
    asked = extract_with(proposal.drafts, page).requests
    assert [request.url.target for request in asked] == ["/list/page/2", "/list/page/3"]


PATTERNS = {
    "a number in the query": ("/list?page=1", "/list?page=2", r"/list\?page=[0-9]+$"),
    "a number in the path": ("/c/page-1.html", "/c/page-2.html", r"/c/page-[0-9]+\.html$"),
    "a first page without": ("/list", "/list?page=2", r"/list\?page=[0-9]+$|/list$"),
    "a folder": ("/blog/", "/blog/page/2/", r"/blog/page/[0-9]+/$|/blog/$"),
    "no number": ("/index.html", "/preface.html", None),
    "another site": ("/list", "//other.example/2", None),
}


@pytest.mark.parametrize("case", PATTERNS)
def test_pages_of_a_list_have_a_pattern(case: str) -> None:
    """The number that changes; a host's digits are none."""
    here, following, pattern = PATTERNS[case]
    base = "http://10.0.0.2:8080"
    target = f"http:{following}" if following.startswith("//") else base + following
    assert page_pattern(address(base + here), target) == pattern
