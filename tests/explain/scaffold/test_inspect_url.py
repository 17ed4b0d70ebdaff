"""`scrape init`: the config it writes loads, runs, and finds what is on the page."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scraper.config.reading.load import load_config, parse_config
from tests.explain.conftest import FinishedRun, RunCommand
from tests.explain.scaffold.proposals import CARDS, items_of


def test_the_command_writes_a_config_that_runs(finished: FinishedRun, run_command: RunCommand, tmp_path: Path) -> None:
    """init, validate, try: on the bundled shop all items of a list are found; a file is not replaced unasked."""
    path = tmp_path / "shop.yaml"
    listing = finished.shop + "/catalogue/page-1.html"
    result = run_command("init", listing, "-o", str(path))
    assert result.exit_code == 0, result.output
    assert "extract[0] each: article.product: 20 items on this page" in result.output
    config = load_config(path)
    assert "price" in config.extract[0].fields
    assert run_command("validate", str(path)).exit_code == 0
    assert "items: 20" in run_command("try", listing, "--config", str(path)).output
    assert run_command("init", listing, "-o", str(path)).exit_code == 2
    assert run_command("init", listing, "-o", str(path), "--force").exit_code == 0
    assert "each: article.product" in run_command("init", listing).output


@pytest.mark.parametrize(("path", "says"), [("/private/staff.html", "robots.txt line"), ("/missing/one.html", "404")])
def test_a_page_that_cannot_be_read(finished: FinishedRun, run_command: RunCommand, path: str, says: str) -> None:
    """Exit 1 with the reason, and nothing is written."""
    result = run_command("init", finished.shop + path)
    assert (result.exit_code, says in result.output) == (1, True)
    assert "seeds" not in result.output


def test_a_stored_page_makes_no_request(run_command: RunCommand, tmp_path: Path) -> None:
    """--file needs no network; the feeds of such a page were not inspected and stand in comments."""
    (tmp_path / "p.html").write_text(f"<link rel=alternate type=application/rss+xml href=/feed><body>{CARDS}")
    result = run_command("init", "https://shop.invalid/", "--file", str(tmp_path / "p.html"))
    assert result.exit_code == 0
    assert "  # - {sitemap: 'https://shop.invalid/feed'}" in result.output
    loaded = parse_config(result.output.partition("extract[0] ")[0].replace("  # - {sitemap", "  - {sitemap"))
    assert loaded.seeds[1].sitemap == "https://shop.invalid/feed"


NOTHING = {
    "empty": ("", "is empty"),
    "blank": ("<html></html>", "nothing on this page can be extracted as an item"),
    "a refresh": ("<meta http-equiv=refresh content='0;url=/start'>", "only redirects to https://shop.invalid/start"),
    "too deep": ("<div>" * 100_000, "nested too deeply"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_a_page_without_anything(run_command: RunCommand, tmp_path: Path, case: str) -> None:
    """Exit 1 with the reason, and no config."""
    text, says = NOTHING[case]
    (tmp_path / "p.html").write_text(text)
    result = run_command("init", "https://shop.invalid/", "--file", str(tmp_path / "p.html"))
    assert (result.exit_code, says in result.output, "seeds" in result.output) == (1, True, False)


FEED = b"<rss><channel><item><link>https://shop.invalid/1</link></item></channel></rss>"
OTHER = {
    "binary": ("p.png", b"\x89PNG\r\n\x1a\n\0", "neither HTML nor JSON"),
    "broken JSON": ("p.json", b"{", "cannot be parsed"),
    "a stored feed": (
        "p.xml",
        b"<rss><channel><item><link>https://shop.invalid/1</link></item></channel></rss>",
        "RSS feed",
    ),
    "a text": ("p.txt", b"hello", "neither HTML nor JSON"),
}


@pytest.mark.parametrize("case", OTHER)
def test_what_is_no_page(run_command: RunCommand, tmp_path: Path, case: str) -> None:
    """Exit 1: what it is instead."""
    name, content, says = OTHER[case]
    (tmp_path / name).write_bytes(content)
    result = run_command("init", "https://shop.invalid/", "--file", str(tmp_path / name))
    assert (result.exit_code, says in result.output) == (1, True), result.output


def test_json_needs_its_extra(run_command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without JMESPath a JSON page is exit 2 with what to install, and structured objects are taken whole."""
    monkeypatch.setitem(sys.modules, "jmespath", None)
    (tmp_path / "p.json").write_text('[{"a": 1, "b": 2}]')
    result = run_command("init", "https://shop.invalid/", "--file", str(tmp_path / "p.json"))
    assert (result.exit_code, "pip install 'scraper[json]'" in result.output) == (2, True)
    ld = '<script type="application/ld+json">{"@type": "Product", "name": "Lamp", "sku": "7"}</script>'
    items, written = items_of(f"<h1>Lamp</h1>{ld}")
    assert items[0].fields["product"] == {"@type": "Product", "name": "Lamp", "sku": "7"}
    assert "pip install 'scraper[json]'" in written
