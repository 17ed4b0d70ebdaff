"""`scrape try`: one page, and what would come of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.explain.conftest import FinishedRun, RunCommand
from tests.explain.sample_pages import PRODUCT_PAGE


def test_a_page_is_reported_with_its_links_and_items(finished: FinishedRun, run_command: RunCommand) -> None:
    """Status, timing, charset, robots.txt with its line, links by outcome, items by the config's rules."""
    item_page = finished.shop + "/catalogue/page-1.html"
    out = run_command("try", item_page, "--config", str(finished.config)).output
    for part in ("robots        allow:", "200 text/html", "to the first byte", "utf-8", "fetch as page"):
        assert part in out
    assert "scope: scope.deny: '/cart'" in out
    assert "robots: robots.txt line 2: Disallow: /private/" in out
    assert "is not in the URL" in out


def test_items_and_selectors_of_the_config(finished: FinishedRun, run_command: RunCommand) -> None:
    """On a page that a rule is meant for, its items are shown, and every selector with how often it is found."""
    product = next(finished.folder.glob("items.jsonl")).read_text().split('"')[3]
    result = run_command("try", product, "--config", str(finished.config))
    assert result.exit_code == 0
    assert "items: 1" in result.output
    assert "extract[0].fields.price: '.price_color' finds 1 of 1" in result.output
    broken = run_command(
        "try", product, "-c", str(finished.config), "--set", "extract=[{each: article, fields: {p: .prise}}]"
    )
    assert "extract[0].fields.p: '.prise' finds NOTHING" in broken.output


def test_redirects_are_followed_step_by_step(finished: FinishedRun, run_command: RunCommand) -> None:
    """Each hop has its robots decision and its answer."""
    out = run_command("try", finished.shop + "/old/one.html").output
    assert [line.split()[1] for line in out.splitlines() if line.startswith("answer")] == ["302", "307", "200"]


def test_what_robots_forbids_is_not_requested(finished: FinishedRun, run_command: RunCommand) -> None:
    """The line that forbids it is named and the exit code is 1; the user may ask all the same."""
    result = run_command("try", finished.shop + "/private/staff.html")
    assert result.exit_code == 1
    assert "robots.txt line 2: Disallow: /private/" in result.output
    assert run_command("try", finished.shop + "/private/staff.html", "--set", "politeness.robots=ignore").exit_code == 0


def test_a_host_that_does_not_answer(run_command: RunCommand) -> None:
    """An address no one listens at is one line and exit 1."""
    result = run_command("try", "http://127.0.0.1:9/", "--set", "politeness.robots=ignore")
    assert (result.exit_code, "connect" in result.output) == (1, True)


def test_a_stored_page_needs_no_network(run_command: RunCommand, tmp_path: Path) -> None:
    """With --file nothing is requested; links resolve against --url."""
    path = tmp_path / "page.html"
    path.write_text(PRODUCT_PAGE + '<a href="/next">n</a>')
    result = run_command("try", "--file", str(path), "--url", "http://nobody.invalid/x/", "--css", "img@src")
    assert result.exit_code == 0
    assert "http://nobody.invalid/next" in result.output
    assert "img@src: 1 match" in result.output
    assert "'a.png'" in result.output


@pytest.mark.parametrize("arguments", [(), ("--file", "gone.html"), ("mailto:x",)])
def test_a_wrong_call_is_exit_2(run_command: RunCommand, arguments: tuple[str, ...]) -> None:
    """Told in a sentence, before anything is requested."""
    assert run_command("try", *arguments).exit_code == 2
