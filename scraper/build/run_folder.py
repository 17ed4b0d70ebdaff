"""The folder of a crawl: made, given a copy of the config, and cleared by `--fresh`."""

from __future__ import annotations

import shutil
from pathlib import Path

from scraper.config.reading.effective import effective_yaml
from scraper.config.schema.crawl import CrawlConfig
from scraper.errors import SinkError
from scraper.rundir.disk_errors import cause_text, write_error
from scraper.rundir.layout import RunLayout


def make_folder(folder: Path) -> None:
    """Make an output folder, or say why it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: cannot make the folder: {cause_text(error)}") from error


def write_config_copy(config: CrawlConfig, path: Path) -> None:
    """Write the effective config to `path`, passwords masked."""
    try:
        path.write_text(effective_yaml(config), encoding="utf-8")
    except OSError as error:
        raise write_error(path, error) from error


def delete_run(layout: RunLayout) -> None:
    """Delete what an earlier run left: its own files and folders, nothing else. Raises `SinkError`."""
    try:
        for folder in layout.own_folders():
            # The lock file stays: it is held by us, and another process may be waiting at it.
            for child in folder.iterdir() if folder.is_dir() else ():
                if child.is_dir() and not child.is_symlink():
                    shutil.rmtree(child)
                elif child != layout.lock:
                    child.unlink()
        for path in layout.own_files():
            path.unlink(missing_ok=True)
    except OSError as error:
        raise SinkError(f"{layout.folder}: cannot delete the earlier run: {cause_text(error)}") from error
