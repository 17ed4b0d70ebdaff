"""After kill -9 at any moment, any number of times, nothing is lost, duplicated or torn."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

import pytest

from tests.faults.crash_at import CRASH_POINTS
from tests.faults.runs import (
    MAX_REFETCHED_PER_KILL,
    CrawlProcess,
    SiteProcess,
    crawl_config,
    killed_on_exit,
    repeated_requests,
    run_crawl,
    start_crawl,
    verify_complete_crawl,
)
from tests.faults.web import SiteContent

# Environment variable: set it to the seed that a failed test printed to repeat its kills.
SEED_VARIABLE = "SCRAPER_FAULT_SEED"


@pytest.fixture
def rng() -> random.Random:
    """A random generator whose seed is printed with a failure."""
    seed = int(os.environ.get(SEED_VARIABLE) or random.SystemRandom().randrange(10**9))
    sys.stdout.write(f"repeat with {SEED_VARIABLE}={seed}\n")
    return random.Random(seed)


def kill_after_requests(crawl: CrawlProcess, server: SiteProcess, rng: random.Random, further: int) -> None:
    """Kill the crawl after some more requests, or in one of four cases while it is starting."""
    if rng.random() < 0.25:
        time.sleep(rng.uniform(0.0, 1.0))
    else:
        server.wait_for_requests(len(server.requested_paths()) + rng.randrange(1, further), crawl)
        time.sleep(rng.uniform(0.0, 0.05))
    crawl.kill()


def crawl_with_kills(tmp_path: Path, rng: random.Random, web: SiteContent, kills: int, further: int) -> None:
    """Crawl `web`, killing it `kills` times, then complete the crawl and verify its results."""
    survived, killed_at = 0, []
    with SiteProcess(web, tmp_path / "asked.txt") as server:
        settings = crawl_config(server, tmp_path / "out")
        for _ in range(kills):
            with killed_on_exit(start_crawl(tmp_path, settings)) as crawl:
                kill_after_requests(crawl, server, rng, further)
                assert crawl.exit_code() in (-9, 0), crawl.output()
                survived += crawl.exit_code() == -9
                killed_at.append(len(server.requested_paths()))
        code, text = run_crawl(tmp_path, settings)
        assert code == 0, text
        verify_complete_crawl(server, tmp_path / "out")
        repeated = repeated_requests(server, kills + 1)
        sys.stdout.write(f"{survived} kills at {killed_at}, asked again: {repeated.total()}\n")
        assert repeated.total() <= survived * MAX_REFETCHED_PER_KILL
        asked = len(server.requested_paths())
        code, text = run_crawl(tmp_path, settings)
        assert (code, len(server.requested_paths())) == (0, asked)
        assert "finished" in text


def test_kills_at_random_moments(tmp_path: Path, rng: random.Random) -> None:
    """Killed seven times at random, the eighth session completes the crawl: each page, item and file exactly once."""
    crawl_with_kills(tmp_path, rng, SiteContent(400), kills=7, further=60)


@pytest.mark.long
@pytest.mark.parametrize("round_", range(10))
def test_many_kills_at_random_moments(tmp_path: Path, rng: random.Random, round_: int) -> None:
    """The same with forty kills, and with a page that is read in another process."""
    crawl_with_kills(tmp_path, rng, SiteContent(1500, large=True), kills=40, further=120)


def crawl_with_crashes(tmp_path: Path, rng: random.Random, points: list[str]) -> None:
    """Crawl with one crash at each of `points`, then complete the crawl and verify its results."""
    died = []
    with SiteProcess(SiteContent(200), tmp_path / "asked.txt") as server:
        # With `power` there are more steps between which it can crash.
        settings = crawl_config(server, tmp_path / "out", durability=rng.choice(["process", "power"]))
        for number, point in enumerate(points):
            turn = rng.choice((0, 0, 1, 2))
            # Each session has a page budget: otherwise the first one that misses its crash would complete the crawl.
            share = str(len(server.web.expected_urls()) * (number + 1) // len(points))
            module = ("tests.faults.crash_at", point, str(turn))
            with killed_on_exit(start_crawl(tmp_path, settings, "--max-pages", share, module=module)) as crawl:
                code = crawl.wait_for_exit()
                assert code in (-9, 0), crawl.output()
                died += [f"{point}:{turn}"] if code == -9 else []
        code, text = run_crawl(tmp_path, settings)
        sys.stdout.write(f"died at {died}\n")
        assert code == 0, text
        verify_complete_crawl(server, tmp_path / "out")
        assert repeated_requests(server, len(points) + 1).total() <= len(died) * MAX_REFETCHED_PER_KILL


def test_crashes_at_chosen_points(tmp_path: Path, rng: random.Random) -> None:
    """Dying between any two steps of settling (half a line written, written and not settled, renamed and not settled)
    loses and doubles nothing."""
    crawl_with_crashes(tmp_path, rng, rng.sample(list(CRASH_POINTS), len(CRASH_POINTS)))


@pytest.mark.long
@pytest.mark.parametrize("round_", range(20))
def test_many_crashes_at_chosen_points(tmp_path: Path, rng: random.Random, round_: int) -> None:
    """Twenty rounds of thirty crashes."""
    crawl_with_crashes(tmp_path, rng, rng.choices(list(CRASH_POINTS), k=30))
