"""Interleaved rounds."""

from __future__ import annotations

from scraper.bench.measure.result import Sample
from scraper.bench.measure.rounds import Case, Rounds


async def test_rounds_go_forth_and_back() -> None:
    """Each second round is run backwards, and rows keep the order of the cases."""
    order: list[str] = []

    def case(name: str) -> Case:
        async def run() -> Sample:
            order.append(name)
            return Sample(1, 1.0, 10.0 * len(order), 0.1, 0.1, 0.1)

        return Case(name, name, 1, run)

    contest = Rounds(6, lambda _: None, lambda: False)
    section = await contest.measure("title", [case("a"), case("b")], 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert [(row.key, row.repeats, row.rates.high) for row in section.rows] == [("a", 3, 50.0), ("b", 3, 60.0)]
