"""kill -9, at any moment, any number of times: nothing is lost, nothing is doubled, nothing is torn."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

import pytest

from tests.faults.die import POINTS
from tests.faults.runs import UNSETTLED, Crawl, Server, again, config, run, running, start, verify
from tests.faults.web import Web

SEED = "SCRAPER_FAULT_SEED"
"""Set it to the seed that a failed test printed, to repeat its kill points."""


@pytest.fixture
def dice() -> random.Random:
    """Chance whose seed is printed with a failure."""
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(10**9))
    sys.stdout.write(f"repeat with {SEED}={seed}\n")
    return random.Random(seed)


def kill_by_progress(crawl: Crawl, server: Server, dice: random.Random, further: int) -> None:
    """Kill after some further requests; one time in four while it still starts."""
    if dice.random() < 0.25:
        time.sleep(dice.uniform(0.0, 1.0))
    else:
        server.wait_for(len(server.asked()) + dice.randrange(1, further), crawl)
        time.sleep(dice.uniform(0.0, 0.05))
    crawl.kill()


def kills_survived(tmp_path: Path, dice: random.Random, web: Web, kills: int, further: int) -> None:
    """Crawl `web` under `kills` kills and at last without one, and verify all that is left."""
    survived, killed_at = 0, []
    with Server(web, tmp_path / "asked.txt") as server:
        settings = config(server, tmp_path / "out")
        for _ in range(kills):
            with running(start(tmp_path, settings)) as crawl:
                kill_by_progress(crawl, server, dice, further)
                assert crawl.code() in (-9, 0), crawl.text()
                survived += crawl.code() == -9
                killed_at.append(len(server.asked()))
        code, text = run(tmp_path, settings)
        assert code == 0, text
        verify(server, tmp_path / "out")
        repeated = again(server, kills + 1)
        sys.stdout.write(f"{survived} kills at {killed_at}, asked again: {repeated.total()}\n")
        assert repeated.total() <= survived * UNSETTLED
        asked = len(server.asked())
        code, text = run(tmp_path, settings)
        assert (code, len(server.asked())) == (0, asked)
        assert "finished" in text


def test_kills_at_random_moments(tmp_path: Path, dice: random.Random) -> None:
    """Killed seven times at random, the eighth session completes the crawl: each page, item and file exactly once."""
    kills_survived(tmp_path, dice, Web(400), kills=7, further=60)


@pytest.mark.long
@pytest.mark.parametrize("round_", range(10))
def test_many_kills_at_random_moments(tmp_path: Path, dice: random.Random, round_: int) -> None:
    """The same with forty kills, and with a page that is read in another process."""
    kills_survived(tmp_path, dice, Web(1500, large=True), kills=40, further=120)


def deaths_survived(tmp_path: Path, dice: random.Random, points: list[str]) -> None:
    """Crawl with one death at each of `points`, in the middle of what it names."""
    died = []
    with Server(Web(200), tmp_path / "asked.txt") as server:
        # With `power` there are more steps to die between.
        settings = config(server, tmp_path / "out", durability=dice.choice(["process", "power"]))
        for number, point in enumerate(points):
            turn = dice.choice((0, 0, 1, 2))
            # Each session may ask for its share alone: else the first that misses its death would complete the crawl.
            share = str(len(server.web.asked_for()) * (number + 1) // len(points))
            module = ("tests.faults.die", point, str(turn))
            with running(start(tmp_path, settings, "--max-pages", share, module=module)) as crawl:
                code = crawl.end()
                assert code in (-9, 0), crawl.text()
                died += [f"{point}:{turn}"] if code == -9 else []
        code, text = run(tmp_path, settings)
        sys.stdout.write(f"died at {died}\n")
        assert code == 0, text
        verify(server, tmp_path / "out")
        assert again(server, len(points) + 1).total() <= len(died) * UNSETTLED


def test_deaths_at_the_worst_moments(tmp_path: Path, dice: random.Random) -> None:
    """Dying between any two steps of settling (half a line written, written and not settled, renamed and not settled)
    loses and doubles nothing."""
    deaths_survived(tmp_path, dice, dice.sample(list(POINTS), len(POINTS)))


@pytest.mark.long
@pytest.mark.parametrize("round_", range(20))
def test_many_deaths_at_the_worst_moments(tmp_path: Path, dice: random.Random, round_: int) -> None:
    """Twenty rounds of thirty aimed deaths."""
    deaths_survived(tmp_path, dice, dice.choices(list(POINTS), k=30))
