"""`scrape crawl --dry-run`: the plan, and nothing kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scraper.cli.dry_run import MAX_SEEDS_FETCHED
from scraper.explain.runs.dry_run import CrawlPlan, HostPlan
from scraper.politeness.host_gate import GateSettings
from tests.explain.conftest import FinishedRun, RunCommand


def test_the_plan_shows_what_is_known_and_how_long_it_takes(
    finished: FinishedRun, run_command: RunCommand, tmp_path: Path
) -> None:
    """Seeds, rules, robots.txt, sitemaps with their URLs, hosts with their pace, an estimate; no folder is made."""
    out = tmp_path / "out"
    result = run_command(
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
    assert result.exit_code == 0, result.output
    for part in (
        f"seed {finished.shop}/: 200",
        "rules: 10 requests per second per host, 4 at once; robots.txt: obey; scope: host; at most 40 pages",
        "robots.txt http://127.0.0.1",
        "/sitemaps/products.xml.gz: 200, ",
        "named by sitemaps",
        "100ms",
        "limits.max_pages: 40 ends it after at least",
    ):
        assert part in result.output, result.output
    assert not out.exists()


def test_a_seed_that_does_not_answer_is_exit_1(run_command: RunCommand, tmp_path: Path) -> None:
    """A plan that cannot begin."""
    (tmp_path / "c.yaml").write_text(
        "seeds: [http://127.0.0.1:9/]\npoliteness: {robots: ignore}\nsitemaps: off\nlimits: {retries: 0}\n"
    )
    assert run_command("crawl", str(tmp_path / "c.yaml"), "--dry-run").exit_code == 1


LINKS = "".join(f"<a href=/{folder}/{n}>x</a>" for folder in ("open", "private", "tmp") for n in range(10))
URLS = "".join(f"<url><loc>http://HOST/{folder}/s{n}</loc></url>" for folder in ("open", "private") for n in range(5))
ROBOTS = "User-agent: *\nDisallow: /private/\nDisallow: /tmp/\nCrawl-delay: 2\nSitemap: http://HOST/map.xml\n"
ANSWERS: dict[str, tuple[int, str, str]] = {
    "/": (200, "text/html", LINKS),
    "/robots.txt": (200, "text/plain", ROBOTS),
    "/map.xml": (200, "text/xml", f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{URLS}</urlset>'),
    "/moved": (301, "text/html", "/there"),
    "/there": (302, "text/html", "/open/0"),
    "/away": (301, "text/html", "http://other.invalid/"),
    "/open/0": (200, "text/html", "x"),
}


@pytest.fixture
def site() -> Iterator[str]:
    """The host of a server with a robots.txt, a sitemap, redirects and pages that are not there."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, text = ANSWERS.get(self.path, (404, "text/html", "no"))
            body = text.replace("HOST", self.headers["Host"]).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", text)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def plan_of(run_command: RunCommand, tmp_path: Path, host: str, paths: list[str], *more: str) -> str:
    seeds = ", ".join(f"'http://{host}{path}'" for path in paths)
    text = f"seeds: [{seeds}]\nlimits: {{retries: 0}}\npoliteness: {{per_host: {{rate: unlimited}}}}\n"
    (tmp_path / "c.yaml").write_text(text)
    result = run_command("crawl", str(tmp_path / "c.yaml"), "--dry-run", *more)
    assert result.exit_code == 0, result.output
    return result.output


def test_what_robots_txt_refuses_is_no_part_of_the_estimate(run_command: RunCommand, tmp_path: Path, site: str) -> None:
    """It is counted by the line that refuses it; the rest takes its time at the crawl-delay."""
    # Crawl-delay would make the test slow: the one seed is asked for at once, and nothing after it.
    out = plan_of(run_command, tmp_path, site, ["/"], "--set", "sitemaps=off")
    assert "robots.txt forbids 20 of the URLs found so far:" in out
    assert f"10 by http://{site} robots.txt line 2: Disallow: /private/" in out
    assert f"10 by http://{site} robots.txt line 3: Disallow: /tmp/" in out
    row = next(line.split() for line in out.splitlines() if line.startswith(site))
    assert row == [site, "10", "20", "0", "2.0s", "20s"]
    assert "10 URLs to fetch are known so far; at the configured rate they take at least 18s" in out


@pytest.mark.slow
def test_sitemaps_and_seeds_are_reported_one_by_one(run_command: RunCommand, tmp_path: Path, site: str) -> None:
    """Where a seed redirects to, why one failed or was refused; sitemaps' URLs by host, without what is refused."""
    paths = ["/moved", "/away", "/none", "/private/0"]
    out = plan_of(run_command, tmp_path, site, paths, "--set", "politeness.robots.max_crawl_delay=100ms")
    assert f"seed http://{site}/moved: redirects to http://{site}/open/0 in 2 steps: 200" in out
    assert f"seed http://{site}/none: failed: HTTP 404" in out
    assert (
        f"seed http://{site}/away: redirects to http://other.invalid/, not fetched: robots.txt, which cannot be" in out
    )
    assert f"seed http://{site}/private/0: not fetched: robots.txt line 2: Disallow: /private/" in out
    assert f"sitemap http://{site}/map.xml: 200, 10 URLs in scope" in out
    row = next(line.split() for line in out.splitlines() if line.startswith(site))
    assert row[1:4] == ["5", "5", "10"]
    assert "http://" + site + "/open/s" not in out, "what the budget had left is no seed"


def test_a_host_takes_what_its_pauses_its_answers_and_its_budget_make_it_take() -> None:
    """The longer of the pause and the answer shared by those under way; never more URLs than its own limit."""
    host = HostPlan(waiting=100, delay=0.5, response_seconds=8.0, responses=2)
    assert host.seconds_per_url(GateSettings(concurrency=4)) == 1.0
    assert host.seconds_per_url(GateSettings(concurrency=16)) == 0.5
    assert host.seconds_per_url(GateSettings(concurrency=None)) == 0.5
    assert host.requestable(GateSettings()) == 100
    assert host.requestable(GateSettings(max_pages=30)) == 30


def test_a_long_list_of_seeds_is_not_requested_as_a_whole(run_command: RunCommand, tmp_path: Path, site: str) -> None:
    """The first ones are; the others are reported as known."""
    (tmp_path / "seeds.txt").write_text("".join(f"http://{site}/open/{n}\n" for n in range(MAX_SEEDS_FETCHED + 30)))
    text = "seeds: [{file: seeds.txt}]\nsitemaps: off\npoliteness: {robots: ignore, per_host: {rate: unlimited}}\n"
    (tmp_path / "c.yaml").write_text(text)
    out = run_command("crawl", str(tmp_path / "c.yaml"), "--dry-run").output
    assert out.count("failed: HTTP 404") in (MAX_SEEDS_FETCHED, MAX_SEEDS_FETCHED - 1)
    assert "and 30 more seeds, not fetched in the dry run" in out
    assert "30 URLs to fetch are known so far" in out


def test_lines_of_robots_txt_are_counted_within_bounds() -> None:
    """However many lines refuse something."""
    plan = CrawlPlan()
    for n in range(5_000):
        plan.robots_refusals.add(f"http://a.example robots.txt line {n}")
    assert len(plan.robots_refusals.counts) == 1_001
    assert sum(plan.robots_refusals.counts.values()) == 5_000
