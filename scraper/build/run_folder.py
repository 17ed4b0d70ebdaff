"""The folder of a crawl: made, given a copy of the config, and cleared by `--fresh`."""

from __future__ import annotations

import shutil
from pathlib import Path

from scraper.config.reading.effective import effective_yaml
from scraper.config.schema.crawl import CrawlConfig
from scraper.errors import SinkError

STATE = ".scrape"
"""The folder inside the output folder that holds the run's state."""
OWN_FILES = (
    "pages.jsonl",
    "items.jsonl",
    "items.csv",
    "items.sqlite",
    "items.sqlite-journal",
    "rejected.jsonl",
    "items.sqlite-shm",
    "items.sqlite-wal",
    "skipped.jsonl",
    "skipped.jsonl.part",
    "summary.json",
    "summary.json.part",
    "report.html",
)
OWN_FOLDERS = (STATE, "files", "items.parquet")
"""What `--fresh` deletes, and nothing else: the folder may hold the user's own files too."""
SPOOL = "spool"
"""The folder inside it for bodies on their way."""


COOKIES = "cookies.json"
"""The file inside it with the cookies of the run, which is nobody else's to read: mode 0600."""


def make_folder(folder: Path) -> None:
    """Make an output folder, or say why it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: cannot make the folder: {error.strerror or error}") from error


def write_config_copy(config: CrawlConfig, path: Path) -> None:
    """Write the effective config to `path`, passwords masked."""
    try:
        path.write_text(effective_yaml(config), encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {error.strerror or error}") from error


def delete_run(folder: Path) -> None:
    """Delete what an earlier run left in `folder`: its own files and folders, nothing else."""
    try:
        for name in OWN_FOLDERS:
            # The lock file stays: it is held by us, and another process may be waiting at it.
            for child in (folder / name).iterdir() if (folder / name).is_dir() else ():
                if child.is_dir() and not child.is_symlink():
                    shutil.rmtree(child)
                elif child.name != "lock":
                    child.unlink()
        for name in OWN_FILES:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: cannot delete the earlier run: {error.strerror or error}") from error
