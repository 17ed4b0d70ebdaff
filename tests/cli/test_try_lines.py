"""How `scrape try` prints: lines of a terminal hang together, a pipe's are whole, nothing escapes."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from scraper.cli.try_lines import print_line, step_lines
from scraper.explain.pages.page_request import RequestStep
from scraper.explain.pages.repl_session import StyledLine
from scraper.politeness.robots_cache import RobotsVerdict
from scraper.testing.fakes import make_request

LONG = "no 'artcle' on this page; there is: " + ", ".join(f"name{n} {n}x" for n in range(20))


def printed(width: int, *, terminal: bool, label: str, line: StyledLine | str, no_color: bool = True) -> list[str]:
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=terminal, no_color=no_color, soft_wrap=True, highlight=False
    )
    print_line(console, label, line)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_long_lines_hang_below_their_beginning(width: int) -> None:
    """In a terminal no line is wider than it, words stay whole, and what follows is indented."""
    lines = printed(width, terminal=True, label="", line=StyledLine(f"  ! {LONG}"))
    assert len(lines) > 1
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("  ! no 'artcle'")
    assert all(line.startswith("    ") for line in lines[1:])
    assert " ".join(line.strip() for line in lines) == f"! {LONG}"
    labelled = printed(width, terminal=True, label="hook", line=LONG)
    assert all(line.startswith(" " * 14) for line in labelled[1:])


def test_a_pipe_gets_whole_lines() -> None:
    """Each line stays one, however long."""
    assert printed(80, terminal=False, label="", line=StyledLine(f"  ! {LONG}")) == [f"  ! {LONG}"]


@pytest.mark.parametrize("tone", ["", "miss", "hint", "bad"])
def test_no_color_means_none(tone: str) -> None:
    """Without colours what stands out does so by its words and weight."""
    line = StyledLine("extract[0].each: 'x' finds NOTHING", tone)  # type: ignore[arg-type]
    (plain,) = printed(80, terminal=True, label="", line=line)
    assert "\x1b[3" not in plain
    (coloured,) = printed(80, terminal=True, label="", line=line, no_color=False)
    assert ("\x1b[" in coloured) == bool(tone)


def test_what_a_page_holds_stays_one_line() -> None:
    """Escape sequences, line breaks and bidi marks of a page are taken out."""
    (line,) = printed(80, terminal=False, label="title", line="a\x1b]0;x\x07b\nc\u202e[bold]d")
    assert line == "title         ab c[bold]d"


@pytest.mark.parametrize(
    ("verdict", "says"),
    [
        (RobotsVerdict("deny", "robots.txt line 2: Disallow: /", 2), "robots.txt forbids it"),
        (RobotsVerdict("defer", "robots_unreachable: refused"), "robots.txt could not be read"),
        (RobotsVerdict("deny", "robots.txt: HTTP 403"), "which the config takes for a refusal"),
    ],
)
def test_robots_txt_is_blamed_only_for_what_it_says(verdict: RobotsVerdict, says: str) -> None:
    """A robots.txt that could not be read forbids nothing: the line says what it is."""
    step = RequestStep(make_request("http://a.example/"), verdict, None)
    (answer,) = [text for label, text in step_lines(step, obeys_robots=True) if label == "answer"]
    assert says in answer
    assert ("forbids" in answer) == (says == "robots.txt forbids it")
