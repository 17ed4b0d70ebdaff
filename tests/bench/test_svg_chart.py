"""Line charts as SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from scraper.bench.svg_chart import Chart, Series, _linear_ticks, draw_chart


def test_a_chart_without_points_is_empty() -> None:
    """Zero cannot be drawn on a logarithmic axis, so it does not count as a point there."""
    assert draw_chart(Chart("t", "y", [])) == ""
    assert draw_chart(Chart("t", "y", [Series("s", [(1, 0.0)], "--one")], log_y=True)) == ""


@pytest.mark.parametrize("log_y", [False, True], ids=["linear", "logarithmic"])
def test_every_measured_point_has_a_dot_and_text_is_escaped(log_y: bool) -> None:
    """Predictions are dashed and have no dots; names are text, not markup."""
    measured = Series("a <b>", [(1, 10.0), (2, 20.0), (4, 30.0)], "--one")
    predicted = Series("law", [(1, 11.0), (4, 44.0)], "--two", dashed=True)
    root = ET.fromstring(draw_chart(Chart("t & u", "y", [measured, predicted], log_y=log_y, marker=(2, "knee"))))
    assert root.get("aria-label") == "t & u"
    assert len(root.findall(".//circle")) == 3
    assert [path.get("stroke-dasharray") for path in root.findall("path")] == [None, "6 5"]
    assert any(title.text is not None and title.text.startswith("a <b>, ") for title in root.iter("title"))
    assert "knee" in [text.text for text in root.findall("text")]


@pytest.mark.parametrize(
    ("high", "ticks"), [(4.0, [0, 1, 2, 3, 4]), (95.0, [0, 25, 50, 75, 100]), (0.0, [0])], ids=["4", "95", "0"]
)
def test_ticks_are_round(high: float, ticks: list[float]) -> None:
    """Steps are 1, 2, 2.5 or 5 times a power of ten, and reach the highest value."""
    assert _linear_ticks(high) == pytest.approx(ticks)
