"""`scrape report`: one file that holds everything, loads nothing and cannot be broken into."""

from __future__ import annotations

import re
import shutil
import subprocess
import tracemalloc
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.report.html.charts import round_up_to_tick, share_text
from scraper.report.html.figures import MAX_COLUMNS, EvenSample, RunFigures, Timeline, gather_figures
from scraper.report.html.markup import link, tag
from scraper.report.html.page import ReportFacts, render_report
from scraper.report.html.style import STYLE
from tests.explain.big_run import EVIL, START, write_run
from tests.explain.conftest import FinishedRun, RunCommand

STATUS = {"name": f"big {EVIL}", "state": "ended: finished", "items": 5, "bytes": 10, "waiting": 0, "delayed": 0}
VOID = {"meta", "br", "rect", "line"}


class Reader(HTMLParser):
    """Reads a page and keeps what matters: elements, attributes, and whether all of them are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.ids |= {value for name, value in attrs if name == "id" and value}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("big")
    write_run(folder, 100_000)
    return folder


@pytest.fixture(scope="module")
def big_report(big: Path) -> str:
    return render_report(ReportFacts(gather_figures(big), STATUS, config=f"name: {EVIL}"))


def test_a_hundred_thousand_pages_fit_in_little(big_report: str) -> None:
    """Under 2 MB of output."""
    assert len(big_report.encode()) < 2_000_000
    assert "100,000" in big_report


def test_memory_does_not_grow_with_the_run(tmp_path: Path) -> None:
    """Ten thousand pages take as much as twenty thousand: a few megabytes."""
    peaks = []
    for pages in (10_000, 20_000):
        write_run(tmp_path / str(pages), pages)
        tracemalloc.start()
        gather_figures(tmp_path / str(pages))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < 5_000_000
    assert peaks[1] < 1.5 * peaks[0]


def test_nothing_that_a_page_says_becomes_markup(big_report: str) -> None:
    """No script, no handler, no foreign address in the file, and a policy that would stop them."""
    reader = read(big_report)
    assert not {"script", "img", "iframe", "link", "object"} & set(reader.tags)
    names = {name for name, _ in reader.attributes}
    assert not {name for name in names if name.startswith("on")}
    assert "src" not in names
    hrefs = [value or "" for name, value in reader.attributes if name == "href"]
    assert all(href.startswith(("https://", "http://", "#")) for href in hrefs)
    assert "default-src 'none'" in big_report.replace("&#x27;", "'")
    assert "\u202e" not in big_report


def test_it_is_accessible(big_report: str) -> None:
    """A language, one h1, labelled sections, tables with captions, pictures with words, links that lead somewhere."""
    reader = read(big_report)
    assert ("lang", "en") in reader.attributes
    assert reader.tags.count("h1") == 1
    assert reader.tags.count("caption") == reader.tags.count("table")
    labels = {value for name, value in reader.attributes if name == "aria-labelledby"}
    targets = {
        (value or "")[1:] for name, value in reader.attributes if name == "href" and (value or "").startswith("#")
    }
    assert labels <= reader.ids
    assert targets <= reader.ids
    assert reader.tags.count("svg") == 1
    assert any(
        name == "aria-label" and (value or "").startswith("Columns over time") for name, value in reader.attributes
    )


@given(st.text(), st.text())
def test_text_is_escaped_wherever_it_stands(text: str, attribute: str) -> None:
    """In an element and in an attribute, whatever it is."""
    made = tag("p", text, title=attribute)
    inner = made.removeprefix("<p ").removesuffix("</p>")
    assert made.count("<") == 2
    assert inner.count('"') == 2


def test_only_addresses_of_the_web_become_links() -> None:
    """`javascript:` stays text."""
    assert "<a" not in link("javascript:alert(1)")
    assert 'href="https://a.example/?a=1&amp;b=2"' in link("https://a.example/?a=1&b=2")


@given(st.lists(st.floats(0, 10**7), min_size=1, max_size=200))
def test_a_timeline_is_bounded_and_loses_nothing(instants: list[float]) -> None:
    """However long the run is: few columns, and their sum is what was counted."""
    timeline = Timeline()
    for at in instants:
        timeline.add(START + at, failed=at % 2 > 1, size=3)
    assert max(timeline.columns) < MAX_COLUMNS
    assert sum(ok + failed for ok, failed, _ in timeline.columns.values()) == len(instants)


@given(st.integers(0, 3000))
def test_a_spread_is_even_and_bounded(count: int) -> None:
    """Between n and 2n values, from all over, when there are as many."""
    spread = EvenSample(10)
    for n in range(count):
        if spread.is_wanted():
            spread.add(n)
    assert min(count, 10) <= len(spread.kept) <= 20
    if count >= 40:
        assert max(spread.kept) >= count // 2


def test_what_is_no_record_is_passed_over(tmp_path: Path) -> None:
    """An unfinished line, a list, junk values: the report is made of the rest."""
    lines = [b'{"url":"https://a.example/","status":200,"bytes":5,"elapsed_ms":1}', b"[1]", b"\xff\xfe", b'{"url":']
    odd = orjson.dumps({"url": None, "bytes": "x", "depth": -5, "fetched_at": "never", "elapsed_ms": None})
    (tmp_path / "pages.jsonl").write_bytes(b"\n".join([*lines[:3], odd, lines[3]]))
    figures = gather_figures(tmp_path)
    assert (figures.records, figures.ok) == (2, 2)
    read(render_report(ReportFacts(figures, STATUS)))
    read(render_report(ReportFacts(RunFigures(), {})))


def test_rejected_values_are_counted_by_field_and_reason(tmp_path: Path) -> None:
    """With an example address each."""
    bad = {"url": "https://a.example/1", "field": "price", "reason": f"not a number: {EVIL}", "rule": 0}
    (tmp_path / "rejected.jsonl").write_bytes(3 * (orjson.dumps(bad) + b"\n"))
    figures = gather_figures(tmp_path)
    assert list(figures.rejected.values()) == [[3, "https://a.example/1"]]
    assert "not a number" in render_report(ReportFacts(figures, STATUS))


def test_the_command_writes_one_file(finished: FinishedRun, tell: RunCommand, tmp_path: Path) -> None:
    """Everything the run has is in it: hosts, items, skipped reasons, config, breaker."""
    target = tmp_path / "r.html"
    assert tell("report", str(finished.folder), "-o", str(target)).exit_code == 0
    text = target.read_text()
    for part in ("max_pages", finished.shop.removeprefix("http://"), "Disallow: /private/", "strip_params", "price"):
        assert part in text
    assert tell("report", str(tmp_path / "none")).exit_code == 3
    assert tell("report", str(finished.folder), "-o", str(tmp_path / "no" / "folder.html")).exit_code == 3


def test_breakers_have_a_timeline() -> None:
    """What is kept of circuit breakers is drawn to the scale of its axis, and told in words."""
    steps = [
        {"at": "2023-11-14T22:13:20Z", "host": "", "state": "begin"},
        {"at": "2023-11-14T22:13:30Z", "host": "h1.example", "state": "open", "why": EVIL},
        {"at": "2023-11-14T22:14:30Z", "host": "h1.example", "state": "half-open"},
        {"at": "2023-11-14T22:14:31Z", "host": "h1.example", "state": "closed"},
        {"at": "junk", "host": "h2.example", "state": "open"},
        {"at": "2023-11-14T22:20:00Z", "host": "", "state": "end"},
    ]
    text = render_report(ReportFacts(RunFigures(), STATUS, breakers=steps))
    assert "h1.example: opened once, last closed" in text
    assert 'class="piece open" style="left:2.50%;width:15.00%"' in text
    assert "<span>22:13:20</span>" in text
    read(text)


def test_a_host_that_never_answered_is_among_the_hosts() -> None:
    """It has no record, but a state: waiting, its delay, its breaker."""
    state = {"waiting": 7, "delay_s": 0.5, "breaker": "open"}
    text = render_report(ReportFacts(RunFigures(), {**STATUS, "hosts": {"dead.example": state}}))
    assert 'dead.example</th><td class="num">0</td>' in text
    assert "500ms" in text


@pytest.mark.parametrize(
    ("value", "top"), [(0.03, 0.03), (0.7, 0.8), (1.01, 2), (473, 500), (574, 600), (9_001, 10_000)]
)
def test_an_axis_ends_with_a_round_number(value: float, top: float) -> None:
    """Not far above the highest column."""
    assert round_up_to_tick(value) == pytest.approx(top)


def test_small_shares_are_not_told_as_none() -> None:
    """Nor nearly all as all."""
    assert [share_text(n, 10_000) for n in (0, 1, 5, 5_000, 9_999, 10_000)] == [
        "0.0 %", "<0.1 %", "0.1 %", "50.0 %", ">99.9 %", "100.0 %",
    ]  # fmt: skip


def luminance(colour: str) -> float:
    """WCAG 2.2: relative luminance."""
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    channels = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_have_contrast(dark: bool) -> None:
    """WCAG AA: 4.5 for all text on both grounds, 3 for what is drawn."""
    blocks = re.findall(r":root\{([^}]*)\}", STYLE)
    colours = dict(re.findall(r"--(\w+):\s*(#[0-9a-f]{3,6})", blocks[0]))
    if dark:
        colours |= dict(re.findall(r"--(\w+):\s*(#[0-9a-f]{3,6})", blocks[1]))
    for ground in ("paper", "card"):
        for name, least in {"ink": 4.5, "dim": 4.5, "link": 4.5, "ok": 3, "failed": 3, "half": 3, "blocked": 3}.items():
            light, low = sorted((luminance(colours[name]), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (low + 0.05) >= least, (name, ground)


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def browse(page: Path, *options: str) -> str:
    """What Chromium says while it shows `page`."""
    assert CHROMIUM is not None
    ran = subprocess.run(
        [
            CHROMIUM,
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"),
            *(f"--user-data-dir={page.parent / 'profile'}", *options, page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.stderr


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["0", "1"], ids=["dark", "light"])
def test_a_browser_shows_it_without_complaint(big_report: str, tmp_path: Path, width: int, scheme: str) -> None:
    """Chromium renders it at the width of a phone and of a desk, and its policy is not broken by itself."""
    page, picture = tmp_path / "report.html", tmp_path / "shot.png"
    page.write_text(big_report, "utf-8")
    size = f"--window-size={width},1600"
    said = browse(page, size, f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}")
    assert picture.stat().st_size > 20_000
    assert "CONSOLE" not in said


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_prints_it(big_report: str, tmp_path: Path) -> None:
    """On a few sheets, whatever the run's size."""
    page, sheets = tmp_path / "report.html", tmp_path / "report.pdf"
    page.write_text(big_report, "utf-8")
    said = browse(page, "--no-pdf-header-footer", f"--print-to-pdf={sheets}")
    assert "CONSOLE" not in said
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", sheets.read_bytes())) <= 15
