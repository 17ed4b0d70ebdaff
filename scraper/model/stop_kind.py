"""Why a run ends, as one word: in the `why` of summary.json and of the event `crawl_ended`."""

from __future__ import annotations

from enum import StrEnum


class StopKind(StrEnum):
    """The values are an interface: they are written to files and read by other programs."""

    # Nothing that may be requested is left.
    FINISHED = "finished"
    # Limits of the config: `limits.max_pages`, `limits.max_time`.
    MAX_PAGES = "max_pages"
    MAX_TIME = "max_time"
    # A signal, or a call of `stop`.
    INTERRUPTED = "interrupted"
    # The caller left `Crawler.results()`, or closed the crawler, before the end.
    CLOSED = "closed"
    # A login has ended (`login.lost: stop`).
    LOGGED_OUT = "logged_out"
    # Too many workers in a row crashed with unexpected errors.
    BUG = "bug"

    @property
    def is_final(self) -> bool:
        """Whether what is still queued will not be requested, however often the same command is run."""
        return self in (StopKind.FINISHED, StopKind.MAX_PAGES)
