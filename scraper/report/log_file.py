"""The log file: one line per event, and the records of the package's own loggers, in one order.

    2024-05-01T12:00:00.123Z WARNING slow.example paused for 60s (breaker open, no. 1): 6 failures in a row

DEBUG has every event, INFO problems and milestones. Text is cleaned of control characters and line breaks, so that a
server cannot forge a line.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from types import TracebackType
from typing import TextIO

from scraper.clock import wall_time
from scraper.errors import SinkError
from scraper.events import CrawlEnded, Event, QueuesSampled
from scraper.report.text.event_text import MAX_LINE_CHARS, WARNING, describe
from scraper.report.text.formatting import instant_text
from scraper.report.text.sanitize import clean
from scraper.rundir.disk_errors import cause_text

LOGGER_NAME = "scraper"
FLUSH_SECONDS = 1.0
# The last lines of a traceback that are written.
MAX_TRACEBACK_LINES = 60


class LogFile:
    """A listener that appends to the file at `path`; also takes the records of the "scraper" loggers.

    `level` is a level of the `logging` module. Use it as a context manager, or call `close`. Raises `SinkError` when
    the file cannot be opened; when it can no longer be written, the crawl goes on and `problem` says why.
    """

    def __init__(self, path: Path, level: int = logging.INFO) -> None:
        self._level = level
        self._lock = threading.Lock()
        self._flushed_at = 0.0
        self.problem: str | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: TextIO | None = path.open("a", encoding="utf-8", errors="replace", newline="\n")
        except OSError as error:
            raise SinkError(f"the log file {path} cannot be written: {cause_text(error)}") from error
        self._bridge = _LoggingBridge(self, level)
        self._level_before = logging.getLogger(LOGGER_NAME).level
        logging.getLogger(LOGGER_NAME).addHandler(self._bridge)
        # Without this the root logger's level (WARNING) would drop INFO records before they reach the file.
        if not logging.getLogger(LOGGER_NAME).isEnabledFor(level):
            logging.getLogger(LOGGER_NAME).setLevel(level)

    def __call__(self, event: Event) -> None:
        """Write one event if its level is at least the file's."""
        line = describe(event)
        if line.level >= self._level:
            self.write(event.at, line.level, line.text)
        if isinstance(event, QueuesSampled | CrawlEnded):
            self._flush(event.at, force=isinstance(event, CrawlEnded))

    def write(self, at: float, level: int, text: str) -> None:
        """Write one line at the instant `at` (epoch seconds)."""
        line = f"{instant_text(at) or '-'} {logging.getLevelName(level)} {clean(text, MAX_LINE_CHARS)}\n"
        with self._lock:
            if self._file is None:
                return
            try:
                self._file.write(line)
                if level >= WARNING:  # on disk at once, also when the process is killed next
                    self._file.flush()
            except (OSError, ValueError) as error:
                self._give_up(str(error))

    def close(self) -> None:
        """Write what is buffered and close; calling it twice does nothing more."""
        logger = logging.getLogger(LOGGER_NAME)
        # Restores the logger for programs that use the package as a library.
        if self._bridge in logger.handlers:
            logger.removeHandler(self._bridge)
            logger.setLevel(self._level_before)
        with self._lock:
            self._give_up(self.problem)

    def _flush(self, at: float, *, force: bool) -> None:
        with self._lock:
            if self._file is None or not (force or at - self._flushed_at >= FLUSH_SECONDS):
                return
            self._flushed_at = at
            try:
                self._file.flush()
            except (OSError, ValueError) as error:
                self._give_up(str(error))

    def _give_up(self, problem: str | None) -> None:
        file, self._file, self.problem = self._file, None, problem
        if file is not None:
            try:
                file.close()
            except OSError as error:
                self.problem = str(error)

    def __enter__(self) -> LogFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _LoggingBridge(logging.Handler):
    """A `logging` handler that writes records to the log file."""

    def __init__(self, file: LogFile, level: int) -> None:
        super().__init__(level)
        self._log = file
        self._formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; a traceback follows line by line, indented."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  arguments do not fit the format string: write the format string itself
            message = str(record.msg)
        self._log.write(wall_time(), record.levelno, f"{record.name}: {message}")
        if record.exc_info:
            trace = self._formatter.formatException(record.exc_info).splitlines()
            for line in trace[-MAX_TRACEBACK_LINES:]:
                self._log.write(wall_time(), record.levelno, f"| {line}")
