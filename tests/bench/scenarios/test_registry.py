"""The table of scenarios."""

from __future__ import annotations

from scraper.bench.scenarios.names import Scenario
from scraper.bench.scenarios.registry import SCENARIOS


def test_every_scenario_is_there() -> None:
    """Each name of the command line has its server and its cases."""
    assert set(SCENARIOS) == set(Scenario)
