"""What circuit breakers did is kept over all sessions of a run, in bounded space."""

from __future__ import annotations

import math
from pathlib import Path

import orjson
import pytest

from scraper.events import BreakerClosed, BreakerHalfOpen, BreakerOpened, CrawlEnded, Event
from scraper.report import breaker_log as breakers
from scraper.report.breaker_log import BreakerLog, BreakerTransition, read_transitions
from scraper.report.html.breaker_chart import (
    parse_transitions,
)
from scraper.report.stats import Stats
from tests.report.sample_crawl import GOOD, SLOW, T0, started


def session(path: Path, *events: Event, killed: bool = False) -> Stats:
    """One session of a run whose steps are kept at `path`."""
    stats = Stats()
    stats.log_breakers_to(path)
    for event in events if killed else (*events, CrawlEnded(events[-1].at + 1, "finished", "")):
        stats(event)
    return stats


def test_every_session_adds_its_steps_to_the_file(tmp_path: Path) -> None:
    """With where each begins and ends; one that is killed has no end."""
    path = tmp_path / "breakers.jsonl"
    session(path, started(), BreakerOpened(T0 + 5, SLOW, T0 + 65, "6 failures", 1), killed=True)
    session(path, started(T0 + 100), BreakerHalfOpen(T0 + 101, SLOW), BreakerClosed(T0 + 102, SLOW))
    last = session(path, started(T0 + 200), BreakerOpened(T0 + 201, GOOD, math.inf, "403s", 1))
    steps = read_transitions(path)
    assert [(step["host"], step["state"]) for step in steps] == [
        ("", "begin"),
        (SLOW, "open"),
        ("", "begin"),
        (SLOW, "half-open"),
        (SLOW, "closed"),
        ("", "end"),
        ("", "begin"),
        (GOOD, "blocked"),
        ("", "end"),
    ]
    assert [step.host for step in last.snapshot().breaker_transitions] == [GOOD], "a summary is of its own session"


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At twice what is kept the older half goes, also when the sessions are many."""
    monkeypatch.setattr(breakers, "MIN_TRANSITIONS_KEPT", 10)
    path = tmp_path / "breakers.jsonl"
    for number in range(7):
        steps = BreakerLog()
        steps.append_to(path)
        for n in range(8):
            steps.add(BreakerTransition(T0 + 100 * number + n, SLOW, "open", None, "x" * 5_000))
            assert path.read_bytes().count(b"\n") < 20
    kept = read_transitions(path)
    assert len(kept) >= 10
    assert kept[-1]["at"].endswith("23:27.000Z")
    assert {len(step["why"]) for step in kept} == {200}
    assert [entry.name for entry in tmp_path.iterdir()] == ["breakers.jsonl"]


def test_a_file_that_cannot_be_written_does_not_end_the_crawl(tmp_path: Path) -> None:
    """The steps of the session are counted all the same."""
    stats = session(tmp_path / "none" / "x", started(), BreakerOpened(T0, SLOW, T0 + 9, "", 1))
    assert stats.snapshot().openings == 1
    assert read_transitions(tmp_path / "none" / "x") == []


def test_what_is_no_step_is_passed_over(tmp_path: Path) -> None:
    """A line that a kill cut short, lists, other keys, a date that is none."""
    path = tmp_path / "breakers.jsonl"
    good = {"at": "2023-11-14T22:13:30Z", "host": "a", "state": "open"}
    lines = [b'{"at": "20', b"[1]", b"\xff", orjson.dumps({"at": 5}), orjson.dumps({**good, "at": "soon"})]
    path.write_bytes(b"\n".join([*lines, orjson.dumps(good)]) + b"\n")
    assert [change.host for change in parse_transitions(read_transitions(path))] == ["a"]
