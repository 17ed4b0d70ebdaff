"""The exceptions of this package: what ends a run, or keeps it from starting.

    ScraperError                base of all of them
    +-- ConfigError             a config or an option is wrong; carries every problem found
    +-- FrontierError           the run folder's state cannot be opened, read or written
    |   +-- RunLockedError      another process is using this folder
    +-- FetchError              a fetcher cannot be set up (one URL's failure is a value, `model.Failure`)
    +-- ExtractionRuleError            extraction rules cannot be compiled or applied
    +-- SinkError               an output cannot be written: disk full, read-only
    +-- HookError               a hook cannot be loaded
    +-- PluginError             a plug-in cannot be found, imported or made
    +-- MissingExtraError       an optional part is not installed; names the extra

What goes wrong with one URL is never raised: it is a `model.Failure` on that URL's record. `exit_code` is that of the
command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class ScraperError(Exception):
    """Base of all errors raised by this package; `str()` is a sentence for the user."""

    exit_code: int = 70


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a config: where it is and what to do.

    `line` and `column` count from 1 and are None where the value did not come from a file.
    """

    message: str
    key: str = ""
    file: str = ""
    line: int | None = None
    column: int | None = None
    hint: str = ""

    def __str__(self) -> str:
        position = ":".join(str(p) for p in (self.file, self.line, self.column) if p not in ("", None))
        parts = [p for p in (position, self.key, self.message) if p]
        return ": ".join(parts) + (f" ({self.hint})" if self.hint else "")


class ConfigError(ScraperError):
    """A config, list or option cannot be used; `problems` holds each one found, in file order."""

    exit_code = 2

    def __init__(self, problems: list[Problem] | str) -> None:
        self.problems = [Problem(problems)] if isinstance(problems, str) else problems
        super().__init__("\n".join(str(p) for p in self.problems))


class FrontierError(ScraperError):
    """The state of a run cannot be opened, read or written."""

    exit_code = 3


class RunLockedError(FrontierError):
    """Another process is using this output folder; `pid` is None when it is not known."""

    exit_code = 2

    def __init__(self, folder: Path, pid: int | None) -> None:
        self.folder, self.pid = folder, pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{folder}: {who} is at work in this folder; wait for it or choose another --output")


class FetchError(ScraperError):
    """A fetcher cannot be set up, for example with an unreadable proxy address."""

    exit_code = 2


class ExtractionRuleError(ScraperError):
    """Extraction rules cannot be compiled or applied."""

    exit_code = 2


class SinkError(ScraperError):
    """An output cannot be written; the run stops cleanly and can be resumed."""

    exit_code = 3


class HookError(ScraperError):
    """A hook cannot be imported or is not a hook."""

    exit_code = 2


class PluginError(ScraperError):
    """A plug-in is not installed, cannot be imported, or does not make what it should."""

    exit_code = 2


class MissingExtraError(ScraperError):
    """A part of the package needs an extra that is not installed."""

    exit_code = 2

    def __init__(self, extra: str, feature: str) -> None:
        self.extra = extra
        super().__init__(f"{feature} needs an optional part: pip install 'scraper[{extra}]'")
