"""`scrape crawl --dry-run`: the plan, and nothing kept."""

from __future__ import annotations

from pathlib import Path

from tests.explain.conftest import Finished, Tell


def test_the_plan_tells_what_is_known_and_how_long_it_takes(finished: Finished, tell: Tell, tmp_path: Path) -> None:
    """Seeds, rules, robots.txt, sitemaps with their URLs, hosts with their pace, an estimate; no folder is made."""
    out = tmp_path / "out"
    said = tell(
        "crawl",
        str(finished.config),
        "--dry-run",
        "-o",
        str(out),
        "--max-pages",
        "40",
        "--set",
        "politeness.per_host.rate=10/s",
    )
    assert said.code == 0, said.out
    for part in (
        f"seed {finished.shop}/: 200",
        "rules: 10 requests a second to a host, 4 at once; robots.txt: obey; scope: host; at most 40 pages",
        "robots.txt http://127.0.0.1",
        "/sitemaps/products.xml.gz: 200, ",
        "named by sitemaps",
        "100ms",
        "limits.max_pages: 40 ends it after at least",
    ):
        assert part in said.out, said.out
    assert not out.exists()


def test_a_seed_that_does_not_answer_is_exit_1(tell: Tell, tmp_path: Path) -> None:
    """A plan that cannot begin."""
    (tmp_path / "c.yaml").write_text(
        "seeds: [http://127.0.0.1:9/]\npoliteness: {robots: ignore}\nsitemaps: off\nlimits: {retries: 0}\n"
    )
    assert tell("crawl", str(tmp_path / "c.yaml"), "--dry-run").code == 1
