from __future__ import annotations

import pytest
import yaml

from scraper.bench.findings import (
    Limit,
    explain_knee,
    find_limit,
    littles_law_sentence,
    millis_text,
    polite_sentences,
    recommend_limits,
    reliability_warnings,
    speedup_text,
)
from scraper.bench.measure.result import Row
from scraper.config.reading.load import config_from_mapping
from tests.bench.rows import ladder, row

AT = row(64, 1280)


@pytest.mark.parametrize(
    ("beyond", "max_server_rate", "expected", "word"),
    [
        (row(128, 1400, cpu_share=0.97, cpu_ms=0.7), None, Limit.CPU, "Why: CPU. A page costs 0.70 ms"),
        (row(128, 1400, cpu_share=0.5, cpu_wait_share=0.45), None, Limit.MACHINE, "other programs"),
        (row(128, 1400, server_cpu=0.99, p50=0.09), None, Limit.SERVER, "Why: the server."),
        (row(128, 1400), 1500.0, Limit.SERVER, "alone it gives 1,500 pages/s"),
        (row(128, 1400, p50=0.09), None, Limit.SERVER, "instead of 50 ms"),
        (row(128, 1400, in_flight=60), None, Limit.CONNECTIONS, "politeness.per_host"),
        (row(128, 1400, errors=300, causes={"http_503": 300}), None, Limit.ERRORS, "300 of 1000 pages failed"),
        (row(128, 1400), None, Limit.LATENCY, "Why: latency."),
    ],
    ids=[
        "cpu",
        "busy-machine",
        "server-core",
        "server-rate",
        "slower-answers",
        "host-limits",
        "failures",
        "unknown",
    ],
)
def test_the_knee_is_explained(beyond: Row, max_server_rate: float | None, expected: Limit, word: str) -> None:
    """What held the first level beyond the knee back is named, with the figures that show it."""
    assert find_limit(beyond, AT, max_server_rate) is expected
    found, sentence = explain_knee(ladder(beyond), max_server_rate)
    assert found == 64
    assert "The knee is at 64 in flight (1,280 pages/s): going to 128 brought +9%." in sentence
    assert word in sentence


def test_without_a_knee_more_is_advised() -> None:
    """When every doubling pays the sentence says so and how to go on."""
    found, sentence = explain_knee(ladder(row(128, 2560)), None)
    assert found is None
    assert "No knee up to 128" in sentence
    assert "--concurrency" in sentence


def test_a_knee_that_is_near_is_announced() -> None:
    """When every doubling paid but the core is nearly used up, no higher level is advised."""
    assert "but it is near" in explain_knee(ladder(row(128, 2560, cpu_share=0.82)), None)[1]


@pytest.mark.parametrize("rows", [[], [row(0, 20)], [row(0, 20), row(4, 80)]], ids=["nothing", "loop", "one-level"])
def test_few_rows_have_no_knee(rows: list[Row]) -> None:
    """A benchmark that was broken off early is still explained."""
    assert explain_knee(rows, None)[0] is None
    assert isinstance(recommend_limits(rows, None), str)


@pytest.mark.parametrize(
    ("at_64", "words"),
    [
        (row(64, 1250), "97.7% of the 1,280 pages/s that Little's law allows."),
        (row(64, 1000, cpu_share=0.95), "The rest is CPU"),
        (row(64, 1000, cpu_wait_share=0.3), "other programs: they had this core for 30%"),
        (row(64, 1000, server_cpu=0.95), "The rest is the server"),
        (row(64, 1000), "something else"),
    ],
    ids=["reached", "cpu", "busy-machine", "server", "unknown"],
)
def test_littles_law_is_reached_or_it_is_said_why_not(at_64: Row, words: str) -> None:
    """Below 95 % the sentence names what took the rest."""
    assert words in littles_law_sentence([row(0, 20), at_64])


def test_the_recommended_block_is_a_valid_config() -> None:
    """What is offered to paste can be pasted."""
    block = recommend_limits(ladder(row(128, 1400)), 64)
    limits = yaml.safe_load(block)
    config = config_from_mapping({"seeds": ["https://books.example/"], **limits})
    assert config.limits.concurrency == 64
    assert config.limits.deadline == 4 * config.limits.timeout
    assert "# the knee: 1,280 pages/s" in block


def test_the_cost_of_politeness_is_shown() -> None:
    """Each kind of politeness is set against none."""
    sentence = polite_sentences([row(64, 1280), row(4, 2)])[0]
    assert "2.0 pages/s, 640 times slower" in sentence
    assert polite_sentences([]) == []


@pytest.mark.parametrize(
    ("rows", "max_server_rate", "busy", "apart", "words"),
    [
        ([row(4, 80)], None, 0.9, True, "90% busy"),
        ([row(4, 80, cpu_wait_share=0.4)], None, 0.0, True, "Other programs took the core"),
        ([row(4, 80)], None, 0.0, False, "a core each"),
        ([row(4, 80)], 85.0, 0.0, True, "At 4 in flight the server was near its own limit"),
        ([row(4, 80, spread=0.3)], None, 0.0, True, "differ by more than 15 %"),
    ],
    ids=["busy", "starved", "one-core", "server", "uneven"],
)
def test_doubtful_figures_are_warned_of(
    rows: list[Row], max_server_rate: float | None, busy: float, apart: bool, words: str
) -> None:
    """Whatever makes figures less than they seem is said beside them."""
    found = reliability_warnings(rows, max_server_rate, busy, apart)
    assert len(found) == 1
    assert words in found[0]
    assert reliability_warnings([row(4, 80)], 8000.0, 0.0, True) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "under 1 ms"), (0.0012, "1.2 ms"), (0.05, "50 ms"), (1.234, "1,234 ms"), (12, "12.0 s")]
)
def test_durations_are_read_in_milliseconds(seconds: float, text: str) -> None:
    """Short times have a digit, long ones a unit."""
    assert millis_text(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(64.04, "×64.0"), (0.002, "1/500"), (0.0, ""), (1.0, "×1.0")])
def test_speed_ups_below_one_are_fractions(value: float, text: str) -> None:
    """A price is easier to read as one over something."""
    assert speedup_text(value) == text
