"""`scrape report`: one file that holds everything, loads nothing and cannot be broken into."""

from __future__ import annotations

import re
import shutil
import subprocess
import tracemalloc
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scraper.report.html.figures import RunFigures, gather_figures
from scraper.report.html.page import ReportFacts, render_report
from tests.explain.big_run import EVIL, write_run
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


def test_the_command_writes_one_file(finished: FinishedRun, run_command: RunCommand, tmp_path: Path) -> None:
    """Everything the run has is in it: hosts, items, skipped reasons, config, breaker."""
    target = tmp_path / "r.html"
    assert run_command("report", str(finished.folder), "-o", str(target)).exit_code == 0
    text = target.read_text()
    for part in ("max_pages", finished.shop.removeprefix("http://"), "Disallow: /private/", "strip_params", "price"):
        assert part in text
    assert run_command("report", str(tmp_path / "none")).exit_code == 3
    assert run_command("report", str(finished.folder), "-o", str(tmp_path / "no" / "folder.html")).exit_code == 3


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
    result = browse(page, size, f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}")
    assert picture.stat().st_size > 20_000
    assert "CONSOLE" not in result


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_prints_it(big_report: str, tmp_path: Path) -> None:
    """On a few sheets, whatever the run's size."""
    page, sheets = tmp_path / "report.html", tmp_path / "report.pdf"
    page.write_text(big_report, "utf-8")
    result = browse(page, "--no-pdf-header-footer", f"--print-to-pdf={sheets}")
    assert "CONSOLE" not in result
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", sheets.read_bytes())) <= 15
