"""Compares two reports and tells which differences are larger than the spread of their rounds."""

from __future__ import annotations

from dataclasses import dataclass

from scraper.bench.measure.result import Report, Row

# Smaller relative changes also occur between two runs of the same program.
MIN_SIGNIFICANT_CHANGE = 0.05


@dataclass(frozen=True, slots=True)
class RowPair:
    """The same row in both reports. `change` is the relative change of pages/s (0.1 is 10 % faster)."""

    section: str
    before: Row
    after: Row
    change: float
    is_significant: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rows that two reports have in common, findings, and warnings about what makes them less comparable."""

    pairs: tuple[RowPair, ...]
    warnings: tuple[str, ...]
    findings: tuple[str, ...]


def compare(before: Report, after: Report) -> Comparison:
    """Compare two reports; rows are matched by section and key."""
    pairs = []
    later = {(number, row.key): row for number, section in enumerate(after.sections) for row in section.rows}
    for number, section in enumerate(before.sections):
        for row in section.rows:
            other = later.get((number, row.key))
            if other is not None and row.sample.rate > 0:
                change = other.sample.rate / row.sample.rate - 1
                pairs.append(RowPair(section.title, row, other, change, _is_significant(row, other, change)))
    return Comparison(tuple(pairs), tuple(_comparability_warnings(before, after)), _findings(pairs))


def _is_significant(before: Row, after: Row, change: float) -> bool:
    # The ranges of the rounds must not overlap.
    disjoint = after.rates.low > before.rates.high or after.rates.high < before.rates.low
    return disjoint and abs(change) > MIN_SIGNIFICANT_CHANGE


def _comparability_warnings(before: Report, after: Report) -> list[str]:
    found = []
    if before.scenario != after.scenario:
        found.append(f"The scenarios differ: {before.scenario} and {after.scenario}.")
    for name in ("system", "processor", "cores", "python", "loop"):
        one, two = before.machine.get(name), after.machine.get(name)
        if one != two:
            found.append(f"The machines differ in {name}: {one} and {two}.")
    for name in ("latency", "rate", "per_host"):
        one, two = before.settings.get(name), after.settings.get(name)
        if one != two:
            found.append(f"The settings differ in {name}: {one} and {two}.")
    for word, report in (("first", before), ("second", after)):
        if not report.complete:
            found.append(f"The {word} was stopped early.")
        found += [f"In the {word}: {warning}" for warning in report.warnings]
    return found


def _findings(pairs: list[RowPair]) -> tuple[str, ...]:
    if not pairs:
        return ("The two reports have no row in common.",)
    faster = [pair.before.label for pair in pairs if pair.is_significant and pair.change > 0]
    slower = [pair.before.label for pair in pairs if pair.is_significant and pair.change < 0]
    found = []
    if faster:
        found.append(f"Faster: {', '.join(faster)}.")
    if slower:
        found.append(f"Slower: {', '.join(slower)}.")
    if not found:
        found.append("No difference is larger than the spread of the rounds.")
    return tuple(found)
