from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scraper.errors import SinkError
from scraper.events import Warned
from scraper.report.log_file import LogFile
from scraper.report.text.event_text import describe
from tests.report.sample_crawl import EVIL, T0, crawl, started

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) .+")


@pytest.fixture(autouse=True)
def _logger_as_it_was() -> Iterator[None]:
    logger = logging.getLogger("scraper")
    before = logger.level, list(logger.handlers)
    yield
    assert (logger.level, logger.handlers) == before


def logged(path: Path, level: int) -> list[str]:
    with LogFile(path, level) as log:
        for event in crawl():
            log(event)
    return path.read_text("utf-8").splitlines()


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING])
def test_each_event_of_the_level_is_one_dated_line(tmp_path: Path, level: int) -> None:
    """DEBUG holds every event, higher levels what matters; every line has an instant, a level and a text."""
    lines = logged(tmp_path / "logs" / "run.log", level)
    assert len(lines) == sum(describe(event).level >= level for event in crawl())
    assert all(LINE.fullmatch(line) for line in lines)


def test_the_instant_is_the_events_own(tmp_path: Path) -> None:
    """Times are UTC with milliseconds."""
    with LogFile(tmp_path / "log") as log:
        log(started())
    assert (tmp_path / "log").read_text() == (
        "2023-11-14T22:13:20.000Z INFO books started: 3 waiting, 64 fetchers, into out/books\n"
    )


def test_the_packages_loggers_write_here_too(tmp_path: Path) -> None:
    """A record of `logging` is a line of the same file, its traceback indented, hostile text cleaned."""
    with LogFile(tmp_path / "log") as log:
        logger = logging.getLogger("scraper.fetch")
        logger.info("of %s", EVIL)
        logger.debug("not wanted")
        logging.getLogger("elsewhere").warning("not ours")
        logger.error("failed", exc_info=ValueError("broken\nin two"))
        odd = {"name": "scraper.fetch", "levelno": logging.ERROR, "msg": "%s and %s do not fit", "args": (1,)}
        logging.getLogger("scraper").handlers[-1].handle(logging.makeLogRecord(odd))
        log(started())
    lines = (tmp_path / "log").read_text("utf-8").splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    assert lines[0].endswith("INFO scraper.fetch: of https://good.example/[red]x[/red]txt.exe forged line")
    assert lines[1].endswith("ERROR scraper.fetch: failed")
    assert [line.split(" ", 2)[2] for line in lines[2:4]] == ["| ValueError: broken", "| in two"]
    assert lines[-2].endswith("scraper.fetch: %s and %s do not fit")
    assert not any("not ours" in line or "not wanted" in line for line in lines)


def test_a_second_run_appends(tmp_path: Path) -> None:
    """The log of an earlier run is kept."""
    assert len(logged(tmp_path / "log", logging.WARNING)) * 2 == len(logged(tmp_path / "log", logging.WARNING))


def test_a_warning_is_on_disk_at_once(tmp_path: Path) -> None:
    """What the user should know is there also when the process is killed the next moment."""
    with LogFile(tmp_path / "log") as log:
        log(Warned(T0, "look here"))
        assert "look here" in (tmp_path / "log").read_text()


def test_a_log_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    """The message names the file and the cause."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"log file .*run\.log cannot be written"):
        LogFile(tmp_path / "file" / "run.log")


def test_a_log_that_can_no_longer_be_written_does_not_end_the_crawl() -> None:
    """On a full disk the crawl goes on without a log."""
    with LogFile(Path("/dev/full")) as log:
        log(Warned(T0, "into the void"))
        for event in crawl():
            log(event)
        assert log.problem is not None
    log.close()
