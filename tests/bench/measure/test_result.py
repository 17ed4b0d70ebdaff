from __future__ import annotations

from pathlib import Path

import pytest

from scraper.bench.measure.result import Sample, check_writable, median_sample, read_report, to_json, write_file
from scraper.errors import ConfigError, SinkError
from tests.bench.rows import WHOLE


def test_a_report_survives_its_json(tmp_path: Path) -> None:
    """What is read back is what was written."""
    path = tmp_path / "a.json"
    write_file(path, to_json(WHOLE))
    assert to_json(read_report(path)) == to_json(WHOLE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format": 99}',
        to_json(WHOLE).replace(b'"rate": 20', b'"rate": "fast"'),
        to_json(WHOLE).replace(b'"sections": [', b'"sections": [7, '),
        b"\xff\xfe",
    ],
    ids=["empty", "list", "no-keys", "other-format", "text-for-number", "odd-section", "binary"],
)
def test_what_is_no_report_is_refused(tmp_path: Path, content: bytes) -> None:
    """Any other file is a sentence, not a crash."""
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="not the result of a benchmark"):
        read_report(path)


def test_an_output_that_cannot_be_written_is_told_before(tmp_path: Path) -> None:
    """A minute of measuring is not thrown away for a folder that is not there."""
    for path in (tmp_path / "nowhere" / "a.json", tmp_path):
        with pytest.raises(SinkError, match="cannot be written"):
            check_writable(path)
    check_writable(tmp_path / "a.json")


def test_rounds_are_merged_by_their_medians() -> None:
    """Figures are medians, counts are sums, and what was never known stays unknown."""
    rounds = [
        Sample(10, 1.0, rate, 0.05, 0.06, 0.07, errors=1, lag=lag, causes={"timeout": 1})
        for rate, lag in ((10.0, 0.1), (30.0, None), (11.0, 0.3))
    ]
    found = median_sample(rounds)
    assert (found.rate, found.pages, found.errors, found.causes) == (11.0, 30, 3, {"timeout": 3})
    assert found.lag == pytest.approx(0.2)
    assert found.server_cpu is None
