"""A stream whose reader goes away ends nothing."""

from __future__ import annotations

import io

from scraper.events import Warned
from scraper.report.terminal.plain_lines import PlainLines
from tests.report.sample_crawl import T0, crawl


def test_a_stream_that_went_away_does_not_end_the_crawl() -> None:
    """When no one reads any more the listener falls silent."""
    out = io.StringIO()
    plain = PlainLines(out)
    out.close()
    for event in crawl():
        plain(event)
    assert plain._out.lost


def test_an_old_encoding_shows_question_marks() -> None:
    """A terminal that lacks a letter does not end the listener."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    PlainLines(out)(Warned(T0, "naïve → plain"))
    assert raw.getvalue() == b"00:00:00 warning: na?ve ? plain\n"
    out.close()
