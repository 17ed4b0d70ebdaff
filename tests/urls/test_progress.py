"""Patterns whose pages bring nothing new are closed; nothing that brings something is cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from time import perf_counter

import pytest

from scraper.model import Item, Request
from scraper.testing.fakes import make_request
from scraper.urls.progress import MAX_PAGE_BYTES, MAX_PATTERNS, MAX_WARNINGS, NUMBERED_FACTOR, UrlProgress
from scraper.urls.traps import TrapSettings

H = "http://h.example"
LIMIT = 10
# Words that differ in their letters, as those of texts do.
LETTERS = str.maketrans("0123456789", "abcdefghij")

Page = tuple[str, list[str]]
Site = Callable[[str], Page]


def word(number: int) -> str:
    return f"word{number}".translate(LETTERS)


class Crawl:
    """A crawl of a site of functions, one page after the other, through the rules alone."""

    def __init__(self, site: Site, progress: UrlProgress | None = None, start: str = "/") -> None:
        self.site = site
        self.progress = progress or UrlProgress(TrapSettings(max_unproductive=LIMIT))
        self.queue = deque([make_request(H + start)])
        self.known = {H + start}
        self.fetched: list[str] = []
        self.rules: set[str] = set()

    def run(self, most: int = 5_000) -> Crawl:
        while self.queue and len(self.fetched) < most:
            request = self.queue.popleft()
            if (rule := self.progress.rule_against_queued(request)) is not None:
                self.rules.add(rule)
                continue
            self.fetched.append(request.url.target)
            text, targets = self.site(request.url.target)
            links = "".join(f'<a href="{target}">.</a>' for target in targets)
            found = [
                make_request(H + target, parent=request.url.href) for target in targets if H + target not in self.known
            ]
            denied = self.progress.judge(request, found, (), f"<p>{text}</p>{links}".encode())
            self.rules.update(closed.rule for closed in denied)
            refused = {closed.request.url.href for closed in denied}
            for one in found:
                if one.url.href not in refused and one.url.href not in self.known:
                    self.known.add(one.url.href)
                    self.queue.append(one)
        return self


def month_after(target: str) -> str:
    year, month = map(int, target.rpartition("/")[2].split("-")[:2])
    return f"{year + month // 12}-{month % 12 + 1:02}"


def calendar(target: str) -> Page:
    """Months without an event, from the home page onwards."""
    return ("welcome", ["/cal/2024-01"]) if target == "/" else ("nothing planned", [f"/cal/{month_after(target)}"])


def months_and_days(target: str) -> Page:
    """Each month has a page for each of its days."""
    if target == "/":
        return "welcome", ["/month/2024-01"]
    if target.startswith("/month/"):
        month = target.rpartition("/")[2]
        return "nothing planned", [f"/month/{month_after(target)}", *(f"/day/{month}-{day:02}" for day in range(1, 29))]
    return "nothing on this day", [f"/month/{month_after(target)}"]


def facets(target: str) -> Page:
    """Five filters of four values over forty things, in any order."""
    if target.startswith("/item/"):
        return "a thing", []
    query = target.partition("?")[2]
    chosen = query.split("&") if query else []
    used = {one.partition("=")[0] for one in chosen}
    more = [
        "&".join([*chosen, f"f{name}={value}"]) for name in range(5) if f"f{name}" not in used for value in range(4)
    ]
    return "all things", [*(f"/item/{number}" for number in range(40)), *(f"/items?{one}" for one in more)]


def repeated_last_page(target: str) -> Page:
    """A list of three pages; any further one shows the last, and names the next."""
    number = int(target.partition("=")[2] or 1)
    shown = min(number, 3)
    return f"page {number}", [*(f"/item/{shown}-{i}" for i in range(5)), f"/list?page={number + 1}"]


def no_scheme(target: str) -> Page:
    """Links such as `http:/a.example/`, relative by mistake, on a site that answers every path with its home page."""
    return "home", [f"{target.rstrip('/')}/http:/{host}.example" for host in ("one", "two", "three")]


ENDLESS: dict[str, tuple[Site, int, str]] = {
    "calendar": (calendar, 30, "/cal/{date}"),
    "months and days": (months_and_days, 150, "/month/{date}"),
    "facets": (facets, 700, "/items?f0&f1&f2"),
    "the last page again": (repeated_last_page, 40, "/list?page"),
    "no scheme": (no_scheme, 60, "/http:/..."),
}


@pytest.mark.parametrize(("site", "most", "pattern"), ENDLESS.values(), ids=ENDLESS)
def test_an_endless_site_ends_and_says_which_pattern(site: Site, most: int, pattern: str) -> None:
    """Soon after its pages bring nothing new; the rule has the key, its value and the pattern."""
    crawl = Crawl(site).run()
    assert len(crawl.fetched) <= most
    assert f"traps.max_unproductive: {LIMIT} ({H}{pattern})" in crawl.rules
    warnings = crawl.progress.take_warnings()
    assert warnings
    assert all("scope.traps.max_unproductive" in text for text in warnings)
    assert len(warnings) <= MAX_WARNINGS
    assert crawl.progress.take_warnings() == []


def test_facets_cost_none_of_the_things() -> None:
    """The combinations are cut, not what they list."""
    crawl = Crawl(facets, start="/items").run()
    assert sum(target.startswith("/item/") for target in crawl.fetched) == 40


def long_list(target: str) -> Page:
    """A shop: a thousand pages of a list, each with ten things, which differ in their numbers alone."""
    if target.startswith("/item/"):
        return f"Thing {target.rpartition('/')[2]}", ["/"]
    number = int(target.partition("page=")[2] or 1)
    items = [f"/item/{number}{i}" for i in range(10)]
    return f"page {number}", [*items, *([f"/list?sort=name&page={number + 1}"] if number < 1000 else [])]


def texts(target: str) -> Page:
    """A book whose pages have nothing but a number and a text of their own."""
    number = int(target.rpartition("/")[2] or 0)
    return word(number), [f"/2024-01/{number + 1}"] if number < 500 else []


def numbers(target: str) -> Page:
    """A generated site: pages that differ in their number, each with two others."""
    number = int(target.rpartition("/")[2] or 0)
    return f"page {number}", [f"/p/{n}" for n in (2 * number + 1, 2 * number + 2) if n < 3_000]


def archive(target: str) -> Page:
    """News by day, with an article now and then, behind weeks without any."""
    if target.startswith("/article/"):
        return word(int(target.rpartition("/")[2])), ["/"]
    if target == "/":
        return "news", ["/2024/01/01"]
    day = sum(int(part) * weight for part, weight in zip(target.split("/")[1:], (336, 28, 1), strict=True))
    year, rest = divmod(day - 28, 336)
    following = f"/{year:04}/{rest // 28 + 1:02}/{rest % 28 + 1:02}"
    links = [following] if year < 2027 else []
    return "news of the day", [*links, *([f"/article/{day}"] if day % (LIMIT - 1) == 0 else [])]


FINITE: dict[str, tuple[Site, int]] = {
    "a list with new things": (long_list, 1 + 999 + 10_000),
    "texts": (texts, 501),
    "generated pages": (numbers, 3_000),
    "an archive with gaps": (archive, 100),
}


@pytest.mark.parametrize(("site", "fewest"), FINITE.values(), ids=FINITE)
def test_what_brings_something_is_never_cut(site: Site, fewest: int) -> None:
    """Every page of a site that has an end, however many and however alike they are."""
    crawl = Crawl(site).run(most=20_000)
    assert crawl.rules == set()
    assert not crawl.queue
    assert len(crawl.fetched) >= fewest


def chain(count: int, first: int = 0) -> Iterator[tuple[Request, list[Request]]]:
    """Months, each found on the one before, with the link to the next."""
    urls = [f"{H}/cal/{2000 + number // 12}-{number % 12 + 1:02}" for number in range(first, first + count + 2)]
    for before, url, after in zip(urls, urls[1:], urls[2:], strict=False):
        yield make_request(url, parent=before), [make_request(after, parent=url)]


def denied_after(progress: UrlProgress, pages: int, content: bytes | None = b"<p>nothing</p>", first: int = 0) -> int:
    """The number of the first page in a chain whose link is denied, from 1; 0 when none is."""
    for number, (page, links) in enumerate(chain(pages, first), 1):
        if progress.judge(page, links, (), content):
            return number
    return 0


def test_the_limit_counts_pages_in_a_row() -> None:
    """A page with a new word begins the count again, and opens a closed pattern for its own links."""
    progress = UrlProgress(TrapSettings(max_unproductive=LIMIT))
    first = denied_after(progress, 100)
    assert LIMIT <= first <= LIMIT + 3
    page, links = next(chain(1, 300))
    assert progress.judge(page, links, (), b"<p>something</p>") == []
    assert denied_after(progress, 100, first=400) >= LIMIT


@pytest.mark.parametrize(
    "brings",
    [
        pytest.param({"content": b'<p>nothing</p><img src="/photo/%d.jpg">'}, id="an image"),
        pytest.param({"content": b"<p>nothing</p><img alt=w%s>"}, id="its description"),
        pytest.param({"items": True}, id="an item"),
        pytest.param({"link": True}, id="a link out of the family"),
        pytest.param({"content": None}, id="a page that is not in memory"),
        pytest.param({"content": b" " * (MAX_PAGE_BYTES + 1)}, id="a large page"),
        pytest.param({"content": "<p>nothing</p>".encode("utf-16")}, id="UTF-16"),
    ],
)
def test_what_counts_as_new(brings: dict[str, object]) -> None:
    """Anything that a reader would miss; and what was not looked at is never held against a page."""
    progress = UrlProgress(TrapSettings(max_unproductive=LIMIT))
    for number, (page, links) in enumerate(chain(200)):
        content = brings.get("content", b"<p>nothing</p>")
        if isinstance(content, bytes) and b"%d" in content:
            content = content % number
        elif isinstance(content, bytes) and b"%s" in content:
            content = content % word(number).encode()
        items = [Item({"n": number})] if brings.get("items") else []
        more = [make_request(f"{H}/about/{word(number)}", parent=page.url.href)] if brings.get("link") else []
        assert progress.judge(page, links + more, items, content) == []  # type: ignore[arg-type]


def test_numbered_pages_have_a_higher_limit_and_their_own_number_is_not_new() -> None:
    """Pages that say `page 57` and nothing else are alike; a table of measurements is not."""

    def judged(text: Callable[[int], str]) -> int:
        progress = UrlProgress(TrapSettings(max_unproductive=LIMIT))
        for number in range(1, 1_000):
            page = make_request(f"{H}/l?page={number}", parent=f"{H}/l?page={number - 1}")
            link = make_request(f"{H}/l?page={number + 1}", parent=page.url.href)
            if progress.judge(page, [link], (), f"<p>{text(number)}</p>".encode()):
                return number
        return 0

    found = judged(lambda number: f"page {number} of 3, next {number + 1}")
    assert NUMBERED_FACTOR * LIMIT <= found <= NUMBERED_FACTOR * LIMIT + 10
    assert judged(lambda number: f"measured {number * 7919}") == 0


def test_scripts_and_comments_are_no_text() -> None:
    """They hold tokens and times that differ on every page; a hostile page does not hold up the crawl."""
    progress = UrlProgress(TrapSettings(max_unproductive=LIMIT))
    for number, (page, links) in enumerate(chain(40)):
        new = word(number)
        content = f"<SCRIPT>{new}</SCRIPT><!-- {new} --><p class={new}>nothing</p><style>{new}</style><script>{new}"
        if progress.judge(page, links, (), content.encode()):
            break
    else:
        raise AssertionError("never ended")
    page, links = next(chain(1, 900))
    before = perf_counter()
    progress.judge(page, links, (), b"<script" * (MAX_PAGE_BYTES // 7))
    progress.judge(page, links, (), b" src" * (MAX_PAGE_BYTES // 4))
    assert perf_counter() - before < 5


def test_other_pages_may_name_what_is_closed() -> None:
    """Links from outside the family, in a menu or a sitemap, are never denied."""
    progress = UrlProgress(TrapSettings(max_unproductive=LIMIT))
    assert denied_after(progress, 100)
    home = make_request(f"{H}/events", parent=f"{H}/")
    month = make_request(f"{H}/cal/2031-01", parent=home.url.href)
    assert progress.judge(home, [month], (), b"<p>nothing</p>") == []
    assert progress.rule_against_queued(month) is None


def test_allow_and_null_turn_it_off() -> None:
    """`allow` for some URLs, null for all."""
    for settings in (TrapSettings(max_unproductive=None), TrapSettings(max_unproductive=LIMIT, allow=("/cal/",))):
        progress = UrlProgress(settings)
        assert denied_after(progress, 500) == 0
        assert progress.to_json() is None


def test_a_later_session_goes_on() -> None:
    """It learns again what pages contain, and then needs no second streak."""
    first = UrlProgress(TrapSettings(max_unproductive=LIMIT))
    assert denied_after(first, 100)
    state = first.to_json()
    assert state is not None
    assert first.to_json() is None
    second = UrlProgress(TrapSettings(max_unproductive=LIMIT))
    second.restore(state)
    assert 0 < denied_after(second, 100, first=200) <= LIMIT + 1


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '{"patterns": {"a": 1}, "paths": {}}', '{"patterns": {}}'])
def test_a_state_that_cannot_be_read_is_none(text: str) -> None:
    """Counting begins anew, which cuts nothing."""
    progress = UrlProgress(TrapSettings(max_unproductive=LIMIT))
    progress.restore(text)
    assert progress.to_json() is None
    assert denied_after(progress, 100) >= LIMIT


def test_memory_is_bounded() -> None:
    """However many patterns a site has."""
    progress = UrlProgress(TrapSettings(max_unproductive=LIMIT))
    for number in range(MAX_PATTERNS + 100):
        page = make_request(f"{H}/{word(number)}/2024-02", parent=f"{H}/{word(number)}/2024-01")
        link = make_request(f"{H}/{word(number)}/2024-03", parent=page.url.href)
        progress.judge(page, [link], (), b"")
    state = progress.to_json() or ""
    assert state.count("{date}") <= 2 * MAX_PATTERNS
