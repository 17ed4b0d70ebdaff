"""The HTML report of a benchmark."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from scraper.bench.html_report import render_page
from tests.bench.rows import WHOLE


def test_the_page_is_whole_and_escaped() -> None:
    """The page needs nothing from elsewhere, has the plots, and what comes from outside is text in it."""
    text = render_page(WHOLE)
    assert "Test &lt;CPU&gt;" in text
    assert "It &lt;works&gt;." in text
    assert not any(word in text for word in ("<script", "http://", "https://", "@import", "src="))
    assert "prefers-color-scheme:dark" in text
    charts = text.split("<svg")[1:]
    assert len(charts) == 4
    for chart in charts:
        root = ET.fromstring("<svg" + chart.partition("</svg>")[0] + "</svg>")
        assert root.findall(".//path")
