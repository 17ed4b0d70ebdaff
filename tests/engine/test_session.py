"""What a session says of changes since the last one."""

from __future__ import annotations

import pytest

from scraper.config.schema.crawl import CrawlConfig
from scraper.engine.session import _EFFECT_OF_CHANGE, clock_set_back_notice, config_change_notices, session_start


@pytest.mark.parametrize(
    ("system_time", "checkpoint", "start"),
    [
        (1000.0, None, 1000.0),
        (1000.0, "900.5", 1000.0),
        (1000.0, "1300", 1300.0),
        (1000.0, "junk", 1000.0),
        (1000.0, "inf", 1000.0),
        (1000.0, "nan", 1000.0),
    ],
    ids=["first session", "clock went on", "clock was set back", "junk", "infinite", "not a number"],
)
def test_a_session_never_begins_before_the_last_one_ended(
    system_time: float, checkpoint: str | None, start: float
) -> None:
    """Else every stored wait would become longer by as much."""
    assert session_start(system_time, checkpoint) == start


@pytest.mark.parametrize(("behind", "said"), [(0.0, False), (60.0, False), (61.0, True), (3600.0, True)])
def test_a_clock_that_was_set_back_is_mentioned(behind: float, said: bool) -> None:
    """Not for the little corrections of time synchronisation."""
    notice = clock_set_back_notice(10_000.0, 10_000.0 + behind)
    assert bool(notice) is said
    assert not said or f"{behind:,.0f} s" in notice


def test_each_changed_section_has_a_notice() -> None:
    """Known sections say what the change affects; any other one gets a general sentence."""
    known, other = config_change_notices(["name", "unheard_of"])
    assert "name: no effect on this run" in known
    assert "unheard_of: applies from now on" in other


def test_every_section_with_a_sentence_of_its_own_exists() -> None:
    """A section that is renamed must be renamed here, too."""
    assert set(_EFFECT_OF_CHANGE) <= set(CrawlConfig.model_fields)
